import inspect
import re
from fractions import Fraction

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc
from sklearn.base import BaseEstimator

from skcifar import (
    ImageNormalizer,
    MobileNetV2Classifier,
    MobileNetV2Features,
    _base_classifier,
    _features,
    _normalizer,
)
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._validation.parameters import (
    check_parameters,
    instance,
    integer,
    option,
    real,
    satisfying,
    tuple_of,
)

ESTIMATORS = [MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer]


class Estimator(BaseEstimator):
    def __init__(self, value=0):
        self.value = value


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (integer(1), [1, 7, np.int64(3), np.uint8(1)], [0, 1.0, True, "1", None]),
        (integer(0, 4), [0, 4], [-1, 5]),
        (
            real(0, 1),
            [0, 0.5, Fraction(1, 3), np.float32(0.1)],
            [1, -0.1, np.nan, True, "0.5", None],
        ),
        (real(0, low_open=True), [1e-9, 10**9], [0, np.inf, 1j]),
        (option("a", None), ["a", None, np.str_("a")], ["b", "", 0]),
        (option(False, True), [False, True, np.True_, np.False_], [0, 1, None, "yes"]),
        (option(None) | integer(1), [None, 2], [0, "2"]),
        (tuple_of(integer(1)), [(), (1, 2), [3]], [(0,), 3, "12", None]),
        (instance("a dict", dict), [{}], [[], None]),
        (satisfying("even", lambda value: value % 2 == 0), [2], [3]),
    ],
    ids=lambda value: getattr(value, "words", ""),
)
def test_constraints_tell_good_values_from_bad(constraint, good, bad):
    for value in good:
        check_parameters(Estimator(value), {"value": constraint})
    for value in bad:
        with pytest.raises(ValueError, match=re.escape(f"Got {value!r} instead.")):
            check_parameters(Estimator(value), {"value": constraint})


def test_error_names_parameter_estimator_what_is_allowed_and_what_was_given():
    message = (
        "The 'value' parameter of Estimator must be None or an int of at least 1. Got 0 instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_parameters(Estimator(0), {"value": option(None) | integer(1)})


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (integer(1), "an int of at least 1"),
        (integer(0, 17), "an int from 0 to 17"),
        (real(0, 1), "a number in [0, 1)"),
        (real(0, low_open=True), "a number in (0, inf)"),
        (option("a", None, True), "'a' or None or True"),
        (tuple_of(integer(1)), "a tuple, each element an int of at least 1"),
    ],
)
def test_words_say_what_is_allowed(constraint, words):
    assert constraint.words == words


def constraints(estimator):
    if estimator is ImageNormalizer:
        return _normalizer._CONSTRAINTS
    module = _base_classifier if estimator is MobileNetV2Classifier else _features
    return module._constraints(MobileNetV2)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_is_checked_in_the_order_of_the_constructor(estimator):
    names = [name for name in inspect.signature(estimator).parameters if name != "self"]
    if estimator is ImageNormalizer:
        assert set(constraints(estimator)) == set(names)
    else:
        assert list(constraints(estimator)) == names


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_docstring_lists_the_parameters_in_the_order_of_the_constructor(estimator):
    section = estimator.__doc__.split("Attributes\n")[0]
    documented = re.findall(r"^    (\w+) : ", section, flags=re.MULTILINE)
    assert documented == list(inspect.signature(estimator).parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_docstring_states_the_default_of_every_parameter(estimator):
    for name, parameter in inspect.signature(estimator).parameters.items():
        line = re.search(rf"^    {name} : (.*)$", estimator.__doc__, flags=re.MULTILINE)[1]
        default = str(parameter.default).replace("0.001", "1e-3").replace("0.0005", "5e-4")
        shown = f'"{default}"' if isinstance(parameter.default, str) else default
        assert line.endswith(f"default={shown}")


# What one estimator leaves out of the description of a parameter, because it is not true of it.
LEFT_OUT = {
    (ImageNormalizer, "pixel_range"): ", mapped to what the network was trained on",
    (ImageNormalizer, "image_shape"): " For files, the size at which they are read.",
    (MobileNetV2Features, "precision"): (
        " Training computes only matrix products in it, those of the head's hidden layers (if "
        "TensorFlow has it here) and, in fine-tuning, of 1 x 1 convolutions; everything else stays "
        "in float32."
    ),
}


def described(estimator):
    """Return the type and the description of each parameter in the docstring."""
    parameters = ClassDoc(estimator)["Parameters"]
    return {name: (type_, " ".join(lines)) for name, type_, lines in parameters}


@pytest.mark.parametrize("estimator", [MobileNetV2Features, ImageNormalizer])
def test_shared_parameters_are_described_alike(estimator):
    texts, own = described(MobileNetV2Classifier), described(estimator)
    for name in sorted(texts.keys() & own.keys()):
        left_out = LEFT_OUT.get((estimator, name), "")
        assert own[name] == (texts[name][0], texts[name][1].replace(left_out, ""))


@pytest.mark.parametrize("estimator", [MobileNetV2Classifier, MobileNetV2Features])
def test_parameters_are_keywords_only(estimator):
    kinds = {p.kind for p in inspect.signature(estimator).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_defaults_are_within_range(estimator):
    check_parameters(estimator(), constraints(estimator))
