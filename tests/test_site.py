"""What the site is made of: drawings, the order of the gallery, the libraries of its examples."""

import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = sorted((ROOT / "examples").rglob("plot_*.py"))


@pytest.fixture(scope="module")
def speed():
    return runpy.run_path(str(DOCS / "images" / "draw_speed.py"))


def test_speed_chart_is_what_its_script_draws(speed):
    assert (DOCS / "images" / "speed.svg").read_text() == speed["draw"]()


def test_speed_chart_shows_figures_that_are_published(speed):
    """With machine, versions and command, in the README or in the guide."""
    pages = [ROOT / "README.md", *(DOCS / "user_guide").glob("*.rst")]
    published = {
        figure for page in pages for figure in re.findall(r"\b\d+(?:\.\d+)?\b", page.read_text())
    }
    assert {f"{ratio:g}" for _, _, ratio in speed["MEASURED"]} <= published


def test_chart_of_recipes_is_that_of_the_table_in_the_guide():
    script = runpy.run_path(str(DOCS / "images" / "draw_recipes.py"))
    page = (DOCS / "user_guide" / "accuracy.rst").read_text()
    assert len(script["recipes"](page)) > 3
    assert (DOCS / "images" / "recipes.svg").read_text() == script["draw"](page)


def test_every_example_has_its_place_in_the_gallery():
    order = runpy.run_path(str(DOCS / "gallery_order.py"))
    assert sorted(order["_EXAMPLES"]) == sorted(path.stem for path in EXAMPLES)
    assert {path.parent.name for path in EXAMPLES} == set(order["_SECTIONS"])


def test_libraries_of_examples_are_installed_for_the_site():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = {re.split(r"[><=[]", line)[0] for line in project["optional-dependencies"]["docs"]}
    text = "\n".join(path.read_text() for path in (ROOT / "examples" / "works_with").glob("*.py"))
    imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    of_skcifar = {"matplotlib", "numpy", "sklearn", "PIL"}
    assert imported - of_skcifar - sys.stdlib_module_names <= installed
