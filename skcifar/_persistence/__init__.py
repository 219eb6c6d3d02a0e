"""save and load: an estimator in one file that runs no code when it is read."""
