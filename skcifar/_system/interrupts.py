"""Ctrl-C, where a library makes another error of it."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def ctrl_c_interrupts():
    """Let Ctrl-C end the block as `KeyboardInterrupt`, whatever TensorFlow makes of it.

    One that comes while TensorFlow traces a function or takes over an array is a ``SystemError``
    or a ``TypeError`` of its own. Handlers other than Python's, and other threads than the main
    one, to which no signal is delivered, are left alone.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    is_pressed = False

    def note(signal_number, frame):
        nonlocal is_pressed
        is_pressed = True
        signal.default_int_handler(signal_number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if is_pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
