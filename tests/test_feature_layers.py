"""What of the network the head gets to see: `feature_layers`."""

import keras
import numpy as np
import pytest

from skcifar import clear_feature_cache, export, load, save
from skcifar._extraction.engines import run_network
from skcifar._model.frozen import FrozenNetwork
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._model.network import FEATURE_LAYERS
from skcifar._persistence.archive import Archive
from skcifar._weights.loading import load_backbone

ENGINES = ("tensorflow", "openvino")


def frozen_network(**options):
    network, weights = load_backbone(MobileNetV2, None, 0.35, 32, (20, 24, 3))
    return FrozenNetwork(network, weights, (20, 24, 3), (0.0, 255.0), **options)


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).integers(256, size=(5, 20, 24, 3)).astype(np.uint8)


def averages_by_keras(frozen, images, feature_layers):
    """Return the features of `images` from the network that Keras itself builds."""
    network = keras.applications.MobileNetV2((32, 32, 3), 0.35, False, None)
    network.set_weights(frozen.weights)
    blocks = [layer for layer in network.layers if layer.name.endswith("_project_BN")]
    outputs = []
    for block in blocks:
        name = block.name.removesuffix("_project_BN")
        if feature_layers == "depthwise":
            outputs.append(network.get_layer(f"{name}_depthwise_relu").output)
        else:
            names = {layer.name for layer in network.layers}
            outputs.append(
                network.get_layer(f"{name}_add").output if f"{name}_add" in names else block.output
            )
    if feature_layers in ("last", "all"):
        outputs = [*(outputs if feature_layers == "all" else ()), network.output]
    scale, offset, columns, rows = frozen.preprocessing
    pixels = (images.reshape(len(images), 20, -1) * scale + offset) @ columns
    pixels = np.einsum("bhw,hr->brw", pixels, rows).reshape(len(images), 32, 32, 3)
    maps = keras.Model(network.input, outputs).predict(pixels, verbose=0)
    maps = maps if isinstance(maps, list) else [maps]
    return np.concatenate([each.mean(axis=(1, 2)) for each in maps], axis=1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("feature_layers", FEATURE_LAYERS)
def test_features_are_averages_of_the_maps_of_the_keras_network(pictures, engine, feature_layers):
    frozen = frozen_network(feature_layers=feature_layers)
    features = run_network(frozen, pictures, engine, "float32")
    expected = averages_by_keras(frozen, pictures, feature_layers)
    assert features.shape == expected.shape == (5, *frozen.feature_shape)
    # Maps of a random network span ten orders of magnitude: each layer by its own scale.
    layers = frozen.features
    largest = [np.abs(part).max() for part in np.split(expected, ends(layers)[:-1], axis=1)]
    scale = np.repeat(largest, [layer.width for layer in layers])
    np.testing.assert_allclose(features / scale, expected / scale, atol=1e-3)


def ends(layers):
    return np.cumsum([layer.width for layer in layers])


def test_blocks_are_1504_numbers_and_depthwise_convolutions_7136():
    widths = {
        name: sum(layer.width for layer in MobileNetV2(96).features(name))
        for name in FEATURE_LAYERS
    }
    assert widths == {"last": 1280, "blocks": 1504, "all": 2784, "depthwise": 7136}


def test_the_last_convolution_is_not_run_where_no_feature_needs_it():
    blocks, both = (frozen_network(feature_layers=name) for name in ("blocks", "all"))
    assert len(both.needed_weights) - len(blocks.needed_weights) == 5
    assert both.needed_weights == both.weights


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("feature_layers", ["blocks", "depthwise"])
def test_a_lower_part_puts_out_its_map_and_behind_it_its_features(pictures, engine, feature_layers):
    frozen = frozen_network(feature_layers=feature_layers)
    lower = run_network(frozen.below(14), pictures, engine, "float32")
    maps = run_network(frozen_network().below(14), pictures, engine, "float32")
    whole = run_network(frozen, pictures, engine, "float32")
    size = maps[0].size
    np.testing.assert_allclose(lower[:, :size], maps.reshape(5, -1), rtol=1e-4, atol=1e-12)
    n_lower = lower.shape[1] - size
    np.testing.assert_allclose(lower[:, size:], whole[:, :n_lower], rtol=1e-4, atol=1e-12)


def test_keys_of_the_cache_tell_feature_layers_apart_and_stay_what_they_were():
    keys = {frozen_network(feature_layers=name).fingerprint for name in FEATURE_LAYERS}
    assert len(keys) == len(FEATURE_LAYERS)
    assert "feature_layers" not in repr(frozen_network())


@pytest.mark.parametrize("feature_layers", FEATURE_LAYERS)
def test_names_say_block_and_channel(make_features, images, feature_layers):
    features = make_features(feature_layers=feature_layers).fit(images[0])
    names = features.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == features.transform(images[0][:1]).shape[1]
    expected = {
        "last": "mobilenetv2_0",
        "blocks": "mobilenetv2_block_3_10",
        "all": "mobilenetv2_last_1279",
        "depthwise": "mobilenetv2_block_16_depthwise_5",
    }
    assert expected[feature_layers] in names


@pytest.mark.parametrize("feature_layers", FEATURE_LAYERS)
@pytest.mark.parametrize("mirrored_too", [False, True])
def test_model_head_and_export_agree_with_predict_proba(
    make_classifier, images, tmp_path, feature_layers, mirrored_too
):
    onnxruntime = pytest.importorskip("onnxruntime")
    X, y = images
    classifier = make_classifier(
        feature_layers=feature_layers, test_time_augmentation=mirrored_too
    ).fit(X, y)
    expected = classifier.predict_proba(X[:8])
    pixels = X[:8].astype(np.float32)
    np.testing.assert_allclose(classifier.model_.predict(pixels, verbose=0), expected, atol=1e-3)
    export(classifier, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"images": pixels})
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("feature_layers", ["blocks", "all", "depthwise"])
@pytest.mark.parametrize("blocks", [0, 2, "all"])
def test_fine_tuning_trains_what_the_head_sees(make_classifier, images, feature_layers, blocks):
    X, y = images
    options = {"feature_layers": feature_layers, "epochs": 2}
    frozen = make_classifier(**options).fit(X, y)
    tuned = make_classifier(fine_tune_epochs=1, fine_tune_blocks=blocks, **options).fit(X, y)
    changed = [
        (a != b).any() for a, b in zip(frozen._frozen.weights, tuned._frozen.weights, strict=True)
    ]
    first = tuned._frozen.network.n_arrays(tuned._frozen.network.first_unfrozen(blocks) - 1)
    assert not any(changed[:first])
    assert any(changed) or (blocks == 0 and feature_layers != "all")
    pixels = X[:8].astype(np.float32)
    np.testing.assert_allclose(
        tuned.model_.predict(pixels, verbose=0), tuned.predict_proba(X[:8]), atol=1e-3
    )


