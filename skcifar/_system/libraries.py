"""Imports the heavy libraries: late, quietly, and with their telemetry off."""

import contextlib
import functools
import importlib.util
import os
import sys
import tempfile


@functools.cache
def import_keras():
    """Import Keras and TensorFlow, and return Keras.

    TensorFlow's native libraries print a dozen lines about the processor to standard error
    while they load; these are kept back unless the import fails.

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


@functools.cache
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
    """Hold back what is written to file descriptor 2; write it after all if the block raises."""
    try:
        saved = os.dup(2)
    except OSError:  # no standard error, nothing to hold back
        yield
        return
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            held_back.seek(0)
            os.write(saved, held_back.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def require(module, format):
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f'format="{format}" needs {module}, which is not installed. '
            f'Run `pip install "skcifar[{format}]"`.'
        )
