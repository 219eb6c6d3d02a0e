"""What constructors say to names that users guess."""

import inspect
import pickle

import pytest
from sklearn.base import clone

from skcifar import ImageNormalizer, MobileNetV2Classifier, MobileNetV2Features
from skcifar._validation.parameter_names import _ELSEWHERE, _WORDS

ESTIMATORS = [MobileNetV2Classifier, MobileNetV2Features, ImageNormalizer]


@pytest.mark.parametrize(
    ("guess", "advice"),
    [
        ("lr", "Did you mean 'learning_rate'"),
        ("max_iter", "Did you mean 'epochs'"),
        ("epoch", "Did you mean 'epochs'"),
        ("fine_tune_epoch", "Did you mean 'fine_tune_epochs'"),
        (
            "n_jobs",
            "Each fit uses all cores; pass n_jobs to what runs several",
        ),
        ("zzz", "Parameters are: weights, alpha, input_size"),
    ],
)
def test_unknown_name_is_an_error_with_advice(guess, advice):
    with pytest.raises(TypeError, match="got an unexpected keyword argument") as caught:
        MobileNetV2Classifier(**{guess: 1})
    assert f"'{guess}'. {advice}" in str(caught.value)


def test_advice_names_parameters_of_that_estimator():
    with pytest.raises(TypeError, match=r"'lr'\. Parameters are: weights, .*verbose"):
        MobileNetV2Features(lr=0.1)
    with pytest.raises(TypeError, match=r"'input_shape'. Did you mean 'image_shape'\?"):
        ImageNormalizer(input_shape=(8, 8, 1))


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: MobileNetV2Classifier(0.001), "write learning_rate=0.001, if that is meant"),
        (lambda: MobileNetV2Classifier("cifar10"), "write weights='cifar10', if that is meant"),
        (lambda: MobileNetV2Features("cifar10"), "write weights='cifar10', if that is meant"),
    ],
)
def test_parameter_without_a_name_is_an_error_with_advice(call, advice):
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given") as caught:
        call()
    assert advice in str(caught.value)


def test_guesses_are_no_parameters_and_lead_to_one():
    names = {name for cls in ESTIMATORS for name in inspect.signature(cls).parameters}
    assert not names & (set(_ELSEWHERE) | set(_WORDS))
    assert set(_ELSEWHERE.values()) <= names


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_signature_is_as_it_is_written(cls):
    parameters = inspect.signature(cls).parameters.values()
    assert "VAR" not in str([parameter.kind for parameter in parameters])
    assert cls._get_param_names() == sorted(parameter.name for parameter in parameters)
    estimator = cls(image_shape=(8, 8, 1))
    for copy in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        assert copy.get_params() == estimator.get_params()
