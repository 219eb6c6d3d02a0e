import hashlib
import os
import pickle
import stat
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skcifar.datasets import _cifar10, fetch_cifar10

FILES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
FOLDER, ARCHIVE = "cifar-10-batches-py", "cifar-10-python.tar.gz"


def rows_and_labels(name, m=4):
    rng = np.random.default_rng(FILES.index(name))
    return rng.integers(256, size=(m, 3072), dtype=np.uint8), rng.integers(10, size=m).tolist()


def python2_batch(rows, labels, module="numpy.core.multiarray"):
    """Write a batch as Python 2 did: protocol 2, byte strings, NumPy's old module names."""
    text = lambda value: b"U" + bytes([len(value)]) + value  # noqa: E731
    pixels = b"T" + struct.pack("<I", rows.nbytes) + rows.tobytes()
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = f"c{module}\n_reconstruct\ncnumpy\nndarray\n".encode() + b"K\x00\x85" + text(b"b")
    shape = b"".join(b"J" + struct.pack("<i", side) for side in rows.shape) + b"\x86"
    array += b"\x87R(K\x01" + shape + dtype + b"\x89" + pixels + b"tb"
    labels = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + labels + b"u."


@pytest.fixture
def home(tmp_path):
    """A data home with a small CIFAR-10 in a folder."""
    (tmp_path / FOLDER).mkdir()
    for name in FILES:
        (tmp_path / FOLDER / name).write_bytes(python2_batch(*rows_and_labels(name)))
    return tmp_path


@pytest.fixture
def archived_home(home, monkeypatch):
    """The same as an archive, taken for the published one."""
    with tarfile.open(home / ARCHIVE, "w:gz") as archive:
        for name in reversed(FILES):
            archive.add(home / FOLDER / name, f"{FOLDER}/{name}")
            (home / FOLDER / name).unlink()
    (home / FOLDER).rmdir()
    content = (home / ARCHIVE).read_bytes()
    monkeypatch.setattr(_cifar10, "_SHA256", hashlib.sha256(content).hexdigest())
    return home


def assert_images_are(images, target, names):
    """Compare with the definition: 1,024 red, then green, then blue values, row by row."""
    rows, labels = zip(*map(rows_and_labels, names), strict=True)
    planes = np.concatenate(rows).reshape(-1, 3, 32, 32)
    for channel in range(3):
        np.testing.assert_array_equal(images[..., channel], planes[:, channel])
    assert target.tolist() == np.concatenate(labels).tolist()


@pytest.mark.parametrize(
    ("subset", "names"), [("train", FILES[:5]), ("test", FILES[5:]), ("all", FILES)]
)
def test_subsets_of_a_folder(home, subset, names):
    images, target = fetch_cifar10(subset=subset, data_home=home, return_X_y=True)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    assert_images_are(images, target, names)


@pytest.mark.parametrize(
    ("subset", "names"), [("train", FILES[:5]), ("test", FILES[5:]), ("all", FILES)]
)
def test_subsets_of_an_archive(archived_home, subset, names):
    images, target = fetch_cifar10(subset=subset, data_home=archived_home, return_X_y=True)
    assert_images_are(images, target, names)
    assert os.listdir(archived_home) == [ARCHIVE]


def test_bunch_has_all_fields(home):
    cifar10 = fetch_cifar10(data_home=home)
    assert cifar10.images.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(cifar10.data, cifar10.images.reshape(20, -1))
    assert cifar10.target_names[3] == "cat"
    assert len(cifar10.target_names) == 10
    assert "Krizhevsky" in cifar10.DESCR


def test_data_home_is_that_of_scikit_learn(home, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(home))
    assert len(fetch_cifar10(subset="test").target) == 4


def test_other_subsets_are_an_error(home):
    with pytest.raises(ValueError, match="subset must be 'train', 'test' or 'all'; got 'val'"):
        fetch_cifar10(subset="val", data_home=home)


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_old_and_new_module_names_are_read(home, module):
    content = python2_batch(*rows_and_labels("test_batch"), module=module)
    (home / FOLDER / "test_batch").write_bytes(content)
    images, target = fetch_cifar10(subset="test", data_home=home, return_X_y=True)
    assert_images_are(images, target, ["test_batch"])


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("labels_as", [list, np.array, lambda labels: list(np.array(labels))])
def test_batches_written_by_this_python_are_read(home, protocol, labels_as):
    rows, labels = rows_and_labels("test_batch")
    content = pickle.dumps({"data": rows, "labels": labels_as(labels)}, protocol=protocol)
    (home / FOLDER / "test_batch").write_bytes(content)
    images, target = fetch_cifar10(subset="test", data_home=home, return_X_y=True)
    assert_images_are(images, target, ["test_batch"])


