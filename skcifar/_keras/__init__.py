"""All that imports Keras at the top of a file: import these modules inside functions."""
