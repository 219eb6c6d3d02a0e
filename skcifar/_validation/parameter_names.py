"""Names of parameters that users guess: constructors say which one is meant."""

import difflib
import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

_P = ParamSpec("_P")

# What other libraries call it, mostly Keras, scikit-learn and PyTorch.
_ELSEWHERE = {
    "lr": "learning_rate",
    "learning_rate_init": "learning_rate",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "nb_epoch": "epochs",
    "hidden_layer_sizes": "hidden_units",
    "hidden_sizes": "hidden_units",
    "units": "hidden_units",
    "solver": "optimizer",
    "dropout_rate": "dropout",
    "seed": "random_state",
    "patience": "n_iter_no_change",
    "validation_split": "validation_fraction",
    "input_shape": "image_shape",
    "image_size": "input_size",
    "img_size": "input_size",
    "width_multiplier": "alpha",
    "data_augmentation": "augmentation",
    "fine_tune_lr": "fine_tune_learning_rate",
    "cache_dir": "feature_cache",
    "backend": "engine",
    "dtype": "precision",
}
_WORDS = {
    "n_jobs": "Each fit uses all cores; pass n_jobs to what runs several, such as GridSearchCV",
    "include_top": "The top is always a new head",
    "num_classes": "The number of classes is that of y",
    "n_classes": "The number of classes is that of y",
    "loss": "The loss is categorical cross-entropy",
    "metrics": "history_ holds loss and accuracy",
    "shuffle": "Training rows are always shuffled",
    "device": "TensorFlow uses a GPU where it finds one",
}


def suggesting_names(init: Callable[_P, None]) -> Callable[_P, None]:
    """Make a constructor say what to type instead of a parameter that it does not have.

    Signature and errors are as before; a sentence is added to the `TypeError`.
    """
    names = list(inspect.signature(init).parameters)[1:]

    @wraps(init)
    def checked(*args: _P.args, **parameters: _P.kwargs) -> None:
        try:
            init(*args, **parameters)
        except TypeError as error:
            unknown = next((name for name in parameters if name not in names), None)
            advice = (
                _for_position(args[1:], names) if unknown is None else _for_name(unknown, names)
            )
            raise TypeError(f"{error}.{advice}") from None

    return checked


def _for_position(args, names):
    """Return the advice about arguments without a name."""
    if not args:
        return ""
    is_rate = isinstance(args[0], float) and "learning_rate" in names
    name = "learning_rate" if is_rate else names[0]
    return f" Parameters have names: write {name}={args[0]!r}, if that is meant."


def _for_name(unknown, names):
    if unknown in _WORDS:
        return f" {_WORDS[unknown]}."
    meant = _ELSEWHERE.get(unknown)
    if meant not in names:
        meant = next(iter(difflib.get_close_matches(unknown, names, n=1)), None)
    return f" Did you mean {meant!r}?" if meant else f" Parameters are: {', '.join(names)}."
