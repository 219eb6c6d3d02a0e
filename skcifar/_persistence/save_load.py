"""save and load: an estimator in one file that runs no code when it is read."""

import contextlib
import warnings
from typing import Any

from sklearn.base import BaseEstimator

from .._system.atomic_file import replaced_file
from .._validation.types import PathLike
from .archive import Archive, NewerFormatError, library_versions, write_archive
from .steps import decode_step, encode_step

# Parts of a version number that must agree: a step of another scikit-learn 1.x may mean
# something else, and the state of an optimizer belongs to a major version of Keras.
_SIGNIFICANT = {"scikit-learn": 2, "keras": 1}


def save(estimator: BaseEstimator, path: PathLike) -> None:
    """Save an estimator to one file.

    The file holds numbers and text, no pickles and no code. It is written beside `path`, synced
    and renamed: a crash leaves the file that was there before, or the new one.

    Read more in the :ref:`User Guide <saving>`.

    Parameters
    ----------
    estimator : MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer or Pipeline
        Fitted or not. A Pipeline may hold scikit-learn estimators as well, of the types that
        skops trusts.
    path : str or path-like
        Used as it is; no suffix is added.

    Raises
    ------
    TypeError
        If `estimator`, or something in it, is of a type that can only be saved with its code.
    OSError
        If the file cannot be written. An existing file is left untouched.

    Warns
    -----
    UserWarning
        Names what holds code, such as `callbacks`, and scikit-learn's callbacks: that is left out.

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
    members: dict[str, Any] = {}
    left_out: list[str] = []
    content = encode_step(estimator, members, left_out)
    if left_out:
        warnings.warn(
            f"{', '.join(left_out)} cannot be saved without code, and were left out. Pass them "
            "again after loading, with set_params or set_callbacks.",
            UserWarning,
            stacklevel=2,
        )
    with replaced_file(path) as file:
        write_archive(file, content, members)


def load(path: PathLike) -> Any:
    """Load an estimator that `save` wrote.

    Checksums, sizes and types are checked first, and no code in the file is run.

    Read more in the :ref:`User Guide <saving>`.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator : MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer or Pipeline

    Raises
    ------
    ValueError
        If the file is damaged, is not a saved estimator, or was written by a newer skcifar.
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
        estimator = decode_step(archive.content, archive, notes)
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
