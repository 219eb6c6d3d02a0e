"""The steps of what is saved: our estimators, Pipelines of them, and what skops takes."""

import io
import zipfile

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._sklearn_callbacks import without_callbacks
from .archive import array_from_npy, check_members
from .estimators import ESTIMATORS, decode_estimator, encode_estimator

_SCHEMA = "schema.json"  # of a skops archive


def encode_step(step, members, left_out, *, within_pipeline=False):
    """Return an estimator as what JSON can express; its arrays go to `members`."""
    if isinstance(step, BaseEstimator):
        step, had_callbacks = without_callbacks(step)
        left_out += [f"The callbacks of {type(step).__name__}"] * had_callbacks
    if type(step) is Pipeline:
        return _encode_pipeline(step, members, left_out)
    if type(step) in ESTIMATORS.values():
        return encode_estimator(step, members, left_out)
    if within_pipeline and (step is None or step == "passthrough"):
        return {"passthrough": step}
    if within_pipeline and type(step).__module__.startswith("sklearn."):
        return _encode_with_skops(step, members)
    raise TypeError(
        f"save takes {', '.join(ESTIMATORS)} and Pipelines of them with scikit-learn steps. Got "
        f"{type(step).__name__}. Save its parts, such as search.best_estimator_, or use pickle for "
        "files that only you can write."
    )


def decode_step(content, archive, notes):
    if "pipeline" in content:
        return _decode_pipeline(content, archive, notes)
    if "estimator" in content:
        return decode_estimator(content, archive, notes)
    if "skops" in content:
        return _decode_with_skops(archive.read_bytes(content["skops"]))
    if content["passthrough"] not in (None, "passthrough"):
        raise ValueError("it names a step that is not an estimator")
    return content["passthrough"]


def _encode_pipeline(pipeline, members, left_out):
    if pipeline.memory is not None:
        left_out.append("Pipeline.memory")
    return {
        "pipeline": [
            [name, encode_step(step, members, left_out, within_pipeline=True)]
            for name, step in pipeline.steps
        ],
        "transform_input": pipeline.transform_input,
        "verbose": pipeline.verbose,
    }


def _decode_pipeline(content, archive, notes):
    steps = [(name, decode_step(step, archive, notes)) for name, step in content["pipeline"]]
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
        raise ValueError("a step is not an estimator")
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
