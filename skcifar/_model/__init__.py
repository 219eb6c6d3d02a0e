"""Network and head as tables and arrays, without a framework."""
