"""What users may pass, and every error about it."""
