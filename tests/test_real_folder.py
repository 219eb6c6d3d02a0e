"""A folder as people have it, read in one call."""

import os

import numpy as np
import pytest
from picture_folder import HEIC, READABLE, TRUNCATED, write_real_folder

from skcifar import load_image
from skcifar.datasets import load_image_folder


@pytest.fixture(scope="module")
def real_folder(tmp_path_factory):
    """The folder, what cannot be used in it, and what is ignored."""
    folder = tmp_path_factory.mktemp("real") / "pets"
    folder.mkdir()
    return folder, *write_real_folder(folder)


@pytest.mark.parametrize("as_files", [False, True])
def test_one_error_names_all_that_cannot_be_used(real_folder, as_files):
    folder, unusable, _ = real_folder
    expected = set(unusable) - (set(TRUNCATED) if as_files else set())
    with pytest.raises(ValueError, match="cannot be used, ") as caught:
        load_image_folder(folder, as_files=as_files)
    lines = str(caught.value).splitlines()
    named = [line.removeprefix(f"    {folder}/") for line in lines if line.startswith("    ")]
    assert sorted(named) == sorted(expected)


def test_error_groups_by_reason_and_advises(real_folder):
    folder, *_ = real_folder
    with pytest.raises(ValueError, match="cannot be used, ") as caught:
        load_image_folder(folder)
    message = str(caught.value)
    assert message.index("2: it is a HEIC picture") < message.index("1: the file is empty")
    for advice in ("pip install pillow-heif", "Most Compatible", "Copy or download it again"):
        assert advice in message


def test_one_call_reads_the_rest_and_lists_what_was_left_out(real_folder):
    folder, unusable, ignored = real_folder
    data = load_image_folder(folder, image_size=(40, 60), on_error="skip")
    names = [os.path.relpath(path, folder) for path in data.filenames]
    assert sorted(names) == sorted([*READABLE, "cat/linked.png"])
    skipped = [os.path.relpath(path, folder) for path, _ in data.skipped]
    assert skipped == [*ignored, *sorted(unusable)]
    assert data.target_names[data.target].tolist() == [name.split("/")[0] for name in names]


def test_every_picture_is_the_one_that_load_image_gives(real_folder):
    folder, *_ = real_folder
    data = load_image_folder(folder, on_error="skip")
    single = [load_image(path, image_size=96) for path in data.filenames]
    np.testing.assert_array_equal(data.images, single)


def test_heic_is_known_by_its_content(real_folder):
    folder, *_ = real_folder
    assert (folder / "cat" / "IMG_0002.jpg").read_bytes() == HEIC
    data = load_image_folder(folder, on_error="skip")
    reasons = {os.path.relpath(path, folder): reason for path, reason in data.skipped}
    assert "HEIC" in reasons["cat/IMG_0002.jpg"]
