"""Imports the heavy libraries: late, quietly, and with their telemetry off."""

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import re
import sys
import tempfile
import threading

from .forks import call_in_child

# Imports here change what belongs to the whole process, and put it back: one at a time.
_import_lock = threading.RLock()


def _renew_lock():
    global _import_lock
    _import_lock = threading.RLock()


call_in_child(_renew_lock)


def _once(function):
    """Like `functools.cache` of a function without arguments, but threads wait for the first."""
    cached = functools.cache(function)

    @functools.wraps(function)
    def wait_for_the_first():
        with _import_lock:
            return cached()

    return wait_for_the_first


@_once
def import_keras():
    """Import Keras and TensorFlow, and return Keras.

    TensorFlow's native libraries print a dozen lines about the processor to standard error
    while they load; these are kept back unless the import fails. What other threads write
    meanwhile comes a few seconds late.

    Raises
    ------
    ValueError
        If Keras runs on another backend than TensorFlow.
    """
    if "keras" not in sys.modules:  # before that: another backend may not be installed
        _check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
    # Without this the first operation prints about the processor as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with contextlib.nullcontext() if "tensorflow" in sys.modules else _native_errors_held_back():
        import keras

        backend = keras.config.backend()
        if backend == "tensorflow":
            import tensorflow

            # Looks for GPUs, which complains where the driver of one is missing or broken.
            tensorflow.config.list_physical_devices()
    _check_backend(backend)
    return keras


def _check_backend(backend):
    if backend != "tensorflow":
        raise ValueError(
            f"Keras runs on {backend!r}; skcifar needs TensorFlow. Set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )


def check_no_distribution_scope():
    """Raise if a model that is built now would be one of a distribution strategy of TensorFlow.

    Raises
    ------
    ValueError
    """
    import tensorflow as tf

    if tf.distribute.has_strategy():
        raise ValueError(
            f"fit was called within the scope of {type(tf.distribute.get_strategy()).__name__}, "
            "whose variables it cannot train. Call it outside of `with strategy.scope():`; many "
            "fits at once are run in parallel with n_jobs."
        )


@_once
def import_openvino():
    """Import OpenVINO with its telemetry off, and return it.

    ``import openvino`` sends an event over the network and writes a client id into the home
    folder, unless the package for that is missing.

    Raises
    ------
    ImportError
        If OpenVINO is not installed.
    """
    with _not_installed("openvino_telemetry"):
        import openvino
    return openvino


@contextlib.contextmanager
def _not_installed(package):
    """Make imports of `package` fail."""
    found = sys.modules.get(package)
    sys.modules[package] = None
    try:
        yield
    finally:
        if found is None:
            sys.modules.pop(package, None)
        else:
            sys.modules[package] = found


@contextlib.contextmanager
def _native_errors_held_back():
    """Hold back what is written to file descriptor 2, and write it when the block ends.

    Lines of TensorFlow's own log are left out, unless the block raises.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no standard error, nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        is_kept = _is_no_native_log
        try:
            yield
        except BaseException:
            is_kept = bool
            raise
        finally:
            os.dup2(saved, 2)
            held_back.seek(0)
            with os.fdopen(saved, "wb") as standard_error:
                standard_error.writelines(filter(is_kept, held_back))


_NATIVE_LOG = re.compile(
    rb"[IWE]\d{4} \S+ +\d+ \S+:\d+\] "  # I0000 00:00:1795570005.706824   13224 port.cc:153] oneDNN
    rb"|\d{4}-\d\d-\d\d \S+ [IWE] (tensorflow|external)/"  # the same in TensorFlow 2.19
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
)


def _is_no_native_log(line):
    return not _NATIVE_LOG.match(line)


@functools.cache
def installed_version(package):
    """Return the version of an installed package; None if there is none of that name."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def require(module, format):
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f'format="{format}" needs {module}, which is not installed. '
            f'Run `pip install "skcifar[{format}]"`.'
        )
