"""A million images from a memory-mapped file through `predict`, and eight threads at once."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from common import parse_arguments, peak_memory, print_machine, print_table

from skcifar import MobileNetV2Classifier
from skcifar.datasets import make_images

SIDE, CHUNK, N_THREADS = 32, 10_000, 8


def write_images(path, n_images):
    """Write `n_images` different images, as bytes, without holding them all."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        for start in range(0, n_images, CHUNK):
            n = min(CHUNK, n_images - start)
            file.write(rng.integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8).tobytes())


def stream(classifier, path, n_images):
    """Return the seconds that `predict` takes over the file, and the peak memory before it."""
    X = np.memmap(path, np.uint8, mode="r", shape=(n_images, SIDE, SIDE, 3))
    before, start = peak_memory(), time.perf_counter()
    labels = classifier.predict(X)
    seconds = time.perf_counter() - start
    assert labels.shape == (n_images,)
    return seconds, before


def predict_from_threads(classifier, X):
    """Return the seconds of one thread and of eight over the same images."""
    parts = np.array_split(X, N_THREADS)
    start = time.perf_counter()
    alone = [classifier.predict_proba(part) for part in parts]
    between = time.perf_counter()
    with ThreadPoolExecutor(N_THREADS) as threads:
        together = list(threads.map(classifier.predict_proba, parts))
    end = time.perf_counter()
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    return between - start, end - between


def main():
    arguments = parse_arguments(__doc__, n_images=(20_000, 1_000_000))
    print_machine()
    X, y = make_images(300, image_shape=(SIDE, SIDE, 3), random_state=0)
    classifier = MobileNetV2Classifier(
        weights=None, input_size=SIDE, feature_cache=None, epochs=1, random_state=0
    ).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images"
        write_images(path, arguments.n_images)
        seconds, before = stream(classifier, path, arguments.n_images)
        size = path.stat().st_size / 1e9
    rate = arguments.n_images / seconds
    print_table(
        ("images", "file, GB", "seconds", "images/s", "peak memory before, GB", "after, GB"),
        [
            (
                f"{arguments.n_images:,}",
                f"{size:.2f}",
                f"{seconds:.0f}",
                f"{rate:.0f}",
                f"{before:.2f}",
                f"{peak_memory():.2f}",
            )
        ],
    )
    X, _ = make_images(4_000, image_shape=(SIDE, SIDE, 3), random_state=1)
    alone, together = predict_from_threads(classifier, X)
    print_table(
        ("images", "one thread, s", f"{N_THREADS} threads at once, s", "probabilities"),
        [(len(X), f"{alone:.1f}", f"{together:.1f}", "equal")],
    )


if __name__ == "__main__":
    main()
