"""An installed skcifar is found from wherever a script lies."""

import subprocess
import sys


def test_a_script_beside_a_clone_called_skcifar_imports_the_package(tmp_path):
    (tmp_path / "skcifar").mkdir()  # what a clone looks like from its parent folder
    script = tmp_path / "try.py"
    script.write_text("from skcifar import MobileNetV2Classifier; print('found')")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    assert done.stdout == "found\n", done.stderr
