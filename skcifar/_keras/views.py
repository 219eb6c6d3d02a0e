"""A fitted classifier as Keras objects, built when they are first asked for.

Imports Keras inside functions: estimators have it, and are there without Keras.
"""

from typing import Any

from .._system.forks import check_not_forked
from .._system.libraries import import_keras


class KerasViewsMixin:
    """Adds `head_` and `model_` to a classifier that is arrays: `_head` and `_frozen`.

    They stand in `_models`, and never in a pickle.
    """

    dropout: float
    test_time_augmentation: bool | str

    @property
    def head_(self) -> Any:
        def build():
            from .scikeras_head import fitted_head_estimator

            return fitted_head_estimator(self._head, self.dropout)

        return self._built("head_", self.dropout, build)

    @property
    def model_(self) -> Any:
        def build():
            from .whole_model import build_model

            return build_model(self._views(), self._head)

        return self._built("model_", self.test_time_augmentation, build)

    def _built(self, name, parameter, build):
        """Return a Keras object of the fitted state, built when it is first asked for.

        It depends on `parameter`, too: of another value, another one is built.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.")
        built_for, model = self._models.get(name, (None, None))
        if model is None or built_for != parameter:
            check_not_forked("TensorFlow")
            import_keras()
            model = build()
            self._models[name] = parameter, model
        return model

    def __dir__(self):
        # scikit-learn asks for the value of each name, here and where a notebook shows them: that
        # would build Keras models that nobody needs, and import TensorFlow after `load`.
        not_built = {"head_", "model_"} - set(vars(self).get("_models", ()))
        return [name for name in {*object.__dir__(self)} - not_built if hasattr(self, name)]

    def __getstate__(self):
        state = dict(super().__getstate__())
        if "_models" in state:
            state["_models"] = {}
        return state
