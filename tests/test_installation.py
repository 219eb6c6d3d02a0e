"""An installed skcifar is found from wherever a script lies."""

import subprocess
import sys
import tomllib
from pathlib import Path

from skcifar import __version__


def test_a_script_beside_a_clone_called_skcifar_imports_the_package(tmp_path):
    (tmp_path / "skcifar").mkdir()  # what a clone looks like from its parent folder
    script = tmp_path / "try.py"
    script.write_text("from skcifar import MobileNetV2Classifier; print('found')")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert done.stdout == "found\n", done.stderr


def test_the_citation_names_the_version():
    citation = (Path(__file__).parent.parent / "CITATION.cff").read_text()
    assert f"\nversion: {__version__}\n" in citation


def test_all_extras_bring_what_runs_an_exported_model():
    pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    extras = pyproject["project"]["optional-dependencies"]
    assert "onnx" in extras["all"][0]
    assert any(requirement.startswith("onnxruntime") for requirement in extras["onnx"])
