"""Faults that are really caused: kills, full disks, folders without permission, Ctrl-C.

Those of the feature cache are in test_feature_cache.py, of downloads in test_downloads.py, of
checkpoints in test_checkpoint.py, of damaged files in test_persistence.py.
"""

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from itertools import chain, product

import keras
import numpy as np
import pytest
from deadly_callback import make_deadly_callback
from faulty_folders import full_disk, read_only_folder
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcifar import export, load, save
from skcifar._system import atomic_file
from skcifar._system.interrupts import ctrl_c_waits
from skcifar._training import inputs


@pytest.fixture(scope="module")
def fitted(make_classifier, images):
    return make_classifier().fit(*images)


@pytest.fixture(scope="module")
def refitted(make_classifier, images):
    return make_classifier(random_state=1).fit(*images)


def run_child(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def assert_holds(path, estimator, X):
    np.testing.assert_array_equal(load(path).predict_proba(X), estimator.predict_proba(X))


# --- A process killed in a save --------------------------------------------------------------

# Both programs import the package once, and kill copies of their process.
KILLED_SAVES = """
import os, signal, sys
import numpy as np
import skcifar
estimator = skcifar.load(sys.argv[1])
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
def save_and_die(path, moment):
    if moment == "while writing":
        arrays, write_array = iter(range(20)), np.lib.format.write_array
        def write_some(*args, **options):
            write_array(*args, **options) if next(arrays, None) is not None else die()
        np.lib.format.write_array = write_some
    else:
        setattr(os, moment, die)
    skcifar.save(estimator, path)
for path, moment in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
    child = os.fork()
    if not child:
        save_and_die(path, moment)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
KILLED_SAVES_CASES = list(product([False, True], ["while writing", "fsync", "replace"]))


@pytest.fixture(scope="module")
def killed_saves(fitted, refitted, tmp_path_factory):
    """Return what each killed process was to write over, and its exit code, by case."""
    source = tmp_path_factory.mktemp("source") / "new"
    save(refitted, source)
    paths = [tmp_path_factory.mktemp("models") / "saved" for _ in KILLED_SAVES_CASES]
    for (is_there, _), path in zip(KILLED_SAVES_CASES, paths, strict=True):
        if is_there:
            save(fitted, path)
    moments = [moment for _, moment in KILLED_SAVES_CASES]
    printed = run_child(KILLED_SAVES, source, *chain(*zip(paths, moments, strict=True))).stdout
    killed = zip(paths, map(int, printed.split()), strict=True)
    return dict(zip(KILLED_SAVES_CASES, killed, strict=True))


@pytest.mark.parametrize("moment", ["while writing", "fsync", "replace"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "old"])
def test_a_save_that_is_killed_leaves_what_was_there(
    fitted, images, killed_saves, moment, is_there
):
    path, exit_code = killed_saves[is_there, moment]
    assert exit_code == -signal.SIGKILL
    assert path.exists() == is_there
    if is_there:
        assert_holds(path, fitted, images[0])


SAVES_FOREVER = """
import os, signal, sys, time
import skcifar
estimator = skcifar.load(sys.argv[1])
for pause in map(float, sys.argv[3:]):
    child = os.fork()
    while not child:
        skcifar.save(estimator, sys.argv[2])
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
    input()
"""


def test_saves_killed_at_any_moment_leave_a_whole_file(fitted, images, tmp_path):
    save(fitted, tmp_path / "source")
    save(fitted, tmp_path / "saved")
    pauses = np.random.default_rng(0).uniform(0, 0.2, size=4).astype(str)
    paths = tmp_path / "source", tmp_path / "saved"
    command = [sys.executable, "-c", SAVES_FOREVER, *paths, *pauses]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, **pipes) as process:
        for line in process.stdout:
            assert line == "killed\n"
            assert_holds(tmp_path / "saved", fitted, images[0])
            process.stdin.write("go on\n")
    assert process.returncode == 0


def test_what_killed_saves_left_is_removed_later(fitted, tmp_path):
    parts = [tmp_path / f".skcifar-{name}.part" for name in ("old", "running")]
    for part in parts:
        part.write_bytes(b"half")
    long_ago = time.time() - 2 * atomic_file._ABANDONED_AFTER
    os.utime(parts[0], (long_ago, long_ago))
    save(fitted, tmp_path / "saved")
    assert sorted(tmp_path.iterdir()) == [parts[1], tmp_path / "saved"]


# --- A full disk, a size limit, no permission ------------------------------------------------


def assert_save_refused(error_type, folder, fitted, refitted, X, writing=nullcontext):
    """Assert that a save fails with `error_type`, and leaves the file and nothing else."""
    message = "saved could not be written: .* Free some space"
    with pytest.raises(error_type, match=message) as error, writing():
        save(refitted, folder / "saved")
    assert [path.name for path in folder.iterdir()] == ["saved"]
    assert_holds(folder / "saved", fitted, X)
    return error.value


def test_a_full_disk_refuses_a_save_and_keeps_the_file(fitted, refitted, images, tmp_path):
    save(fitted, tmp_path / "measure")
    size = (tmp_path / "measure").stat().st_size
    with full_disk(int(1.6 * size)) as folder:
        save(fitted, folder / "saved")
        error = assert_save_refused(
            OSError, folder, fitted, refitted, images[0], writing=nullcontext
        )
    assert error.errno == errno.ENOSPC


@contextmanager
def file_size_limit(n_bytes=100_000):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_size_limit_refuses_a_save_and_keeps_the_file(fitted, refitted, images, tmp_path):
    save(fitted, tmp_path / "saved")
    assert_save_refused(OSError, tmp_path, fitted, refitted, images[0], file_size_limit)


def test_a_folder_without_permission_refuses_a_save(fitted, refitted, images):
    with read_only_folder() as (folder, protect):
        save(fitted, folder / "saved")
        protect()
        assert_save_refused(
            PermissionError, folder, fitted, refitted, images[0], writing=nullcontext
        )


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_size_limit_refuses_an_export_and_keeps_the_file(fitted, tmp_path, format):
    pytest.importorskip(format)
    path = tmp_path / "model.xml"
    export(fitted, path, format)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(OSError, match=r"Free some space"), file_size_limit():
        export(fitted, path, format)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


# --- A worker that dies in a search ----------------------------------------------------------


@pytest.mark.timeout(600)
def test_a_worker_that_dies_in_a_search_is_told_and_harms_nothing(
    make_classifier, images, tmp_path
):
    classifier = make_classifier(epochs=1, feature_cache=tmp_path / "cache")
    grid = {"learning_rate": [0.01, 0.003]}
    expected = GridSearchCV(clone(classifier), grid, cv=2).fit(*images)
    classifier.set_params(callbacks=[make_deadly_callback(str(tmp_path / "died"))])
    search = GridSearchCV(classifier, grid, cv=2, n_jobs=2)
    with pytest.raises(TerminatedWorkerError):
        search.fit(*images)
    assert not hasattr(search, "best_estimator_")
    search.fit(*images)  # the same search, once more
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


# --- No room for maps ------------------------------------------------------------------------


def test_maps_that_the_disk_does_not_hold_are_an_error_before_they_are_computed(monkeypatch):
    monkeypatch.setattr(inputs, "_MEMORY_BOUND", 1)
    with full_disk(2**16) as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        inputs._store_maps((100, 8, 8, 4))  # 50 kB: there is room
        with pytest.raises(OSError, match=f"frozen blocks.* no room for them in {folder}.*TMPDIR"):
            inputs._store_maps((200, 8, 8, 4))
        with pytest.raises(OSError, match=r"^\[.*\] The decoded pictures need .* image_size"):
            inputs._store("The decoded pictures", (2**17,), np.dtype(np.uint8))
        assert not list(folder.iterdir())


# --- Ctrl-C ----------------------------------------------------------------------------------

INTERRUPTED = """
import signal, sys
import numpy as np
from sklearn.exceptions import NotFittedError
from skcifar import MobileNetV2Classifier
from skcifar._extraction import engines
from skcifar._keras import fine_tuning
from skcifar.datasets import make_images
import keras

class Tell(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            tell()

def tell():
    print("now", flush=True)

X, y = make_images(64, image_shape=(16, 16, 3), random_state=0)
small = dict(weights=None, alpha=0.35, input_size=32, hidden_units=(16,), random_state=0)
reference = MobileNetV2Classifier(epochs=4, feature_cache=None, **small).fit(X, y)
expected = reference.predict_proba(X)

class Endless:
    '''A store that is asked for features again and again.'''
    limit = 0
    def may_warn_again(self): pass
    def read(self, *args):
        tell()
        while True:
            engines.run_network(reference._frozen, X, "tensorflow", "float32")

def interrupted(fit):
    '''Call `fit` until Ctrl-C, pressed once or more often; before and after, it does nothing.'''
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            fit(X, y)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        print("stopped", flush=True)

signal.signal(signal.SIGINT, signal.SIG_IGN)
phases = {
    "features": {},
    "head": dict(epochs=10**7, callbacks=[Tell()]),
    "fine_tuning": dict(epochs=1, fine_tune_epochs=10**7, fine_tune_blocks=1, callbacks=[Tell()]),
}
for phase, options in phases.items():
    fresh = MobileNetV2Classifier(**{**small, "feature_cache": None, **options})
    fitted = MobileNetV2Classifier(**{"epochs": 4, "feature_cache": None, **small}).fit(X, y)
    fitted.set_params(**options)
    open_store = sys.modules["skcifar._backbone"].open_store
    if phase == "features":
        sys.modules["skcifar._backbone"].open_store = lambda feature_cache: Endless()
    for classifier in (fresh, fitted):
        before = dict(vars(classifier))
        interrupted(classifier.fit)
        assert vars(classifier) == before and list(vars(classifier)) == list(before)
    sys.modules["skcifar._backbone"].open_store = open_store
    assert (fitted.predict_proba(X) == expected).all()
    try:
        fresh.predict(X)
    except NotFittedError:
        print("as before", phase, flush=True)
again = MobileNetV2Classifier(epochs=4, feature_cache=None, **small).fit(X, y)
assert (again.predict_proba(X) == expected).all()
print("same as without")
"""


@pytest.mark.timeout(600)
def test_ctrl_c_leaves_the_estimator_as_it_was():
    command = [sys.executable, "-c", INTERRUPTED]
    said, repetition = [], None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            said.append(line.strip())
            if repetition is not None:
                repetition.cancel()
            if line == "now\n":
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                # Python drops an exception that comes while an object is being finalised; then
                # people press Ctrl-C again.
                repetition = threading.Timer(30, process.send_signal, [signal.SIGINT])
                repetition.start()
    assert process.returncode == 0
    assert said == [
        *("now", "stopped", "now", "stopped", "as before features"),
        *("now", "stopped", "now", "stopped", "as before head"),
        *("now", "stopped", "now", "stopped", "as before fine_tuning"),
        "same as without",
    ]


@pytest.fixture
def usual_ctrl_c():
    """Let Ctrl-C do what it does in Python, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c_in_tensorflow(epoch, logs):
    """Press Ctrl-C and make of it what TensorFlow does while it traces a function."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise SystemError("returned a result with an exception set") from None


def library_error(epoch, logs):
    raise SystemError("of another kind")


@pytest.mark.parametrize(
    ("happens", "expected"),
    [(ctrl_c_in_tensorflow, KeyboardInterrupt), (library_error, SystemError)],
)
def test_ctrl_c_is_no_other_error(make_classifier, images, usual_ctrl_c, happens, expected):
    classifier = make_classifier(callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=happens)])
    before = dict(vars(classifier))
    with pytest.raises(expected):
        classifier.fit(*images)
    assert vars(classifier) == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_waits_for_tensorflow(usual_ctrl_c):
    done = []

    @ctrl_c_waits()
    def step():
        signal.raise_signal(signal.SIGINT)
        done.append("step")

    with pytest.raises(KeyboardInterrupt):
        step()
    assert done == ["step"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_ones_own_stays(make_classifier, images):
    pressed = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: signal.raise_signal(signal.SIGINT)
    )
    usual = signal.signal(signal.SIGINT, lambda *arguments: pressed.append(arguments))
    try:
        make_classifier(epochs=2, callbacks=[callback]).fit(*images)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert len(pressed) == 2


# --- Out of memory ---------------------------------------------------------------------------

OUT_OF_MEMORY = """
import resource, sys
import numpy as np
from skcifar import MobileNetV2Classifier
from skcifar.datasets import make_images

X, y = make_images(64, image_shape=(16, 16, 3), random_state=0)
small = dict(weights=None, alpha=0.35, input_size=32, hidden_units=(16,), epochs=1)
small |= dict(feature_cache=None, engine=sys.argv[1], random_state=0)
expected = MobileNetV2Classifier(**small).fit(X, y).predict_proba(X)
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
too_much = {"hidden_units": (200_000,)}, {"input_size": 8192}
for options, n in (({}, 1_000_000), *((options, 64) for options in too_much)):
    many_X, many_y = np.broadcast_to(X[:1], (n, 16, 16, 3)), np.arange(n) % 3
    classifier = MobileNetV2Classifier(**{**small, **options})
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, limits[1]))
    try:
        classifier.fit(many_X, many_y)
    except MemoryError as error:
        assert "input_size, hidden_units, augmentation" in str(error), error
        assert not hasattr(classifier, "classes_")
        print("told", flush=True)
    resource.setrlimit(resource.RLIMIT_AS, limits)
again = MobileNetV2Classifier(**small).fit(X, y).predict_proba(X)
assert (again == expected).all()
print("same as before")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_a_fit_out_of_memory_says_what_to_turn_down(engine):
    if engine == "openvino":
        pytest.importorskip(engine)
    result = run_child(OUT_OF_MEMORY, engine)
    assert result.stdout.splitlines() == ["told"] * 3 + ["same as before"], result.stderr[-3000:]