# What can be wrong with the data home.


def assert_damaged(home, *parts, subset="test"):
    before = sorted(home.rglob("*"))
    with pytest.raises(OSError, match="is not a file of CIFAR-10") as caught:
        fetch_cifar10(subset=subset, data_home=home)
    for part in (*parts, "Remove ", "data_home=", "load_digits_rgb()"):
        assert part in str(caught.value)
    assert sorted(home.rglob("*")) == before


def test_missing_batch_is_named(home):
    (home / FOLDER / "data_batch_3").unlink()
    path = str(home / FOLDER / "data_batch_3")
    assert_damaged(home, path, "the file is missing", subset="train")
    assert len(fetch_cifar10(subset="test", data_home=home).target) == 4


def test_folder_in_place_of_a_batch_is_named(home):
    (home / FOLDER / "test_batch").unlink()
    (home / FOLDER / "test_batch").mkdir()
    assert_damaged(home, str(home / FOLDER / "test_batch"), "the file is missing")


def test_truncated_batch_is_named(home):
    path = home / FOLDER / "test_batch"
    path.write_bytes(path.read_bytes()[:-3000])
    assert_damaged(home, str(path), "it does not hold a batch")


ROWS, LABELS = rows_and_labels("test_batch")


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ([ROWS, LABELS], "it does not hold a batch (TypeError"),
        ({"data": ROWS}, "it does not hold a batch (KeyError('labels'))"),
        ({"data": ROWS, "labels": [[1], [1, 2]]}, "it does not hold a batch (ValueError"),
        ({"data": ROWS.tolist(), "labels": LABELS}, "its data are int64 of shape (4, 3072)"),
        ({"data": ROWS.astype(float), "labels": LABELS}, "its data are float64"),
        ({"data": ROWS[:, :3000], "labels": LABELS}, "shape (4, 3000), not uint8"),
        ({"data": np.zeros((0, 3072)), "labels": []}, "its data are float64 of shape (0, 3072)"),
        ({"data": ROWS, "labels": LABELS[:3]}, "its labels are int64 of shape (3,), not 4 ints"),
        ({"data": ROWS, "labels": list("abcd")}, "its labels are <U1 of shape (4,), not 4 ints"),
        ({"data": ROWS, "labels": [0, 1, 2, 10]}, "its labels are 0 to 10, not 0 to 9"),
        ({"data": ROWS, "labels": [0, 1, 2, -1]}, "its labels are -1 to 2, not 0 to 9"),
    ],
)
def test_batch_of_another_structure_says_what_was_found(home, batch, found):
    path = home / FOLDER / "test_batch"
    path.write_bytes(pickle.dumps(batch, protocol=4))
    assert_damaged(home, str(path), found)


def test_truncated_archive_is_named(archived_home):
    path = archived_home / ARCHIVE
    path.write_bytes(path.read_bytes()[:-100])
    assert_damaged(archived_home, f"its {path.stat().st_size:,} bytes have SHA-256")


def test_archive_with_another_checksum_is_not_opened(archived_home, monkeypatch):
    monkeypatch.setattr(_cifar10, "_SHA256", "0" * 64)
    monkeypatch.setattr(tarfile, "open", lambda *args, **kwargs: pytest.fail("opened"))
    assert_damaged(archived_home, f"Remove {archived_home / ARCHIVE},", "0" * 64)


# Pickles that would run something.


class _Hostile:
    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, exec, eval, np.load, getattr])
def test_hostile_pickle_runs_nothing(home, tmp_path, function, protocol):
    victim = tmp_path / "victim"
    attack = _Hostile(function, f"open({str(victim)!r}, 'w')")
    batch = {"data": ROWS, "labels": LABELS, "filenames": attack}
    (home / FOLDER / "test_batch").write_bytes(pickle.dumps(batch, protocol=protocol))
    assert_damaged(home, "which is not an array")
    assert not victim.exists()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_are_an_oserror_or_read(home, position, damage):
    content = bytearray(python2_batch(*rows_and_labels("test_batch", m=1)))
    # Damage the structure at either end, rather than the pixels in between.
    begin = position if position < 200 else len(content) - (position - 200) - len(damage)
    content[begin : begin + len(damage)] = damage
    (home / FOLDER / "test_batch").write_bytes(content)
    try:
        images, _ = fetch_cifar10(subset="test", data_home=home, return_X_y=True)
        assert images.shape[1:] == (32, 32, 3)
    except OSError as error:
        if "is not a file of CIFAR-10" not in str(error):
            raise