def test_loss_does_not_jump_where_fine_tuning_starts(make_classifier, images):
    X, y = images
    options = {"epochs": 8, "dropout": 0.0, "feature_layers": "blocks"}
    before = make_classifier(**options).fit(X, y)
    after = make_classifier(
        fine_tune_epochs=1, fine_tune_learning_rate=1e-12, fine_tune_blocks=4, **options
    ).fit(X, y)
    # The maps and averages that are stored for it are rounded to bfloat16.
    np.testing.assert_allclose(after.predict_proba(X), before.predict_proba(X), atol=0.02)
    assert after.history_["loss"][-1] < before.history_["loss"][-1] + 0.05


@pytest.mark.parametrize("feature_layers", FEATURE_LAYERS)
def test_saved_and_loaded_to_the_bit(make_classifier, images, tmp_path, feature_layers):
    X, y = images
    classifier = make_classifier(feature_layers=feature_layers).fit(X, y)
    save(classifier, tmp_path / "classifier")
    loaded = load(tmp_path / "classifier")
    assert loaded.get_params()["feature_layers"] == feature_layers
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    with open(tmp_path / "classifier", "rb") as file:
        assert Archive(file).version >= 2  # the first that has feature layers


def test_layers_share_a_cache_without_being_taken_for_each_other(make_features, images, tmp_path):
    X = images[0]
    expected = {}
    for name in FEATURE_LAYERS:
        clear_feature_cache()
        expected[name] = make_features(feature_layers=name, feature_cache=None).fit_transform(X)
    for _ in range(2):
        for name in FEATURE_LAYERS:
            found = make_features(feature_layers=name, feature_cache=tmp_path).fit_transform(X)
            np.testing.assert_array_equal(found, expected[name])
