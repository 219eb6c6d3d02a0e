"""What long work shows: a bar for a call, which names its phase, and one for a download.

Where the output of a call is no terminal, a file for example, a line with the same is added now
and then.
"""

import time
from contextlib import contextmanager

_SECONDS_BETWEEN_LINES = 30


@contextmanager
def progress_bar(verbose):
    """Yield a `Progress` that shows nothing unless `verbose`."""
    if not verbose:
        yield Progress()
        return
    from rich.errors import LiveError

    bar = _call_bar()
    try:
        bar.start()
    except LiveError:  # another fit of this process has the screen
        bar = None
    if bar is None:
        yield Progress()
        return
    try:
        progress = Progress(bar)
        yield progress
        progress.complete()
    finally:
        bar.stop()


def _call_bar():
    from rich import progress
    from rich.table import Column

    # The bar takes the room that is left: in 80 columns no figure is cut.
    return progress.Progress(
        progress.TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        progress.TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True)),
        expand=True,
    )


def download_bar():
    """Return a bar for bytes that arrive: on standard error, and gone when they are there."""
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class Progress:
    """What long work reports to; `bar` is a rich progress bar or None.

    Parameters
    ----------
    bar : rich.progress.Progress, default=None
    """

    def __init__(self, bar=None):
        self._bar = bar
        self._task = None
        self._last_line = time.monotonic()

    def phase(self, description, total):
        """Begin a phase of `total` steps; the one bar starts over under its name."""
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task(description, total=total, note="")
        else:
            self._bar.reset(self._task, description=description, total=total, note="")
        self._bar.refresh()

    def advance(self, steps=1, note=""):
        """Report `steps` as done."""
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, note=note)
            self._add_line()

    def skip(self, steps):
        """Take the first `steps` of the phase for done before; its speed is measured anew."""
        if self._bar is not None:
            self._bar.reset(self._task, completed=steps)

    def complete(self):
        """Show the last phase as done, also where it stopped early."""
        if self._task is not None:
            (task,) = self._bar.tasks
            self._bar.update(self._task, completed=task.total)

    def _add_line(self):
        console, now = self._bar.console, time.monotonic()
        redraws = console.is_terminal or console.is_jupyter
        if not redraws and now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            console.print(self._bar.get_renderable())
