"""Many threads at once, and more images than memory."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skcifar import clear_feature_cache
from skcifar._extraction import engines
from skcifar.datasets import make_images

N_THREADS = 8


@pytest.fixture(scope="module", params=["tensorflow", "openvino"])
def expected(request, make_classifier, images):
    """Return a classifier on an engine, images, and their probabilities."""
    if request.param == "openvino":
        pytest.importorskip("openvino")
    classifier = make_classifier(engine=request.param, feature_cache=None).fit(*images)
    X, _ = make_images(N_THREADS * 20, image_shape=(16, 16, 3), random_state=2)
    return classifier, X, classifier.predict_proba(X)


@pytest.mark.parametrize("feature_cache", ["memory", None, "disk"])
def test_predict_from_eight_threads_is_right(expected, tmp_path, feature_cache):
    classifier, X, probabilities = expected
    classifier.set_params(feature_cache=tmp_path if feature_cache == "disk" else feature_cache)
    clear_feature_cache()
    engines._compiled_networks.clear()  # so that the threads compile it at once as well
    # Every thread has images of its own, and some that others have too.
    parts = [slice(20 * number, 20 * number + 40) for number in range(N_THREADS)]
    with ThreadPoolExecutor(N_THREADS) as threads:
        found = list(threads.map(lambda part: classifier.predict_proba(X[part]), parts))
    for part, of_part in zip(parts, found, strict=True):
        # In other batches sums come in another order.
        np.testing.assert_allclose(of_part, probabilities[part], rtol=0, atol=1e-6)


def test_fits_in_threads_are_those_of_one_thread(make_classifier, images):
    seeds = range(4)
    expected = [make_classifier(random_state=seed).fit(*images).history_ for seed in seeds]
    with ThreadPoolExecutor(4) as threads:
        fits = threads.map(lambda seed: make_classifier(random_state=seed).fit(*images), seeds)
        assert [classifier.history_ for classifier in fits] == expected


STREAM = """
import resource, sys
import numpy as np
from skcifar import MobileNetV2Classifier
from skcifar._extraction import extractor
from skcifar.datasets import make_images

path, n, side, extractor._CHUNK_SIZE = sys.argv[1], *map(int, sys.argv[2:])
rng = np.random.default_rng(0)
with open(path, "wb") as file:
    for start in range(0, n, 1_000):
        file.write(rng.integers(0, 256, (1_000, side, side, 3), dtype=np.uint8).tobytes())
more_than_a_chunk = extractor._CHUNK_SIZE + 100
X, y = make_images(more_than_a_chunk, image_shape=(side, side, 3), random_state=0)
classifier = MobileNetV2Classifier(
    weights=None, alpha=0.35, input_size=32, epochs=1, random_state=0, feature_cache=None
).fit(X, y)
classifier.predict(X)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
mapped = np.memmap(path, np.uint8, mode="r", shape=(n, side, side, 3))
labels = classifier.predict(mapped)
after = peak()
some = np.sort(rng.choice(n, 50, replace=False))
assert (classifier.predict(mapped[some]) == labels[some]).all()
print(before, after)
"""


def stream(path, n_images, side, chunk_size):
    """Return the peak memory in bytes before and after `predict` on a memory-mapped file."""
    command = [sys.executable, "-c", STREAM, path, *map(str, (n_images, side, chunk_size))]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return map(int, printed.split())


def test_a_memory_mapped_file_takes_no_memory(tmp_path):
    before, after = stream(tmp_path / "images", 10_000, side=64, chunk_size=400)
    assert os.path.getsize(tmp_path / "images") > 120e6
    assert after - before < 30e6


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_images_stream_within_2_gb(tmp_path):
    _, after = stream(tmp_path / "images", 1_000_000, side=32, chunk_size=4096)
    assert after < 2e9


def test_changes_to_a_copy_on_write_map_survive(make_classifier, images, tmp_path):
    X, y = images
    classifier = make_classifier().fit(X, y)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="c")
    mapped[:30] = mapped[::-1][:30].copy()
    changed = np.array(mapped)
    classifier.predict(mapped)
    np.testing.assert_array_equal(mapped, changed)
