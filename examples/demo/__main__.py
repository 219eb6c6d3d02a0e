"""Run the whole workflow and leave `demo/report.html`: `make demo`, `make demo FOLDER=path`."""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from demo_data import load_demo_data
from report import write_report
from steps import STEPS, Run, show_skipped

REPORT = Path(__file__).resolve().parents[2] / "demo" / "report.html"


def make_report(data, path):
    """Run all steps on `data` and write the report.

    Parameters
    ----------
    data : DemoData
    path : Path
        The HTML file to write.
    """
    run = Run(data)
    sections = []
    for step in (*STEPS, *([show_skipped] if data.skipped else [])):
        sections.append(step(run))
        print(f"{sections[-1].title}: {sections[-1].sentence}", flush=True)
    is_quick = run.fit_seconds <= 60
    write_report(
        path,
        title=f"Can a machine learn to tell {len(run.names)} kinds of pictures apart in a minute?",
        answer=(
            f"{'Yes: after' if is_quick else 'After'} {run.fit_seconds:.1f} seconds of training, "
            f"this machine correctly classifies {run.test_accuracy:.1%} of the pictures that it "
            f"has not seen before."
        ),
        source=data.source,
        numbers={
            "test accuracy": f"{run.test_accuracy:.1%}",
            "test accuracy of a random forest on pixels": f"{run.forest_accuracy:.1%}",
            "to fit the classifier": f"{run.fit_seconds:.1f} s",
            "the speed of plain Keras": f"{run.speedup:.0f} x",
        },
        sections=sections,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", nargs="?", help="folder that holds one folder of pictures per class"
    )
    folder = parser.parse_args().folder
    try:
        data = load_demo_data(folder)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print(data.source, flush=True)
    REPORT.parent.mkdir(exist_ok=True)
    make_report(data, REPORT)
    print("Open demo/report.html")


if __name__ == "__main__":
    main()
