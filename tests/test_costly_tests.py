"""The list of what `make test-quick` leaves out names what is there."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
LINES = (TESTS / "costly-tests.txt").read_text().splitlines()
COSTLY = [line for line in LINES if not line.startswith("#")]


def exists(line):
    file, _, test = line.partition("::")
    tree = ast.parse((TESTS / file).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return test.partition("[")[0] in {"", *names}


def test_every_test_that_is_listed_exists():
    assert [line for line in COSTLY if not exists(line)] == []


def test_the_list_is_in_order():
    assert sorted(set(COSTLY)) == COSTLY
