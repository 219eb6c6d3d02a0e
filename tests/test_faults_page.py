"""Every test that the table of faults names exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "tested_faults.rst"


def named_tests():
    return re.findall(r"``([\w/]+\.py)::(\w+)``", PAGE.read_text())


def functions(file):
    tree = ast.parse((TESTS / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists():
    assert [(file, name) for file, name in named_tests() if name not in functions(file)] == []


def test_every_fault_that_is_caused_is_on_the_page():
    named = {name for file, name in named_tests() if file == "test_faults.py"}
    assert named == {name for name in functions("test_faults.py") if name.startswith("test_")}
