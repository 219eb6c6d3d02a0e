"""Runs a frozen network over images, once over each: engines, and what was computed before."""
