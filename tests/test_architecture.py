"""The layers of the package: imports point down, and heavy libraries are imported late."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skcifar

PACKAGE = Path(skcifar.__file__).parent
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# From the top: a room may import from rows below its own, and from its own row.
LAYERS = (
    ("__init__",),
    ("_persistence", "_export", "model_selection"),
    ("_classifier",),
    ("_base_classifier", "_features", "_normalizer"),
    ("_training", "_backbone"),
    ("_extraction", "_weights", "datasets"),
    ("_keras", "plotting"),
    ("_model", "metrics"),
    ("_validation", "_images", "_system", "_dask", "_sklearn_callbacks"),
    ("_version", "recipes"),
)
LEVEL = {room: level for level, row in enumerate(LAYERS) for room in row}
LIGHT = ("tensorflow", "keras", "scikeras", "openvino", "matplotlib", "seaborn", "pooch", "PIL")

# All else takes its facts from the network that it is given.
NAME_THE_NETWORK = (
    "_model/mobilenet_v2.py",
    "_weights/*.py",
    "_persistence/estimators.py",
    "_classifier.py",
    "_features.py",
    "_persistence/pretrained.py",
    "__init__.py",
)
MOST_LINES = 330
MOST_LINES_OF = {"_classifier.py": 400}  # the parameters and their documentation
MOST_PARAMETERS = 8
PUBLIC_SIGNATURES = {
    "load_image_folder",
    "MobileNetV2Classifier.__init__",
    "MobileNetV2Features.__init__",
}


def tree(path):
    return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))


def room(path):
    return path.parts[0].removesuffix(".py")


def imports_within_package(path):
    """Yield the top-level modules of the package that the file imports, anywhere in it."""
    depth = len(path.parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            yield from names


def imported_libraries(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def run_at_import(node):
    """Yield the nodes below `node` that are run when its file is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from run_at_import(child)


def identifiers(path):
    """Yield every name in the code of a file; texts are none."""
    for node in ast.walk(tree(path)):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            if isinstance(name := getattr(node, field, None), str):
                yield name


def functions(node, prefix=""):
    """Yield (qualified name, function) of all functions below `node`."""
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}{getattr(child, 'name', '')}"
        if isinstance(child, ast.FunctionDef):
            yield name, child
        nested = isinstance(child, ast.FunctionDef | ast.ClassDef)
        yield from functions(child, f"{name}." if nested else prefix)


def n_parameters(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len(named) + (arguments.vararg is not None) + (arguments.kwarg is not None)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_down(path):
    above = [name for name in imports_within_package(path) if LEVEL[name] < LEVEL[room(path)]]
    assert above == []


def test_rooms_import_one_another_in_no_circle():
    imported = {room(path): set() for path in FILES}
    for path in FILES:
        imported[room(path)] |= {*imports_within_package(path)} - {room(path)}
    graphlib.TopologicalSorter(imported).prepare()  # raises CycleError


def test_imports_within_the_package_are_relative():
    libraries = {str(path): set(imported_libraries(ast.walk(tree(path)))) for path in FILES}
    assert [path for path, names in libraries.items() if "skcifar" in names] == []


def test_the_package_has_at_most_25_rooms():
    rooms = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert len(rooms) <= 25


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_are_short(path):
    n_lines = len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
    assert n_lines <= MOST_LINES_OF.get(str(path), MOST_LINES)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_functions_have_few_parameters(path):
    many = {
        name for name, function in functions(tree(path)) if n_parameters(function) > MOST_PARAMETERS
    }
    assert many <= PUBLIC_SIGNATURES


def test_init_of_a_private_room_is_a_docstring():
    inits = [path for path in FILES if path.match("_*/__init__.py")]
    assert [path.parts[0] for path in inits if len(tree(path).body) > 1] == []
    assert all(ast.get_docstring(tree(path)) for path in inits)


def test_few_files_name_mobilenet_v2():
    """Another network is a file beside it, and a thin estimator."""
    others = [path for path in FILES if not any(map(path.match, NAME_THE_NETWORK))]
    named = {
        str(path): re.findall(r"(?i)\w*mobile_?net\w*", " ".join(identifiers(path)))
        for path in others
    }
    assert {path: names for path, names in named.items() if names} == {}


def test_one_room_imports_keras_at_the_top_of_files():
    heavy = {"keras", "tensorflow", "scikeras"}
    found = {
        room(path) for path in FILES if heavy & {*imported_libraries(run_at_import(tree(path)))}
    }
    assert found == {"_keras"}


def test_one_file_imports_scikeras():
    found = [path for path in FILES if "scikeras" in imported_libraries(ast.walk(tree(path)))]
    assert [str(path) for path in found] == ["_keras/scikeras_head.py"]


def test_importing_the_package_imports_no_heavy_library():
    code = f"import sys, skcifar; print([name for name in {LIGHT} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert printed.strip() == "[]"


def test_cloning_and_printing_import_no_heavy_library():
    code = (
        "import sys, sklearn.base, skcifar; "
        "repr(sklearn.base.clone(skcifar.MobileNetV2Classifier(epochs=3))); "
        f"print([name for name in {LIGHT} if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert printed.strip() == "[]"
