"""What can be wrong with a picture, and how errors about one or many of them are worded."""

_MAX_NAMES = 100  # a reason; `data.skipped` of the folder loader has all


class UnreadableError(Exception):
    """A picture cannot be read; what is raised to users is made by `named`.

    Parameters
    ----------
    reason : str
        Why: completes "cannot be read as a picture: ".
    advice : str
        A sentence that says what to do.
    error : type, default=ValueError
        What to raise for it.
    """

    def __init__(self, reason, advice, error=ValueError):
        super().__init__(reason, advice, error)
        self.reason, self.advice, self.error = reason, advice, error

    def named(self, name):
        """Return the exception to raise about the picture `name`."""
        return self.error(f"{name} cannot be read as a picture: {self.reason}. {self.advice}")


def printable(name):
    """Return `name` for a message: as it is, or quoted where it would break the line."""
    name = str(name)
    return name if name.isprintable() else ascii(name)


def error_about(faults):
    """Return one exception about pictures that cannot be read.

    Parameters
    ----------
    faults : list of (str, UnreadableError)
        Names and what is wrong with them, at least one.
    """
    if len(faults) == 1:
        ((name, fault),) = faults
        return fault.named(printable(name))
    errors = {fault.error for _, fault in faults}
    kind = OSError if all(issubclass(error, OSError) for error in errors) else ValueError
    return kind(f"{len(faults):,} pictures cannot be read.\n{listing(faults)}")


def listing(faults):
    """Return the lines of a message that name all faults, by reason, the most frequent first."""
    groups = {}
    for name, fault in faults:
        groups.setdefault((fault.reason, fault.advice), []).append(printable(name))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return "\n".join(_group(*reason_and_advice, names) for reason_and_advice, names in ordered)


def _group(reason, advice, names):
    lines = [f"{len(names):,}: {reason}. {advice}", *(f"    {n}" for n in names[:_MAX_NAMES])]
    if len(names) > _MAX_NAMES:
        lines.append(f"    and {len(names) - _MAX_NAMES:,} more")
    return "\n".join(lines)
