"""The Keras models of the package. Files that import Keras at the top: import them in functions."""
