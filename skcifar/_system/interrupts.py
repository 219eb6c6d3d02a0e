"""Ctrl-C, and libraries that do not expect it."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def ctrl_c_waits():
    """Hold Ctrl-C back until the block ends: for short calls of TensorFlow.

    One that comes while TensorFlow looks a compiled function up leaves its table of them broken,
    for all later fits of the process. To be used as a context, and with brackets as a decorator.
    """
    usual = signal.getsignal(signal.SIGINT)
    if not (callable(usual) and _signals_come_here()):
        yield
        return
    pressed = []
    signal.signal(signal.SIGINT, lambda *arguments: pressed.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if pressed:
            usual(*pressed[0])


@contextmanager
def ctrl_c_interrupts():
    """Let Ctrl-C end the block as `KeyboardInterrupt`, whatever TensorFlow makes of it.

    One that comes while TensorFlow takes over an array is a ``SystemError`` or a ``TypeError`` of
    its own. Handlers other than Python's are left alone.
    """
    if (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        or not _signals_come_here()
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
    except Exception as error:  # of any type: what becomes of it is up to where it was caught
        if is_pressed:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _signals_come_here():
    return threading.current_thread() is threading.main_thread()
