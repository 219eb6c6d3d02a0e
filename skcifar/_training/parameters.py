"""What the parameters of training may be."""

from numbers import Integral

import numpy as np

from .._validation.parameters import (
    PATH,
    VERBOSE,
    instance,
    integer,
    option,
    real,
    satisfying,
    tuple_of,
)
from .augmentation import AUGMENTATION_CONSTRAINT


def _is_class_weight(value):
    return isinstance(value, dict) and all(map(real(0).holds, value.values()))


OPTIMIZERS = (
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb", "lion"),
    *("muon", "nadam", "rmsprop", "sgd"),
)


def layer_widths(hidden_units):
    """Return the widths of the hidden layers that the parameter stands for, as a tuple."""
    return (hidden_units,) if isinstance(hidden_units, Integral) else tuple(hidden_units)


VIEWS_CONSTRAINT = {"test_time_augmentation": option(False, True, "flip_translate")}


def training_constraints(network_type):
    """Return the constraints of the parameters that say how to train on a type of network."""
    return {
        "hidden_units": integer(1) | tuple_of(integer(1)),
        "dropout": real(0, 1),
        "optimizer": option(*OPTIMIZERS),
        "learning_rate": real(0, low_open=True),
        "label_smoothing": real(0, 1),
        "weight_decay": real(0),
        "batch_size": option("auto") | integer(1),
        "epochs": integer(1),
        "augmentation": AUGMENTATION_CONSTRAINT,
        "fine_tune_epochs": integer(0),
        "fine_tune_blocks": option("all") | integer(0, network_type.n_blocks),
        "fine_tune_learning_rate": real(0, low_open=True),
        "early_stopping": option(False, True),
        "validation_fraction": real(0, 1, low_open=True),
        "n_iter_no_change": integer(1),
        "class_weight": option(None, "balanced")
        | satisfying("a dict from classes to numbers of at least 0", _is_class_weight),
        **VIEWS_CONSTRAINT,
        "warm_start": option(False, True),
    }


RUN_CONSTRAINTS = {
    "checkpoint_dir": option(None) | PATH,
    "callbacks": option(None) | instance("a list of Keras callbacks", list, tuple),
    "random_state": option(None)
    | integer(0, 2**32 - 1)
    | instance("a RandomState", np.random.RandomState),
    "verbose": VERBOSE,
}
