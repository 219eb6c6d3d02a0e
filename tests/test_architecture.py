"""The layers of the package: imports point down, and heavy libraries are imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skcifar

PACKAGE = Path(skcifar.__file__).parent

# From the top: a room may import from rows below its own, and from its own row.
LAYERS = (
    ("__init__",),
    ("_persistence", "_export", "_pretrained", "model_selection"),
    ("_classifier",),
    ("_base_classifier", "_features", "_normalizer"),
    ("_training", "_backbone"),
    ("_extraction", "_weights", "datasets"),
    ("_keras", "plotting"),
    ("_model", "metrics"),
    ("_validation", "_images", "_system", "_dask", "_sklearn_callbacks"),
    ("_version",),
)
LEVEL = {room: level for level, row in enumerate(LAYERS) for room in row}
LIGHT = ("tensorflow", "keras", "scikeras", "openvino", "matplotlib", "seaborn", "pooch", "PIL")


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE)


def imports_within_package(path):
    """Yield the top-level modules of the package that the file imports, anywhere in it."""
    depth = len(path.parts)
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            yield from names


def imported_libraries(path):
    for node in ast.walk(ast.parse((PACKAGE / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", list(modules()), ids=str)
def test_imports_point_down(path):
    own = path.parts[0].removesuffix(".py")
    above = [name for name in imports_within_package(path) if LEVEL[name] < LEVEL[own]]
    assert above == []


def test_one_file_imports_scikeras():
    assert [str(path) for path in modules() if "scikeras" in imported_libraries(path)] == [
        "_keras/scikeras_head.py"
    ]


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
