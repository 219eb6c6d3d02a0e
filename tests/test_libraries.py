"""Late imports of heavy libraries leave standard error to those it belongs to."""

import subprocess
import sys

import pytest

from skcifar._system.libraries import _is_no_native_log

# Four threads that need Keras at once, first thing in a process, while a fifth one logs.
CODE = """
import os, threading, time
from concurrent.futures import ThreadPoolExecutor
from skcifar._system.libraries import import_keras

def log():
    for number in range(10**6):
        os.write(2, b"line %d\\n" % number)
        if stop.wait(0.02):
            print(number + 1)
            return

before, stop = os.fstat(2), threading.Event()
logger = threading.Thread(target=log, daemon=True)
logger.start()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: import_keras(), range(4)))
stop.set()
logger.join()
print(os.path.samestat(os.fstat(2), before))
"""


@pytest.fixture(scope="module")
def import_in_threads():
    command = [sys.executable, "-c", CODE]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)


def test_threads_that_import_at_once_leave_standard_error_where_it_was(import_in_threads):
    assert import_in_threads.stdout.splitlines()[1] == "True"


def test_what_other_threads_write_during_the_import_arrives(import_in_threads):
    n_lines = int(import_in_threads.stdout.splitlines()[0])
    # Sorted: what is written while lines that were held back are written may overtake them.
    lines = sorted(import_in_threads.stderr.splitlines())
    assert lines == sorted(f"line {i}" for i in range(n_lines))


@pytest.mark.parametrize(
    "line",
    [
        b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
        b"I0000 00:00:1795570005.706824   13224 port.cc:153] oneDNN custom operations are on.\n",
        b"E0000 00:00:1795570012.290132   13224 cuda_platform.cc:52] failed call to cuInit\n",
        b"2026-01-02 03:04:05.678901: I tensorflow/core/util/port.cc:153] oneDNN operations\n",
        b"To enable the following instructions: AVX2 FMA, in other operations, rebuild\n",
    ],
)
def test_lines_of_tensorflows_own_log_are_known(line):
    assert not _is_no_native_log(line)


@pytest.mark.parametrize(
    "line", [b"Traceback (most recent call last):\n", b"2026-01-02 03:04:05 INFO served\n", b"\n"]
)
def test_lines_of_others_are_not_taken_for_tensorflows_log(line):
    assert _is_no_native_log(line)
