"""A failed call leaves an estimator as it was."""

from contextlib import contextmanager


@contextmanager
def unchanged_on_error(estimator):
    """Put every attribute of `estimator` back if the block raises, Ctrl-C included."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
