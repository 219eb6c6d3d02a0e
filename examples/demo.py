"""Run the main workflow and keep its pictures and its report in `demo/`: `make demo`."""

import contextlib
import io
import runpy
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "demo"


class Tee(io.TextIOBase):
    """Text that goes to the terminal and is kept."""

    def __init__(self, terminal):
        self._terminal, self.kept = terminal, io.StringIO()

    def write(self, text):
        self.kept.write(text)
        return self._terminal.write(text)

    def isatty(self):
        return self._terminal.isatty()

    def fileno(self):
        return self._terminal.fileno()

    def flush(self):
        self._terminal.flush()


def save_figures():
    """Save every open figure and return the file names."""
    names = []
    for number in plt.get_fignums():
        names.append(f"figure_{number}.png")
        plt.figure(number).savefig(OUTPUT / names[-1], dpi=120, bbox_inches="tight")
    return names


def main():
    OUTPUT.mkdir(exist_ok=True)
    printed = Tee(sys.stdout)
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(HERE / "plot_cifar10_workflow.py"), run_name="__main__")
    pictures = "\n\n".join(f"![{name}]({name})" for name in save_figures())
    report = printed.kept.getvalue().strip()
    (OUTPUT / "report.md").write_text(f"# skcifar demo\n\n```text\n{report}\n```\n\n{pictures}\n")
    print(f"Report and pictures: {OUTPUT}")


if __name__ == "__main__":
    main()
