import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from faulty_folders import full_disk, read_only_folder

from skcifar import MobileNetV2Features, clear_feature_cache
from skcifar._extraction import engines, feature_cache
from skcifar._extraction.digests import image_digests
from skcifar._extraction.feature_cache import DiskStore, MemoryStore, open_store

NETWORK = b"network"
LIKE = np.zeros((1, 1280), np.float32)


def rows(n, start=0):
    """Return (digests, features) of `n` images, telling them apart by their numbers."""
    numbers = np.arange(start, start + n)
    digests = [number.tobytes() * 2 for number in numbers]
    return digests, np.repeat(numbers[:, None], 1280, axis=1).astype(np.float32)


def missing(store, digests, expected, network=NETWORK):
    """Return the indices that are missing; the others must be as `expected`."""
    out = np.full_like(expected, np.nan)
    absent = store.read(network, digests, out)
    there = np.setdiff1d(np.arange(len(digests)), absent)
    np.testing.assert_array_equal(out[there], expected[there])
    return absent


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "cache")


def database_path(folder):
    return Path(folder) / feature_cache._DATABASE_NAME


# --- What is kept --------------------------------------------------------------------------


def test_what_was_written_is_read(store):
    digests, features = rows(1234)
    assert missing(store, digests, features) == list(range(1234))
    store.write(NETWORK, digests[:1000], features[:1000])
    assert missing(store, digests, features) == list(range(1000, 1234))


def test_rows_of_another_network_are_never_read(store):
    digests, features = rows(3)
    store.write(b"another network", digests, features)
    assert missing(store, digests, features) == [0, 1, 2]


def test_rows_are_copies(store):
    digests, features = rows(2)
    kept = features.copy()
    store.write(NETWORK, digests, features)
    features[:] = -1
    assert missing(store, digests, kept) == []


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, make_classifier, images):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    classifier = make_classifier(epochs=1, feature_cache="~/cache", checkpoint_dir="~/fits")
    classifier.fit(*images)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "fits"]
    assert feature_cache.holds_features("~/cache")
    clear_feature_cache("~/cache")
    assert not list((tmp_path / "cache").iterdir())


def test_another_process_reads_the_same_rows(tmp_path):
    digests, features = rows(5)
    DiskStore(tmp_path).write(NETWORK, digests, features)
    assert missing(DiskStore(tmp_path), digests, features) == []


def test_digests_tell_dtype_shape_and_bytes_apart():
    images = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    others = [images + 1, images.astype(np.int8), images.reshape(1, 2, 8, 3), images[:, ::-1]]
    digests = {image_digests(array)[0] for array in (images, *others)}
    assert len(digests) == 5
    assert image_digests(np.asfortranarray(images)) == image_digests(images)


