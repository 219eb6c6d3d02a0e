"""How long the import takes, and a tiny fit: the first and the second in a process."""

import subprocess
import sys
import time

from common import print_machine, print_table

REPETITIONS = 5
IMPORT = """
import time, sklearn.base
start = time.perf_counter()
import skcifar
print(time.perf_counter() - start)
"""


def import_seconds():
    """Return what `import skcifar` adds to `import sklearn.base`: the median of a few runs."""
    seconds = sorted(
        float(subprocess.run([sys.executable, "-c", IMPORT], capture_output=True).stdout)
        for _ in range(REPETITIONS)
    )
    return seconds[REPETITIONS // 2]


def main():
    print_machine()
    rows = [("import skcifar, after sklearn.base", f"{import_seconds():.2f}")]
    from skcifar import MobileNetV2Classifier
    from skcifar.datasets import make_images

    start = time.perf_counter()
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    rows.append(("import tensorflow and keras", f"{time.perf_counter() - start:.2f}"))
    X, y = make_images(n_samples=64, random_state=0)
    for number in ("first", "second"):
        start = time.perf_counter()
        MobileNetV2Classifier(weights=None, random_state=0).fit(X, y)
        rows.append((f"{number} fit of 64 images, 20 epochs", f"{time.perf_counter() - start:.2f}"))
    print_table(("", "seconds"), rows)


if __name__ == "__main__":
    main()
