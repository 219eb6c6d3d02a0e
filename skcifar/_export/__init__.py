"""export: fitted classifiers as models for other runtimes, one file a format."""
