"""Each script of the gallery runs without a network, CIFAR-10 and ImageNet's weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", sorted(EXAMPLES.rglob("plot_*.py")), ids=lambda script: script.stem
)
def test_runs_on_what_needs_no_download(script, tmp_path):
    nothing = {"SCIKIT_LEARN_DATA": "data", "KERAS_HOME": "keras"}
    environment = {
        **os.environ,
        **{name: str(tmp_path / folder) for name, folder in nothing.items()},
        "SKCIFAR_OFFLINE": "1",
        "MPLBACKEND": "agg",
    }
    run = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    # These drive other libraries, which the docs extra installs and the test extra does not.
    if script.parent.name == "works_with" and "ModuleNotFoundError" in run.stderr:
        pytest.skip(run.stderr.splitlines()[-1])
    assert run.returncode == 0, run.stderr[-3000:]
