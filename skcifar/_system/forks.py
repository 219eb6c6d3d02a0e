"""What does not survive a `fork`: threads that TensorFlow and OpenVINO started."""

import ctypes
import os

_users: dict[str, int] = {}  # process in which a library computed first, by its name


def check_not_forked(library):
    """Note that `library` computes in this process; raise if it did so in the parent already.

    Raises
    ------
    RuntimeError
        Where it would wait for ever: the child has none of the threads of its parent.
    """
    if _users.setdefault(library, os.getpid()) != os.getpid():
        raise RuntimeError(
            f"This process was forked from one in which {library} had computed, and {library} "
            "does not survive that. Start processes with "
            'multiprocessing.get_context("spawn") or joblib\'s "loky", fork before the first fit '
            'or predict, or let engine="openvino" predict, which is compiled anew.'
        )


def forget_in_child(forget):
    """Call `forget` in each process that is forked from this one.

    What it returns stays where it is for good: compiled networks that are taken apart in the child
    wait for threads that are not there, or crash it.
    """

    def after_fork():
        for thing in forget():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))

    call_in_child(after_fork)


def call_in_child(function):
    """Call `function` in each process that is forked from this one.

    Such as one that makes a lock anew: a thread of the parent may have held it, which is not there.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)
