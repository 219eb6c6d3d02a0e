"""The lowest versions that are tested are the lowest that are allowed."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What a user installs. The tools of "test" and "docs" may be as new as they like.
EXTRAS = ("openvino", "onnx", "litert", "dask")


def lowest_allowed():
    """Return the lower bound of each dependency by name."""
    optional = PROJECT["optional-dependencies"]
    requirements = [*PROJECT["dependencies"], *(line for name in EXTRAS for line in optional[name])]
    bounds = {}
    for requirement in map(Requirement, requirements):
        (bound,) = (part for part in requirement.specifier if part.operator == ">=")
        bounds[requirement.name] = Version(bound.version)
    return bounds


def constraints():
    lines = (ROOT / "tests" / "lowest-versions.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {name: Version(version) for name, version in pairs}


def test_lowest_versions_are_those_of_pyproject():
    assert constraints() == lowest_allowed()


def test_every_extra_for_users_is_tested_at_its_lowest():
    assert {*EXTRAS, "all", "docs", "test"} == set(PROJECT["optional-dependencies"])


def test_ci_runs_the_lowest_and_the_newest_versions():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert {"test", "test-lowest"} <= set(re.findall(r"run: make ([\w-]+)", workflow))
    assert "make test-lowest" in (ROOT / ".ci" / "run").read_text()


def test_files_that_are_run_with_the_lowest_versions_exist():
    (listed,) = re.findall(r"^LOWEST_TESTS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert all((ROOT / "tests" / f"test_{name}.py").is_file() for name in listed.split())
