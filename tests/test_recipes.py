"""Recipes are parameters that the classifier takes, and their figures stand once."""

import re
from pathlib import Path

import pytest
from sklearn.base import clone

from skcifar import MobileNetV2Classifier, recipes
from skcifar.datasets import make_images

NAMES = ("FAST", "BALANCED", "ACCURATE")
GUIDE = Path(__file__).parents[1] / "docs" / "user_guide" / "accuracy.rst"


@pytest.mark.parametrize("name", NAMES)
def test_recipe_is_accepted_and_found_in_the_clone(name):
    recipe = getattr(recipes, name)
    found = clone(MobileNetV2Classifier(**recipe, random_state=0)).get_params()
    assert {parameter: found[parameter] for parameter in recipe} == recipe


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_recipe_fits(name):
    """At a size and for so few epochs that a test takes."""
    X, y = make_images(n_samples=30, random_state=0)
    small = {"weights": None, "input_size": 32, "epochs": 1, "fine_tune_epochs": 1}
    recipe = {**getattr(recipes, name), **small}
    classifier = MobileNetV2Classifier(**recipe, random_state=0).fit(X, y)
    assert classifier.fine_tune_start_ == 1
    assert classifier.predict(X).shape == y.shape


def test_figures_are_those_of_the_guide():
    """Of the column with the views that the recipe predicts from."""
    page = GUIDE.read_text(encoding="utf-8")
    figures = re.findall(r"``(\w+)``: (\S+) minutes, (0\.\d+)", recipes.__doc__)
    assert {"FAST", "BALANCED"} <= {name for name, *_ in figures}
    for name, minutes, accuracy in figures:
        views = getattr(recipes, name)["test_time_augmentation"]
        column = [False, True, "flip_translate"].index(views)
        row = rf"\* - ``recipes\.{name}``\n     - {re.escape(minutes)}\n" + column * r".*\n"
        assert re.search(rf"{row}     - {accuracy}\n", page), name