def test_the_parameter_names_the_store(tmp_path, monkeypatch):
    assert open_store(None) is None
    assert isinstance(open_store("memory"), MemoryStore)
    assert open_store(tmp_path) is open_store(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert open_store(".") is open_store(tmp_path)


# --- Bounds --------------------------------------------------------------------------------


def test_memory_forgets_the_least_recently_used(monkeypatch):
    store = MemoryStore()
    digests, features = rows(10)
    monkeypatch.setenv("SKCIFAR_MEMORY_CACHE_BYTES", str(8 * features[0].nbytes))
    store.write(NETWORK, digests[:8], features[:8])
    missing(store, digests[:2], features[:2])  # uses rows 0 and 1
    store.write(NETWORK, digests[8:], features[8:])
    assert missing(store, digests, features) == [2, 3]


def test_the_disk_forgets_the_least_recently_used(tmp_path, monkeypatch):
    store = DiskStore(tmp_path)
    clock = iter(range(10**9, 2 * 10**9, 2 * feature_cache._USE_RESOLUTION))
    monkeypatch.setattr(feature_cache.time, "time", lambda: next(clock))
    limit = 4_000_000
    monkeypatch.setenv("SKCIFAR_DISK_CACHE_BYTES", str(limit))
    digests, features = rows(2000)
    for start in range(0, 2000, 100):
        part = slice(start, start + 100)
        store.write(NETWORK, digests[part], features[part])
        assert missing(store, digests[:100], features[:100]) == []  # used again and again
    absent = missing(store, digests, features)
    assert absent == list(range(100, 100 + len(absent)))
    kept_bytes = (2000 - len(absent)) * features[0].nbytes
    assert 0.7 * limit < kept_bytes <= limit
    # What a chunk takes for as long as it is written.
    assert database_path(tmp_path).stat().st_size < 1.5 * limit


@pytest.mark.parametrize("given", ["many", "inf", "nan", ""])
def test_a_bound_that_is_no_number_is_named(monkeypatch, given):
    monkeypatch.setenv("SKCIFAR_MEMORY_CACHE_BYTES", given)
    with pytest.raises(ValueError, match=f"SKCIFAR_MEMORY_CACHE_BYTES .* Got '{given}'"):
        _ = MemoryStore().limit


@pytest.mark.parametrize("variable", ["SKCIFAR_MEMORY_CACHE_BYTES", "SKCIFAR_DISK_CACHE_BYTES"])
def test_a_long_predict_pushes_nothing_out(make_features, images, tmp_path, monkeypatch, variable):
    clear_feature_cache()
    cache = "memory" if "MEMORY" in variable else tmp_path
    X, _ = images
    monkeypatch.setenv(variable, str(63 * LIKE.nbytes))
    features = make_features(feature_cache=cache).fit(X)
    features.transform(X[:30])
    features.transform(X)  # 64 rows, of which the store holds 63
    monkeypatch.setattr(engines, "run_network", None)
    features.transform(X[:30])
    clear_feature_cache()


def test_clearing_removes_what_skcifar_wrote_alone(tmp_path):
    digests, features = rows(3)
    store = DiskStore(tmp_path)
    store.write(NETWORK, digests, features)
    (tmp_path / "notes.txt").write_text("mine")
    clear_feature_cache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert missing(store, digests, features) == [0, 1, 2]
    clear_feature_cache(tmp_path / "not there")


# --- Faults --------------------------------------------------------------------------------


def assert_fit_goes_on(features, X, verb):
    """Assert that a transform is right although the cache fails, with one warning a fit."""
    expected = MobileNetV2Features(**{**features.get_params(), "feature_cache": None}).fit(X)
    with pytest.warns(UserWarning, match=f"could not be {verb}") as caught:
        found = [features.fit(X).transform(X), features.transform(X)]
    assert len(caught) == 1
    np.testing.assert_array_equal(found, [expected.transform(X)] * 2)


def test_a_full_disk_stops_no_fit(make_features, images):
    X, _ = images  # 64 rows of 5 kB
    with full_disk(200_000) as folder:
        features = make_features(feature_cache=folder)
        assert_fit_goes_on(features, X, "written")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            features.transform(X[:8])  # as much as fits is kept
        assert len(list(folder.iterdir())) == 1


def test_a_size_limit_stops_no_fit(make_features, images, tmp_path):
    make_features().fit(images[0]).transform(images[0])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        assert_fit_goes_on(make_features(feature_cache=tmp_path / "cache"), images[0], "written")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_read_only_folder_is_still_read(make_features, images, monkeypatch):
    X, _ = images
    expected = make_features(feature_cache=None).fit(X).transform(X)
    with read_only_folder() as (folder, protect):
        make_features(feature_cache=folder).fit(X).transform(X[:40])
        protect()
        ran = []
        run_network = engines.run_network

        def counting(frozen, images, *arguments):
            ran.append(len(images))
            return run_network(frozen, images, *arguments)

        monkeypatch.setattr(engines, "run_network", counting)
        with pytest.warns(UserWarning, match="could not be written") as caught:
            found = make_features(feature_cache=folder).fit(X).transform(X)
    assert len(caught) == 1
    assert ran == [24]
    np.testing.assert_array_equal(found, expected)


def test_a_folder_without_permission_stops_no_fit(make_features, images):
    with read_only_folder() as (folder, protect):
        (folder / "closed").mkdir()
        protect()
        assert_fit_goes_on(make_features(feature_cache=folder / "new"), images[0], "written")


def test_a_file_in_place_of_the_folder_stops_no_fit(make_features, images, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert_fit_goes_on(make_features(feature_cache=tmp_path / "file"), images[0], "written")


@pytest.mark.parametrize("content", [b"no database at all" * 1000, b"SQLite format 3\0" * 1000])
def test_a_damaged_file_stops_no_fit_and_can_be_cleared(make_features, images, tmp_path, content):
    database_path(tmp_path).write_bytes(content)
    features = make_features(feature_cache=tmp_path)
    assert_fit_goes_on(features, images[0], "read")
    clear_feature_cache(tmp_path)
    features.fit(images[0]).transform(images[0])


@pytest.mark.parametrize("n_bytes", [0, 1, 20_000])
def test_a_truncated_file_stops_no_fit(make_features, images, tmp_path, n_bytes):
    X, _ = images
    features = make_features(feature_cache=tmp_path).fit(X)
    expected = features.transform(X)
    database = database_path(tmp_path)
    database.write_bytes(database.read_bytes()[:n_bytes])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(features.fit(X).transform(X), expected)


@pytest.mark.parametrize(
    "damage",
    ["features = zeroblob(5120)", "features = NULL", "features = x'00'", "checksum = 'x'"],
)
def test_a_damaged_row_is_computed_again(tmp_path, damage):
    digests, features = rows(3)
    store = DiskStore(tmp_path)
    store.write(NETWORK, digests, features)
    with closing(sqlite3.connect(database_path(tmp_path))) as database, database:
        database.execute(f"UPDATE rows SET {damage} WHERE image = ?", (digests[1],))
    assert missing(store, digests, features) == [1]
    store.write(NETWORK, digests[1:2], features[1:2])
    assert missing(store, digests, features) == []


def test_every_flipped_byte_is_noticed(tmp_path):
    """What is read is what was written, whatever byte of the file is damaged."""
    digests, features = rows(40)
    DiskStore(tmp_path).write(NETWORK, digests, features)
    whole = database_path(tmp_path).read_bytes()
    for place in np.random.default_rng(0).integers(len(whole), size=300):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        database_path(tmp_path).write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            missing(DiskStore(tmp_path), digests, features)  # compares those that are there


def test_an_old_version_is_never_misread(tmp_path, monkeypatch):
    digests, features = rows(3)
    DiskStore(tmp_path).write(NETWORK, digests, features)
    monkeypatch.setattr(feature_cache, "_DATABASE_NAME", "skcifar-features-v2.sqlite3")
    newer = DiskStore(tmp_path)
    assert missing(newer, digests, features) == [0, 1, 2]
    newer.write(NETWORK, digests[:1], features[:1])
    assert len(list(tmp_path.iterdir())) == 2
    clear_feature_cache(tmp_path)
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
import numpy as np
from skcifar._extraction.feature_cache import DiskStore
folder, start = sys.argv[1], int(sys.argv[2])
store, number = DiskStore(folder), start
while number < start + 10 * int(sys.argv[3]):
    numbers = np.arange(number, number + 10)
    digests = [n.tobytes() * 2 for n in numbers]
    store.write(b"network", digests, np.repeat(numbers[:, None], 1280, 1).astype(np.float32))
    if number == start:
        print("ready", flush=True)
    number += 10
"""


@contextmanager
def running_writer(folder, start, n_batches):
    command = [sys.executable, "-W", "error", "-c", WRITER, folder, str(start), str(n_batches)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process


def test_two_writers_at_once_lose_nothing(tmp_path):
    digests, features = rows(600)
    with running_writer(tmp_path, 0, 30) as first, running_writer(tmp_path, 300, 30) as second:
        while first.poll() is None or second.poll() is None:
            missing(DiskStore(tmp_path), digests, features)  # reads what is there, and never half
    assert (first.returncode, second.returncode) == (0, 0)
    assert missing(DiskStore(tmp_path), digests, features) == []


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_a_writer_killed_in_the_middle_harms_nothing(tmp_path, seconds):
    with running_writer(tmp_path, 0, 100_000) as writer:
        time.sleep(seconds)
        writer.kill()
    store = DiskStore(tmp_path)
    missing(store, *rows(10))  # the first to open what the writer left
    with closing(sqlite3.connect(database_path(tmp_path))) as database:
        ((n_kept,),) = database.execute("SELECT count(*) FROM rows")
    digests, features = rows(n_kept + 10)
    assert n_kept % 10 == 0  # whole batches
    assert missing(store, digests, features) == list(range(n_kept, n_kept + 10))
    store.write(NETWORK, digests[n_kept:], features[n_kept:])
    assert missing(store, digests, features) == []


def test_a_journal_left_by_a_killed_writer_is_rolled_back(tmp_path):
    """Killed between the first changed page and the commit: what SQLite calls a hot journal."""
    digests, features = rows(500)
    DiskStore(tmp_path).write(NETWORK, digests[:10], features[:10])
    code = (
        "import os, signal, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "database.execute('PRAGMA cache_size = 2')\n"  # so that pages go to the file early
        "database.execute('UPDATE rows SET features = zeroblob(5120)')\n"
        "database.execute('UPDATE rows SET used = 0')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, database_path(tmp_path)])
    assert len(list(tmp_path.iterdir())) == 2  # the journal is there
    assert missing(DiskStore(tmp_path), digests[:10], features[:10]) == []


def test_a_first_writer_killed_before_its_table_was_made_is_read_as_nothing(tmp_path):
    database_path(tmp_path).touch()
    digests, features = rows(3)
    assert missing(DiskStore(tmp_path), digests, features) == [0, 1, 2]
    DiskStore(tmp_path).write(NETWORK, digests, features)
    assert missing(DiskStore(tmp_path), digests, features) == []


def test_threads_share_a_store(store):
    digests, features = rows(400)
    parts = [slice(start, start + 50) for start in range(0, 400, 50)]
    errors = []

    def work(part):
        try:
            store.write(NETWORK, digests[part], features[part])
            assert missing(store, digests[part], features[part]) == []
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert missing(store, digests, features) == []


def test_a_writer_that_hangs_does_not_hold_up_readers(tmp_path, monkeypatch):
    digests, features = rows(3)
    DiskStore(tmp_path).write(NETWORK, digests, features)
    monkeypatch.setattr(feature_cache, "_USE_RESOLUTION", -10)  # every row wants to be marked
    with closing(sqlite3.connect(database_path(tmp_path))) as other:
        other.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        assert missing(DiskStore(tmp_path), digests, features) == []
        assert time.monotonic() - start < feature_cache._LOCK_TIMEOUT / 2


def test_one_warning_a_fit_not_one_a_view(make_classifier, images, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    classifier = make_classifier(
        feature_cache=tmp_path / "file", augmentation="flip_translate", early_stopping=True
    )
    for _ in range(2):
        with pytest.warns(UserWarning, match="feature cache") as caught:
            classifier.fit(*images).predict(images[0])
        assert len(caught) == 1


def test_file_descriptors_are_closed(tmp_path):
    digests, features = rows(3)
    store = DiskStore(tmp_path)
    for _ in range(3):
        store.write(NETWORK, digests, features)
        missing(store, digests, features)
    if os.path.isdir("/proc/self/fd"):
        open_files = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert not any(str(tmp_path) in path for path in open_files)
