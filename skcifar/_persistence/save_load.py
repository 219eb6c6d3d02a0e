"""save and load: an estimator in one file that runs no code when it is read."""

import contextlib
import io
import os
import warnings
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._classifier import MobileNetV2Classifier
from .._extraction.engines import FrozenNetwork
from .._extraction.feature_cache import holds_features
from .._features import MobileNetV2Features
from .._model.head import Head
from .._model.mobilenet_v2 import MobileNetV2
from .._normalizer import ImageNormalizer
from .._system.atomic_file import replaced_file
from .archive import (
    Archive,
    NewerFormatError,
    array_from_npy,
    check_members,
    library_versions,
    write_archive,
)
from .values import decode, encode

_ESTIMATORS = {
    estimator.__name__: estimator
    for estimator in (MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer)
}
_SCHEMA = "schema.json"  # of a skops archive
# Parts of a version number that must agree: a step of another scikit-learn 1.x may mean
# something else, and the state of an optimizer belongs to a major version of Keras.
_SIGNIFICANT = {"scikit-learn": 2, "keras": 1}


def save(estimator, path):
    """Save an estimator to one file.

    The file holds numbers and text, no pickles and no code. It is written beside `path`, synced
    and renamed: a crash leaves the file that was there before, or the new one.

    Parameters
    ----------
    estimator : MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer or Pipeline
        Fitted or not. A Pipeline may hold scikit-learn estimators as well, of the types that
        skops trusts.
    path : str or path-like
        Used as it stands; no suffix is added.

    Raises
    ------
    TypeError
        If `estimator`, or something in it, is of a type that can only be saved with its code.
    OSError
        If the file cannot be written. What was there is untouched.

    Warns
    -----
    UserWarning
        Names the parameters that hold code, such as `callbacks`: these are left out.

    See Also
    --------
    load : Read the file.
    export : Write a model for other runtimes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skcifar import MobileNetV2Classifier, load, save
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> classifier = MobileNetV2Classifier(weights=None, input_size=32, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(classifier, Path(folder) / "classifier.skcifar")
    ...     same = load(Path(folder) / "classifier.skcifar")
    >>> bool((same.predict(X) == classifier.predict(X)).all())
    True
    """
    members, left_out = {}, []
    content = _encode_step(estimator, members, left_out)
    if left_out:
        warnings.warn(
            f"{', '.join(left_out)} cannot be saved without code, and were left out. Pass them "
            "again after loading, with set_params.",
            UserWarning,
            stacklevel=2,
        )
    with replaced_file(path) as file:
        write_archive(file, content, members)


def load(path):
    """Load an estimator that `save` wrote.

    Checksums, sizes and types are checked first, and no code in the file is run.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator : MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer or Pipeline

    Raises
    ------
    ValueError
        If the file is damaged, is something else, or was written by a newer skcifar.
    OSError
        If it cannot be read.

    Warns
    -----
    UserWarning
        If another version of a library wrote it and that matters; or if it names a
        `feature_cache` or `checkpoint_dir` that is not on this machine: the default is used.

    See Also
    --------
    save : Write the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skcifar import ImageNormalizer, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ImageNormalizer("symmetric"), Path(folder) / "normalizer.skcifar")
    ...     load(Path(folder) / "normalizer.skcifar")
    ImageNormalizer(method='symmetric')
    """
    with open(path, "rb") as file, _worded_for_users(path):
        archive = Archive(file)
        notes = _version_notes(archive)
        estimator = _decode_step(archive.content, archive, notes)
    for note in notes:
        warnings.warn(f"{path}: {note}", UserWarning, stacklevel=2)
    return estimator


@contextlib.contextmanager
def _worded_for_users(path):
    try:
        yield
    except NewerFormatError as error:
        raise ValueError(
            f"{path} cannot be read: {error}. Run `pip install --upgrade skcifar`."
        ) from None
    except (OSError, MemoryError):
        raise
    # Bytes of any kind make zipfile, json, NumPy and skops raise errors of any type.
    except Exception as error:
        raise ValueError(
            f"{path} is damaged, or was not written by skcifar.save: {error or repr(error)}. Copy "
            "it again from where it came from, or save the estimator again."
        ) from error


def _version_notes(archive):
    """Return what there is to say about the versions that wrote the file."""
    here, notes = library_versions(), []
    for name, n_parts in _SIGNIFICANT.items():
        then = archive.libraries[name]
        if name == "scikit-learn" and not archive.has_steps:
            continue
        if _first_parts(then, n_parts) != _first_parts(here[name], n_parts):
            notes.append(
                f"written with {name} {then}, read with {here[name]}. Check its predictions on "
                f"images that you know, then save it again; or install {name}=={then}."
            )
    return notes


def _first_parts(version, n_parts):
    return (version or "").split(".")[:n_parts]


# --- Steps: our estimators, Pipelines of them, and what skops takes --------------------------


