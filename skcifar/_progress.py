"""One progress bar for a long call: the phase, how far it is, and the time left."""

from contextlib import contextmanager


@contextmanager
def progress_bar(verbose):
    """Yield a `Progress` that shows nothing unless `verbose`."""
    if not verbose:
        yield Progress()
        return
    from rich import progress as rich_progress

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        rich_progress.TextColumn("{task.fields[note]}"),
    )
    with rich_progress.Progress(*columns) as bar:
        yield Progress(bar)


class Progress:
    """What long work reports to; `bar` is a rich progress bar or None.

    Parameters
    ----------
    bar : rich.progress.Progress, default=None
    """

    def __init__(self, bar=None):
        self._bar = bar
        self._task = None

    def phase(self, description, total):
        """Begin a phase of `total` steps; the one bar starts over under its name."""
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task(description, total=total, note="")
        else:
            self._bar.reset(self._task, description=description, total=total, note="")

    def advance(self, steps=1, note=""):
        """Report `steps` as done."""
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, note=note)
