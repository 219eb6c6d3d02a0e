import dataclasses
import os
import pickle
import subprocess
import sys
import tracemalloc

import joblib
import numpy as np
import pytest

from skcifar import MobileNetV2Classifier
from skcifar._extraction import engines, extractor, openvino_engine, resizing, tensorflow_engine
from skcifar._extraction.digests import image_digests
from skcifar._extraction.engines import (
    check_precision,
    resolve_engine,
    run_network,
    training_precision,
)
from skcifar._extraction.extractor import Extractor
from skcifar._extraction.feature_cache import MemoryStore
from skcifar._extraction.shifting import shifted_by_content
from skcifar._model import frozen as frozen_module
from skcifar._model.frozen import FrozenNetwork
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._system.processors import n_processors
from skcifar._weights.loading import load_backbone
from skcifar.datasets import make_images


def frozen_network(image_shape=(20, 24, 3), alpha=0.35, **options):
    network, weights = load_backbone(MobileNetV2, None, alpha, 32, image_shape)
    return FrozenNetwork(network, weights, image_shape, (0.0, 255.0), **options)


@pytest.fixture
def images():
    return make_images(n_samples=20, image_shape=(20, 24, 3), random_state=0)[0]


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(a).max()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_engines_give_the_same_features(channels, mirrored):
    images, _ = make_images(n_samples=20, image_shape=(20, 24, channels), random_state=0)
    frozen = frozen_network(images.shape[1:], mirrored=mirrored)
    tensorflow, openvino = (
        run_network(frozen, images, engine, "float32") for engine in ("tensorflow", "openvino")
    )
    # The bound that users are promised; measured 1e-5 with the ImageNet weights.
    assert relative_error(tensorflow, openvino) <= 1e-3


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_lower_part_puts_out_maps(images, engine):
    frozen = frozen_network()
    lower = frozen.below(14)
    maps = run_network(lower, images, engine, "float32")
    assert maps.shape == (20, *lower.feature_shape)
    assert relative_error(maps, run_network(lower, images, "tensorflow", "float32")) <= 1e-3


def test_mirrored_network_sees_the_mirror_image(images):
    mirrored = run_network(frozen_network(mirrored=True), images, "openvino", "float32")
    expected = run_network(frozen_network(), images[:, :, ::-1], "openvino", "float32")
    # Sums run in another order.
    assert relative_error(expected, mirrored) <= 1e-5


def test_grey_images_are_repeated_to_rgb(images):
    grey = images[..., :1]
    rgb = np.repeat(grey, 3, axis=3)
    expected = run_network(frozen_network((20, 24, 3)), rgb, "openvino", "float32")
    actual = run_network(frozen_network((20, 24, 1)), grey, "openvino", "float32")
    assert relative_error(expected, actual) <= 1e-5


def test_openvino_runs_in_the_precision_asked_for():
    for precision, expected in (("float32", "f32"), ("bfloat16", "bf16")):
        try:
            check_precision("openvino", precision)
        except ValueError:
            pytest.skip("this processor has no bfloat16")
        run = engines._compiled(frozen_network(), "openvino", precision, 1)
        element_type = run.compiled.get_property("INFERENCE_PRECISION_HINT")
        assert element_type.get_type_name() == expected


def test_precision_that_the_processor_lacks_is_an_error(monkeypatch):
    monkeypatch.setattr(tensorflow_engine, "has_bfloat16", lambda: False)
    with pytest.raises(ValueError, match=r'not available .* Pass precision="float32"'):
        check_precision("tensorflow", "bfloat16")


def test_fine_tuning_needs_bfloat16_of_tensorflow_whatever_the_engine(images, monkeypatch):
    monkeypatch.setattr(openvino_engine, "has_bfloat16", lambda: True)
    monkeypatch.setattr(tensorflow_engine, "has_bfloat16", lambda: False)
    classifier = MobileNetV2Classifier(
        engine="openvino", precision="bfloat16", weights=None, fine_tune_epochs=1
    )
    with pytest.raises(ValueError, match="TensorFlow, which does the fine-tuning"):
        classifier.fit(images, np.arange(len(images)) % 2)
    assert not hasattr(classifier, "history_")