def _encode_step(step, members, left_out, *, within_pipeline=False):
    """Return an estimator as what JSON can express; its arrays go to `members`."""
    if type(step) is Pipeline:
        return _encode_pipeline(step, members, left_out)
    if type(step) in _ESTIMATORS.values():
        return _encode_estimator(step, members, left_out)
    if within_pipeline and (step is None or step == "passthrough"):
        return {"passthrough": step}
    if within_pipeline and type(step).__module__.startswith("sklearn."):
        return _encode_with_skops(step, members)
    raise TypeError(
        f"save takes {', '.join(_ESTIMATORS)} and Pipelines of them with scikit-learn steps. Got "
        f"{type(step).__name__}. Save its parts, such as search.best_estimator_, or use pickle for "
        "files that only you can write."
    )


def _decode_step(content, archive, notes):
    if "pipeline" in content:
        return _decode_pipeline(content, archive, notes)
    if "estimator" in content:
        return _decode_estimator(content, archive, notes)
    if "skops" in content:
        return _decode_with_skops(archive.read_bytes(content["skops"]))
    if content["passthrough"] not in (None, "passthrough"):
        raise ValueError("it names a step that is no estimator")
    return content["passthrough"]


def _encode_pipeline(pipeline, members, left_out):
    if pipeline.memory is not None:
        left_out.append("Pipeline.memory")
    return {
        "pipeline": [
            [name, _encode_step(step, members, left_out, within_pipeline=True)]
            for name, step in pipeline.steps
        ],
        "transform_input": pipeline.transform_input,
        "verbose": pipeline.verbose,
    }


def _decode_pipeline(content, archive, notes):
    steps = [(name, _decode_step(step, archive, notes)) for name, step in content["pipeline"]]
    options = {name: content[name] for name in ("transform_input", "verbose")}
    return Pipeline(steps, **options)


def _encode_with_skops(step, members):
    """Add the skops archive of a scikit-learn estimator to `members`, if it can be loaded."""
    from skops import io as skops_io

    name = f"steps/{len(members)}.skops"
    members[name] = skops_io.dumps(step)
    untrusted = skops_io.get_untrusted_types(data=members[name])
    if untrusted or not _is_plain_skops(members[name]):
        raise TypeError(
            f"{type(step).__name__} cannot be saved: it holds "
            f"{', '.join(untrusted) or 'sparse matrices'}, which skops does not trust in a file. "
            "Use another estimator (LogisticRegression, SVC and their like can be saved), save "
            "the other steps alone, or use pickle for files that only you can write."
        )
    return {"skops": name}


def _decode_with_skops(data):
    from skops import io as skops_io

    if not _is_plain_skops(data):
        raise ValueError("a step holds more than a schema and arrays")
    step = skops_io.loads(data)  # raises for any type that skops does not trust by itself
    if not isinstance(step, BaseEstimator):
        raise ValueError("a step is no estimator")
    return step


def _is_plain_skops(data):
    """Whether a skops archive holds stored arrays, none larger than it announces, alone."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist()) - {_SCHEMA}
        if not all(name.endswith(".npy") for name in names):
            return False
        check_members(archive, {_SCHEMA, *names}, len(data))
        for name in names:
            array_from_npy(archive.read(name))
    return True


# --- One of our estimators -------------------------------------------------------------------


def _encode_estimator(estimator, members, left_out):
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


def _decode_estimator(content, archive, notes):
    cls = _ESTIMATORS[content["estimator"]]
    parameters = _decode_values(content["parameters"], archive)
    _forget_foreign_folders(parameters, notes)
    estimator = cls(**parameters)
    state = _decode_values(content["state"], archive)
    for attribute in state:
        if hasattr(cls, attribute) or attribute in estimator.get_params(deep=False):
            raise ValueError(f"it holds a fitted attribute {attribute!r}")
    vars(estimator).update(state)
    _check_fitted_state(estimator)
    _set_requests(estimator, content["requests"])
    return estimator


def _decode_values(values, archive):
    return {name: decode(value, archive.read_array) for name, value in values.items()}


def _forget_foreign_folders(parameters, notes):
    """Put the default for folders that are not here: a file must not make any."""
    for name, default, is_here in (
        ("feature_cache", "memory", holds_features),
        ("checkpoint_dir", None, lambda folder: os.path.isdir(Path(folder))),
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
    "classes_": np.ndarray,
    "n_classes_": int,
    "n_features_in_": int,
    "image_shape_": tuple,
    "pixel_range_": tuple,
    "scale_": np.ndarray,
    "offset_": np.ndarray,
}


def _check_fitted_state(estimator):
    """Raise if the parts of a fitted estimator do not belong together."""
    state = vars(estimator)
    for name, types in _STATE_TYPES.items():
        if name in state and not isinstance(state[name], types):
            raise ValueError(f"{name} is of type {type(state[name]).__name__}")
    if "_frozen" in state and not isinstance(state["_frozen"].network, MobileNetV2):
        raise ValueError("its network is of another type")
    if state.get("_head") is not None:
        _check_head(state["_head"], state["_frozen"].network.n_features, len(state["classes_"]))


def _check_head(head, n_features, n_classes):
    widths = [n_features, *(len(bias) for bias in head.weights[1::2])]
    shapes = [array.shape for array in head.weights]
    expected = [shape for a, b in pairwise(widths) for shape in ((a, b), (b,))]
    if shapes != expected or widths[-1] != n_classes:
        raise ValueError("the layers of its head do not fit")


# --- Metadata requests (set_fit_request and the like) ----------------------------------------


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
