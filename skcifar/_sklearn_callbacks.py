"""scikit-learn's callback protocol: what progress bars and monitors hear of a fit.

The protocol came with scikit-learn 1.9. Below it the names here do nothing, so that the rest of
the package does not see the version.
"""

import copy
from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:

    class _NoCallbackSupport:
        """Adds nothing: this scikit-learn has no callbacks."""

        def _init_callback_context(self, **_):
            return _NoContext()

    def _with_callbacks(method):
        return method

    CallbackSupportMixin = _NoCallbackSupport

    class _NoContext:
        def subcontext(self, **_):
            return self

        def call_on_fit_task_begin(self, **_):
            return self

        def call_on_fit_task_end(self, **_):
            return False


Method = TypeVar("Method", bound=Callable)


def with_callbacks(method: Method) -> Method:
    """Make scikit-learn's callbacks hear of a method; its signature stays."""
    return _with_callbacks(method)


class FitTask:
    """One call of `fit` as scikit-learn's callbacks see it: a task, each epoch one within it.

    Parameters
    ----------
    estimator : estimator with `CallbackSupportMixin`
    X, y : array-like
        As the user gave them.
    sample_weight : array-like, default=None
    n_epochs : int, default=0
        Greatest number of epochs.
    """

    def __init__(self, estimator, X, y=None, sample_weight=None, *, n_epochs=0):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=n_epochs)
        self._epoch = None

    def begin(self):
        self._context.call_on_fit_task_begin(**self._arguments)

    def end(self, fitted):
        """Tell of the end of the fit; `fitted` is what makes a copy of the estimator fitted."""
        self._context.call_on_fit_task_end(**self._arguments, reconstruction_attributes=fitted)

    def begin_epoch(self, fitted):
        """Tell of the begin of an epoch.

        Parameters
        ----------
        fitted : callable
            Returns the attributes that make a copy of the estimator one that is fitted so far;
            called if a callback asks for it.
        """
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._arguments, reconstruction_attributes=fitted)

    def end_epoch(self, fitted):
        """Tell of the end of an epoch; return whether a callback wants training to stop."""
        return self._epoch.call_on_fit_task_end(**self._arguments, reconstruction_attributes=fitted)


def as_one_task(fit: Method) -> Method:
    """Make scikit-learn's callbacks hear of `fit` of a transformer."""

    @with_callbacks
    @wraps(fit)
    def fit_as_task(self, X, y=None):
        task = FitTask(self, X, y)
        task.begin()
        fit(self, X, y)
        task.end({})
        return self

    return cast(Method, fit_as_task)


# What `set_callbacks` and a fit within a meta-estimator leave on an estimator.
_CALLBACKS = "_skl_callbacks"
_ATTRIBUTES = (
    _CALLBACKS,
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


def without_callbacks(estimator):
    """Return an estimator that is free of scikit-learn's callbacks, and whether it had any.

    Nothing of the estimator given is changed: a shallow copy stands in for it.
    """
    found = {name: vars(estimator)[name] for name in _ATTRIBUTES if name in vars(estimator)}
    if not found:
        return estimator, False
    estimator = copy.copy(estimator)
    for name in found:
        vars(estimator).pop(name, None)
    return estimator, bool(found.get(_CALLBACKS))
