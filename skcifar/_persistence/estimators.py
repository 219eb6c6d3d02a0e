"""One of our estimators: its parameters, fitted state and metadata requests."""

import os
from itertools import pairwise

import numpy as np
from sklearn import config_context

from .._classifier import MobileNetV2Classifier
from .._extraction.feature_cache import holds_features
from .._features import MobileNetV2Features
from .._model.frozen import FrozenNetwork
from .._model.head import Head
from .._normalizer import ImageNormalizer
from .._system.paths import user_path
from .values import decode, encode, register_dataclass

ESTIMATORS: dict[str, type] = {}


def register_estimator(cls):
    """Let files hold estimators of the type `cls`, and their networks."""
    ESTIMATORS[cls.__name__] = cls
    if hasattr(cls, "_network_type"):
        register_dataclass(cls._network_type)


for _type in (MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer):
    register_estimator(_type)


def encode_estimator(estimator, members, left_out):
    name = type(estimator).__name__
    parameters = estimator.get_params(deep=False)
    state = {
        attribute: value
        for attribute, value in estimator.__getstate__().items()
        if attribute not in parameters
    }
    requests = state.pop("_metadata_request", None)
    if state.get("callbacks_"):
        state["callbacks_"] = []  # the copies of what the parameter holds
    return {
        "estimator": name,
        "parameters": _encode_parameters(name, parameters, members, left_out),
        "state": {
            attribute: _encode_attribute(f"{name}.{attribute}", value, members)
            for attribute, value in state.items()
        },
        "requests": _plain_requests(requests),
    }


def _encode_parameters(estimator_name, parameters, members, left_out):
    """Return the parameters that hold no code; add the names of the others to `left_out`."""
    encoded = {}
    for name, value in parameters.items():
        try:
            encoded[name] = encode(value, members)
        except TypeError:
            left_out.append(f"{estimator_name}.{name}")
    return encoded


def _encode_attribute(name, value, members):
    try:
        return encode(value, members)
    except TypeError as error:
        raise TypeError(
            f"{name} holds an object of type {error}, which save does not know. Remove it, or use "
            "pickle for files that only you can write."
        ) from None


def decode_estimator(content, archive, notes):
    cls = ESTIMATORS[content["estimator"]]
    parameters = _decode_values(content["parameters"], archive)
    state = _decode_values(content["state"], archive)
    if hasattr(cls, "_network_type"):
        _bring_up_to_date(parameters, state, archive.version)
    _forget_foreign_folders(parameters, notes)
    estimator = cls(**parameters)
    for attribute in state:
        if hasattr(cls, attribute) or attribute in estimator.get_params(deep=False):
            raise ValueError(f"it holds a fitted attribute {attribute!r}")
    vars(estimator).update(state)
    _check_fitted_state(estimator)
    _set_requests(estimator, content["requests"])
    return estimator


def _bring_up_to_date(parameters, state, version):
    """Say in today's words what a file of an older `version` means."""
    if version < 2:
        parameters["feature_layers"] = "last"  # all that there was
    if version < 3:
        state.setdefault("resize_", None)  # arrays, where it was not told
        for values in (parameters, state.get("_made_with", {})):
            if values.get("weights") == "cifar10":
                values["weights"] = "cifar10-32px"


def _decode_values(values, archive):
    return {name: decode(value, archive.read_array) for name, value in values.items()}


def _forget_foreign_folders(parameters, notes):
    """Put the default for folders that are not here: a file must not make any."""
    for name, default, is_here in (
        ("feature_cache", "memory", holds_features),
        ("checkpoint_dir", None, lambda folder: os.path.isdir(user_path(folder))),
    ):
        folder = parameters.get(name, default)
        if folder not in ("memory", None) and not is_here(folder):
            parameters[name] = default
            notes.append(
                f"{name}={str(folder)!r} is not on this machine; {default!r} is used. Pass another "
                "folder with set_params."
            )


_STATE_TYPES = {
    "_frozen": FrozenNetwork,
    "_head": (Head, type(None)),
    "_made_with": dict,
    "classes_": np.ndarray,
    "n_classes_": int,
    "n_features_in_": int,
    "image_shape_": tuple,
    "pixel_range_": tuple,
    "resize_": (str, type(None)),
    "scale_": np.ndarray,
    "offset_": np.ndarray,
}


def _check_fitted_state(estimator):
    """Raise if the parts of a fitted estimator do not belong together."""
    state = vars(estimator)
    for name, types in _STATE_TYPES.items():
        if name in state and not isinstance(state[name], types):
            raise ValueError(f"{name} is of type {type(state[name]).__name__}")
    if "_frozen" in state and type(state["_frozen"].network) is not estimator._network_type:
        raise ValueError("its network is of another type")
    if state.get("_head") is not None:
        _check_head(state["_head"], state["_frozen"].n_features, len(state["classes_"]))


def _check_head(head, n_features, n_classes):
    widths = [n_features, *(len(bias) for bias in head.weights[1::2])]
    shapes = [array.shape for array in head.weights]
    expected = [shape for a, b in pairwise(widths) for shape in ((a, b), (b,))]
    if shapes != expected or widths[-1] != n_classes:
        raise ValueError("the layers of its head do not fit")


def _plain_requests(requests):
    """Return what was asked for with ``set_fit_request`` and its like, by method."""
    by_method = {} if requests is None else vars(requests)
    return {
        method: dict(of_method.requests)
        for method, of_method in by_method.items()
        if method != "owner" and of_method.requests
    }


def _set_requests(estimator, requests):
    with config_context(enable_metadata_routing=True):
        for method, wanted in requests.items():
            getattr(estimator, f"set_{method}_request")(**wanted)