@pytest.mark.parametrize(("has_it", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_head_is_trained_in_bfloat16_where_tensorflow_has_it(monkeypatch, has_it, expected):
    monkeypatch.setattr(tensorflow_engine, "has_bfloat16", lambda: has_it)
    assert training_precision("bfloat16") == expected
    assert training_precision("float32") == "float32"


def test_missing_engine_names_the_pip_line(monkeypatch):
    monkeypatch.setattr(openvino_engine.importlib.util, "find_spec", lambda name: None)
    assert resolve_engine("auto") == "tensorflow"
    with pytest.raises(ImportError, match=r"pip install \"skcifar\[openvino\]\""):
        resolve_engine("openvino")


def test_padding_of_the_last_batch_changes_nothing(images):
    frozen = frozen_network()
    whole = run_network(frozen, images, "openvino", "float32")
    alone = np.concatenate(
        [run_network(frozen, images[i : i + 1], "openvino", "float32") for i in range(len(images))]
    )
    np.testing.assert_array_equal(whole, alone)


def test_chunks_make_the_whole(images, monkeypatch):
    frozen, openvino = frozen_network(), Extractor("openvino")
    whole = openvino.extract(frozen, images)
    monkeypatch.setattr(extractor, "_CHUNK_SIZE", 7)
    np.testing.assert_array_equal(openvino.extract(frozen, images), whole)


def test_an_image_that_stands_twice_is_run_once(images, monkeypatch):
    counted = []
    monkeypatch.setattr(
        engines,
        "run_network",
        lambda frozen, images, *rest: (
            counted.append(len(images)) or run_network(frozen, images, *rest)
        ),
    )
    extractor = Extractor("openvino", store=MemoryStore())
    twice = np.concatenate([images, images])
    features = extractor.extract(frozen_network(), twice)
    np.testing.assert_array_equal(features[:20], features[20:])
    extractor.extract(frozen_network(), images[::-1])
    assert counted == [20]


@pytest.mark.parametrize(
    ("engine", "feature_layers", "unit", "n_known"),
    [
        ("tensorflow", "blocks", 13, None),
        ("tensorflow", "depthwise", 18, None),  # of the last block, no feature needs the output
        ("openvino", "last", 13, None),
        ("openvino", "blocks", 13, 0),
        ("openvino", "depthwise", 13, 7),
    ],
)
def test_one_pass_gives_what_two_would(images, engine, feature_layers, unit, n_known):
    views = [frozen_network(feature_layers=feature_layers, mirrored=m) for m in (False, True)]
    images = np.concatenate([images, images[:3]])
    alone = Extractor(engine)
    store = None if n_known is None else MemoryStore()
    extractor = Extractor(engine, store=store)
    extractor.extract(views[0], images[: n_known or 0])
    n_told = []
    for rows, pairs in extractor.iterate_with_maps(views, unit, images, n_told.append):
        for view, (features, maps) in zip(views, pairs, strict=True):
            np.testing.assert_array_equal(features, alone.extract(view, images[rows]))
            np.testing.assert_array_equal(maps, alone.extract(view.below(unit), images[rows]))
    assert sum(n_told) == len(views) * len(images)
    if store is not None:
        assert len(store._rows) == len(views) * 20


def test_more_features_than_the_store_holds_are_not_kept(images, monkeypatch):
    store = MemoryStore()
    extractor = Extractor("openvino", store=store)
    frozen = frozen_network()
    monkeypatch.setenv("SKCIFAR_MEMORY_CACHE_BYTES", str(20 * 1280 * 4))
    few = extractor.extract(frozen, images)
    extractor.extract(frozen, make_images(n_samples=21, image_shape=(20, 24, 3))[0])
    out = np.empty_like(few)
    key, digests = extractor._store_key(frozen), image_digests(images)
    assert store.read(key, digests, out) == []
    np.testing.assert_array_equal(out, few)


@pytest.mark.parametrize(("n_held", "n_kept"), [(39, 0), (40, 40)])
def test_the_features_of_all_views_are_kept_or_none(images, monkeypatch, n_held, n_kept):
    views = [frozen_network(), frozen_network(mirrored=True)]
    row_bytes = 4 * np.prod(views[0].feature_shape)
    monkeypatch.setenv("SKCIFAR_MEMORY_CACHE_BYTES", str(n_held * row_bytes))
    store = MemoryStore()
    list(Extractor("openvino", store=store).iterate_views(views, images))
    assert len(store._rows) == n_kept


def test_fingerprint_tells_apart_all_that_decides_the_features():
    frozen = frozen_network()
    other_weights = (frozen.weights[0] + 1, *frozen.weights[1:])
    variants = [
        frozen,
        dataclasses.replace(frozen, weights=other_weights),
        dataclasses.replace(frozen, pixel_range=(0.0, 1.0)),
        dataclasses.replace(frozen, image_shape=(24, 20, 3)),
        dataclasses.replace(frozen, mirrored=True),
        dataclasses.replace(frozen, translation=1),
        dataclasses.replace(frozen, moved_by=(1, 0)),
        dataclasses.replace(frozen, moved_by=(0, 1)),
        dataclasses.replace(frozen, last=13),
        frozen.with_map_below(13),
        frozen.with_map_below(14),
        dataclasses.replace(frozen, network=dataclasses.replace(frozen.network, input_size=64)),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    keys = {
        Extractor(engine, precision)._store_key(frozen)
        for engine in ("tensorflow", "openvino")
        for precision in ("float32", "bfloat16")
    }
    assert len(keys) == 4
    assert frozen_network().fingerprint == frozen.fingerprint


def test_shifts_derive_from_the_image_and_stay_within_an_eighth(images):
    shifted = shifted_by_content(images, 1)
    np.testing.assert_array_equal(shifted, shifted_by_content(images[::-1], 1)[::-1])
    assert (shifted != shifted_by_content(images, 2)).any()
    column = np.arange(24, dtype=np.uint8) + np.zeros((5, 20, 24, 1), np.uint8)
    column += np.arange(5, dtype=np.uint8)[:, None, None, None] * 30  # five different images
    moved = shifted_by_content(column, 1).astype(int) - column
    assert np.abs(moved).max() <= 3


def test_threads_are_those_that_joblib_grants():
    granted = joblib.Parallel(n_jobs=2)(joblib.delayed(n_processors)() for _ in range(2))
    assert granted == [max(1, joblib.cpu_count() // 2)] * 2


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@pytest.mark.parametrize("n_images", [1, 3, 6])
def test_fewer_images_than_a_batch_are_not_filled_up(images, engine, n_images, monkeypatch):
    seen = []
    batches = engines._batches

    def counting(*arguments, **options):
        for start, batch in batches(*arguments, **options):
            seen.append(len(batch))
            yield start, batch

    monkeypatch.setattr(engines, "_batches", counting)
    run_network(frozen_network(), images[:n_images], engine, "float32")
    # Beyond one batch, OpenVINO's last one is filled up: by three images at most.
    assert sum(seen) < n_images + 4
    assert sum(seen) == n_images or n_images > 4


def test_batches_of_a_large_network_are_small():
    network = dataclasses.replace(frozen_network().network, input_size=1024, alpha=1.0)
    for engine in (openvino_engine, tensorflow_engine):
        size = engines._batch_size(network, engine, 100)
        assert 4 * np.prod(network.input_shape(1)) * size <= engines._BATCH_BYTES


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("view", [{}, {"mirrored": True, "moved_by": (4, -6)}])
def test_large_images_are_resized_as_the_network_does(channels, view, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 70, 90, channels), dtype=np.uint8)
    frozen = frozen_network(images.shape[1:], **view)
    within = run_network(frozen, images, "openvino", "float32")
    monkeypatch.setattr(resizing, "_LARGE", 0)
    monkeypatch.setattr(resizing, "_BAND_BYTES", 4 * 90 * 7)  # bands of 7 rows, or of 2
    for engine in ("tensorflow", "openvino"):
        before = run_network(frozen, images, engine, "float32")
        # Sums run in another order; the engines differ by as much.
        assert relative_error(within, before) <= 1e-4


def test_a_large_image_takes_little_memory():
    image = np.zeros((1, 2000, 2000, 3), np.uint8)
    frozen = frozen_network(image.shape[1:], moved_by=(125, 0))
    run_network(frozen, image, "openvino", "float32")
    tracemalloc.start()
    run_network(frozen, image, "openvino", "float32")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < image.nbytes  # in float32 it would be four times as much


def test_weights_are_hashed_once(make_classifier, monkeypatch):
    X, y = make_images(n_samples=20, random_state=0)
    classifier = make_classifier(test_time_augmentation=True, feature_cache=None).fit(X, y)
    classifier.predict(X[:1])
    monkeypatch.setattr(frozen_module.hashlib, "blake2b", None)
    classifier.predict(X[:1])


def test_what_is_computed_on_demand_is_not_pickled():
    frozen = frozen_network()
    size = len(pickle.dumps(frozen))
    assert frozen.fingerprint != frozen.mirror_image.fingerprint
    assert frozen.preprocessing
    assert frozen.after_resizing
    assert len(pickle.dumps(frozen)) == size
    assert pickle.loads(pickle.dumps(frozen)).fingerprint == frozen.fingerprint


FORKED = """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about threads and forks
from skcifar import MobileNetV2Classifier, load_pretrained
from skcifar._extraction import feature_cache
from skcifar._images import decoding
from skcifar._system import libraries
from PIL import Image
from skcifar.datasets import make_images

X, y = make_images(n_samples=20, random_state=0)
classifier = load_pretrained("cifar10-32px")
expected = classifier.predict_proba(X)
classifier.feature_cache = None
MobileNetV2Classifier(weights="cifar10-32px", epochs=1).fit(X, y)
held = threading.Event()

def hold_locks():
    with feature_cache._MEMORY_STORE._lock, libraries._import_lock:
        with decoding._pil_images, decoding._large_pictures:
            held.set()
            threading.Event().wait()

threading.Thread(target=hold_locks, daemon=True).start()
held.wait()
child = os.fork()
if child:
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
classifier.feature_cache = "memory"
assert classifier.predict([Image.fromarray(X[0])]).shape == (1,)
assert abs(classifier.predict_proba(X) - expected).max() == 0
try:
    MobileNetV2Classifier(weights="cifar10-32px", epochs=1).fit(X, y)
except RuntimeError as error:
    assert "TensorFlow does not survive" in str(error)
else:
    raise AssertionError("no error")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_predicts_and_does_not_hang():
    command = [sys.executable, "-c", FORKED]
    # Seconds where all is well; a child that waits for its parent's threads would wait for ever.
    subprocess.run(command, check=True, timeout=120)
