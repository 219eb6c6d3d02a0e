"""Pictures as they lie: files, bytes and PIL images, decoded by one function."""