# Downloads and permissions.


def test_nothing_there_and_no_download_says_where_it_looked(tmp_path):
    with pytest.raises(OSError, match="download_if_missing is False") as caught:
        fetch_cifar10(data_home=tmp_path, download_if_missing=False)
    for part in (str(tmp_path), FOLDER, ARCHIVE, "data_home=", "load_digits_rgb()"):
        assert part in str(caught.value)


def test_what_is_missing_is_downloaded_with_its_checksum(archived_home, tmp_path, monkeypatch):
    content = (archived_home / ARCHIVE).read_bytes()
    calls = []

    def download(url, path, *, sha256, advice):
        calls.append((url, sha256))
        Path(path).write_bytes(content)

    monkeypatch.setattr(_cifar10, "download", download)
    for _ in range(2):
        assert len(fetch_cifar10(data_home=tmp_path / "other").target) == 20
    assert calls == [(_cifar10._URL, _cifar10._SHA256)]
    assert _cifar10._URL.startswith("https://")


def test_published_checksum():
    published = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    assert published == _cifar10._SHA256


def test_without_a_network_the_error_says_what_else_would_do(tmp_path, monkeypatch):
    monkeypatch.setattr(_cifar10, "_URL", "https://127.0.0.1:1/cifar-10-python.tar.gz")
    monkeypatch.setattr("skcifar._system.downloads._PAUSE", 0)
    with pytest.raises(OSError, match=r"there is no connection to 127\.0\.0\.1") as caught:
        fetch_cifar10(data_home=tmp_path)
    for part in (ARCHIVE, str(tmp_path), "by hand", "data_home=", "load_digits_rgb()"):
        assert part in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_data_home_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("a regular file")
    with pytest.raises(OSError, match=r"The data home cannot be used: .*data_home=.*load_digits"):
        fetch_cifar10(data_home=tmp_path / "file" / "data")


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs Unix users")
@pytest.mark.parametrize("locked", [".", FOLDER, f"{FOLDER}/test_batch"])
def test_no_permission_is_one_clear_error(home, locked):
    open_to_all(home)
    (home / locked).chmod(0)
    try:
        found = fetch_without_privileges(home)
    finally:
        (home / locked).chmod(0o755)
    assert "OSError: The data home cannot be used: [Errno 13] Permission denied" in found
    assert "Give yourself permission" in found


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs Unix users")
def test_data_home_that_is_read_only_serves_what_it_has(archived_home):
    open_to_all(archived_home)
    (archived_home / ARCHIVE).chmod(0o444)
    archived_home.chmod(0o555)
    try:
        assert fetch_without_privileges(archived_home, _cifar10._SHA256) == "fetched 4\n"
    finally:
        archived_home.chmod(0o755)


_CHILD = """
import os, sys
from skcifar.datasets import _cifar10
if os.getuid() == 0:
    os.setuid(65534)
_cifar10._SHA256 = sys.argv[2]
try:
    target = _cifar10.fetch_cifar10(subset="test", data_home=sys.argv[1]).target
    print("fetched", len(target))
except OSError as error:
    print(f"{type(error).__name__}: {error}")
"""


def open_to_all(home):
    for folder in (home, *home.parents):
        if stat.S_IMODE(folder.stat().st_mode) == 0o700:  # pytest makes them for one user only
            folder.chmod(0o755)


def fetch_without_privileges(home, sha256=""):
    """Fetch in a child process, which becomes a user without privileges if it starts as root."""
    command = [sys.executable, "-c", _CHILD, str(home), sha256]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.realdata
def test_real_images_have_the_known_channel_means():
    try:
        images, target = fetch_cifar10(download_if_missing=False, return_X_y=True)
    except OSError:
        pytest.skip("CIFAR-10 is not in SCIKIT_LEARN_DATA")
    assert images.shape == (50_000, 32, 32, 3)
    assert np.bincount(target).tolist() == [5000] * 10
    means = images.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-4)
