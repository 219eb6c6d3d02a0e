"""A callback that kills the process it runs in."""

import os
import signal


def make_deadly_callback(marker):
    """Return a callback that kills its process once, and leaves its number in `marker`.

    Of all processes that share `marker`, the first to end an epoch dies.
    """
    import keras

    class Deadly(keras.callbacks.Callback):  # local, so that it is pickled whole
        def on_epoch_end(self, epoch, logs=None):
            try:
                with open(marker, "x") as file:
                    file.write(str(os.getpid()))
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

    return Deadly()
