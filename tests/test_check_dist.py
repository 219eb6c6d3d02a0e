"""What a release is checked for before it is published."""

import io
import runpy
import tarfile
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".github" / "check_dist.py"
check_dist = runpy.run_path(str(SCRIPT))
IN_WHEEL = check_dist["IN_WHEEL"]


@pytest.fixture
def build(tmp_path):
    """Return a function that writes a wheel and a source archive, and returns their folder."""

    def build(in_wheel=IN_WHEEL, in_sdist=check_dist["IN_SDIST"]):
        with zipfile.ZipFile(tmp_path / "skcifar-1.2.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("skcifar-1.2.0.dist-info/METADATA", "Name: skcifar\nVersion: 1.2.0\n")
            for name in in_wheel:
                wheel.writestr(name, "")
        with tarfile.open(tmp_path / "skcifar-1.2.0.tar.gz", "w:gz") as sdist:
            for name in in_sdist:
                sdist.addfile(tarfile.TarInfo(f"skcifar-1.2.0/{name}"), io.BytesIO())
        return tmp_path

    return build


def test_a_complete_release_passes(build):
    assert not check_dist["main"](build(), "v1.2.0")


def test_a_tag_of_another_version_is_told(build, capsys):
    assert check_dist["main"](build(), "v1.3.0")
    assert "the tag is v1.3.0, the version 1.2.0" in capsys.readouterr().out


def test_missing_weights_and_types_are_told(build, capsys):
    assert check_dist["main"](build(in_wheel=["skcifar/__init__.py"]))
    said = capsys.readouterr().out
    assert "lacks skcifar/_weights/cifar10_96px.npz" in said
    assert "lacks skcifar/py.typed" in said


def test_tests_in_the_wheel_are_told(build, capsys):
    assert check_dist["main"](build(in_wheel=[*IN_WHEEL, "tests/test_docs.py"]))
    assert "holds more than the package" in capsys.readouterr().out
