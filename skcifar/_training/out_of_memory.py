"""Says what to turn down where memory runs out."""

import contextlib


@contextlib.contextmanager
def advice_when_out_of_memory():
    """Turn what NumPy, TensorFlow and OpenVINO raise into one `MemoryError` with advice."""
    try:
        yield
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise MemoryError(
            f"The fit ran out of memory ({_gist(error)}). Reduce what takes most of it: "
            "input_size, hidden_units, augmentation (the features of each view are kept), and "
            "batch_size or fine_tune_blocks when fine-tuning. Or pass fewer images at a time, to "
            "partial_fit."
        ) from error


def _is_out_of_memory(error):
    """Whether memory ran out; told by the name of TensorFlow's error, as it may not be loaded."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return True
    # OpenVINO: "can't alloc", "Failed to allocate 4026531840 bytes of memory", "std::bad_alloc".
    return type(error) is RuntimeError and "alloc" in str(error)


def _gist(error):
    """Return the line that says what could not be allocated; TensorFlow's errors have dozens."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "alloc" in line), (lines or ["no details"])[-1])
