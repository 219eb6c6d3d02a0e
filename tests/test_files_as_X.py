"""Pictures in files as `X`: paths, bytes, PIL images, `ImageFiles` and frames of them."""

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_folder import encoded, photograph
from PIL import Image
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import (
    ImageFiles,
    ImageNormalizer,
    clear_feature_cache,
    load,
    load_image,
    save,
)
from skcifar._extraction import engines
from skcifar._extraction.extractor import Extractor
from skcifar._extraction.feature_cache import MemoryStore
from skcifar._images import pieces, reading
from skcifar._images.given import largest_side, pictures_in
from skcifar._model.network import STEM
from skcifar._system.progress import Progress
from skcifar._training import inputs
from skcifar.datasets import load_image_folder
from skcifar.model_selection import find_learning_rate

N, SIDE = 24, 32
CLASSES = np.array(["cat", "dog", "owl"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 24 pictures in three classes of different colours."""
    folder = tmp_path_factory.mktemp("pets")
    for number in range(N):
        pixels = np.asarray(photograph(number)) // np.array([1, 2, 4])[np.arange(3) - number % 3]
        path = folder / CLASSES[number % 3] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def paths(folder):
    return sorted(map(str, folder.rglob("*.png")))


@pytest.fixture(scope="module")
def y(paths):
    return np.array([Path(path).parent.name for path in paths])


@pytest.fixture(scope="module")
def pixels(paths):
    """What the estimators see of the files."""
    return np.stack([load_image(path, image_size=SIDE) for path in paths])


@pytest.fixture(scope="module")
def frame(paths, y):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"path": paths, "size": np.arange(N) / N, "label": y})


@pytest.fixture(scope="module")
def fitted(make_classifier, paths, y):
    return make_classifier().fit(paths, y)


@pytest.fixture
def counts(monkeypatch):
    """Count pictures that are decoded and images that the network runs over, from nothing kept."""
    clear_feature_cache()
    counts = {"decoded": 0, "run": 0}
    decode, run_network = reading.decode, engines.run_network

    def counting_decode(content, sizing):
        counts["decoded"] += 1
        return decode(content, sizing)

    def counting_run(frozen, images, *arguments):
        counts["run"] += len(images)
        return run_network(frozen, images, *arguments)

    for module in (reading, pieces):
        monkeypatch.setattr(module, "decode", counting_decode)
    monkeypatch.setattr(engines, "run_network", counting_run)
    return counts


# --- What pictures can be given as ---------------------------------------------------------------

CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "Path": lambda paths: [Path(path) for path in paths],
    "array of objects": lambda paths: np.array(paths, object),
    "array of strings": np.array,
    "column": lambda paths: np.array(paths)[:, None],
    "bytes": lambda paths: [Path(path).read_bytes() for path in paths],
    "PIL images": lambda paths: [Image.open(path) for path in paths],
    "mixed": lambda paths: [Path(paths[0]), Image.open(paths[1]), *paths[2:]],
    "ImageFiles": lambda paths: ImageFiles(paths, image_size=SIDE),
    "Series": lambda paths: pytest.importorskip("pandas").Series(paths, index=range(5, 5 + N)),
    "frame": lambda paths: pytest.importorskip("pandas").DataFrame({"path": paths}),
    "categories": lambda paths: pytest.importorskip("pandas").Series(paths, dtype="category"),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_all_kinds_of_pictures_are_those_of_the_array(fitted, paths, pixels, y, container):
    X = CONTAINERS[container](paths)
    expected = fitted.predict_proba(pixels)
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    np.testing.assert_array_equal(fitted.decision_function(X), fitted.decision_function(pixels))
    assert fitted.score(X, y) == fitted.score(pixels, y)


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_fit_on_any_of_them_is_that_on_the_array(
    make_classifier, fitted, paths, pixels, y, container
):
    X = CONTAINERS[container](paths)
    classifier = make_classifier(feature_cache=None).fit(X, y)
    np.testing.assert_array_equal(
        classifier.predict_proba(pixels),
        make_classifier(feature_cache=None).fit(pixels, y).predict_proba(pixels),
    )


@settings(max_examples=20, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 5),
    format=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]),
)
def test_a_new_picture_is_the_same_to_the_bit_by_any_way(fitted, size, seed, format):
    content = encoded(photograph(seed, size), format)
    image = load_image(content, image_size=fitted.image_shape_[:2])
    of_files = np.asarray(ImageFiles([content], image_size=SIDE))
    np.testing.assert_array_equal(of_files[0], image)
    np.testing.assert_array_equal(fitted.predict_proba([content]), fitted.predict_proba(of_files))


def test_a_folder_as_an_array_or_as_files_or_by_its_paths_is_the_same(make_classifier, folder):
    data = load_image_folder(folder, image_size=SIDE)
    files = load_image_folder(folder, image_size=SIDE, as_files=True).images
    results = [
        make_classifier(feature_cache=None).fit(X, data.target).predict_proba(data.filenames)
        for X in (data.images, files, data.filenames)
    ]
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_whole_programs_of_the_guide(make_classifier, frame, tmp_path):
    (tmp_path / "new.jpg").write_bytes(encoded(photograph(50), "JPEG"))
    classifier = make_classifier().fit(frame["path"], frame["label"])
    assert classifier.predict([str(tmp_path / "new.jpg")])[0] in CLASSES


def test_one_picture_alone_says_to_pass_a_list(fitted, paths):
    for picture in (paths[0], Path(paths[0]), b"content", photograph(0)):
        with pytest.raises(ValueError, match=r"X is one picture, a \w+\. Pass a list .*\[X\]"):
            fitted.predict(picture)


def test_a_folder_says_what_reads_folders(fitted, paths):
    folder = Path(paths[0]).parent
    for X in (folder, str(folder)):
        with pytest.raises(ValueError, match=r"X is the path of a folder\..*load_image_folder"):
            fitted.predict(X)


def test_what_is_no_picture_is_named_by_its_place(make_classifier, paths, y):
    for other in (None, float("nan"), 3):
        X = [*paths[:5], other, *paths[6:]]
        with pytest.raises(
            TypeError, match=r"X\[5\] is of type \w+; expected the path of a picture"
        ):
            make_classifier().fit(X, y)


@settings(max_examples=100)
@given(
    st.recursive(
        st.one_of(st.integers(), st.floats(), st.none(), st.booleans()),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=8,
    )
)
def test_numbers_are_never_taken_for_pictures(X):
    assert pictures_in(X) is None
    array = np.empty(3, object)
    array[:] = [X] * 3
    assert pictures_in(array) is None


def test_no_pictures_is_the_message_of_scikit_learn(fitted, paths):
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        fitted.predict(ImageFiles([], image_size=SIDE))


def test_labels_are_checked_before_a_file_is_read(make_classifier, paths, y, counts):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_classifier().fit(paths, y[1:])
    with pytest.raises(ValueError, match="target y is None"):
        make_classifier().fit(paths, None)
    assert counts == {"decoded": 0, "run": 0}


# --- Sizes, ranges, ways of resizing -------------------------------------------------------------


def test_files_are_read_at_the_size_that_the_network_sees(make_features, paths):
    features = make_features(input_size=40).fit(paths)
    assert features.image_shape_ == (40, 40, 3)
    assert features.n_features_in_ == 40 * 40 * 3
    assert features.pixel_range_ == (0.0, 255.0)
    assert features.resize_ == "stretch"


def test_image_shape_is_another_size_to_read_files_at(make_features, paths):
    features = make_features(image_shape=(20, 30, 3)).fit(paths)
    expected = make_features().fit_transform(np.asarray(ImageFiles(paths, image_size=(20, 30))))
    np.testing.assert_array_equal(features.transform(paths), expected)


@pytest.mark.parametrize(
    ("size", "expected"), [((60, 40), 96), ((111, 40), 96), ((40, 130), 128), ((2000, 9), 160)]
)
def test_auto_is_the_size_of_the_largest_but_at_most_160(make_features, size, expected):
    X = [encoded(photograph(0, size), "PNG"), encoded(photograph(1, (30, 30)), "PNG")]
    features = make_features(input_size="auto").fit(X)
    assert features.image_shape_ == (expected, expected, 3)
    assert features._frozen.network.input_size == expected


def test_auto_is_what_shipped_weights_were_trained_at(make_features, paths):
    features = make_features(weights="cifar10-32px", alpha=None, input_size="auto").fit(paths)
    assert features.image_shape_ == (32, 32, 3)


def test_few_headers_decide_the_size_and_bad_ones_do_not():
    assert largest_side([b"text", encoded(photograph(0, (70, 50)), "PNG"), "nowhere.png"]) == 70
    assert largest_side([b"text"]) is None
    looked_at = []

    class Picture:
        def __init__(self, number):
            self.number = number

        @property
        def size(self):
            looked_at.append(self.number)
            return (5, self.number)

    assert largest_side([Picture(number) for number in range(1000)]) > 900
    assert len(looked_at) <= 64


@pytest.mark.parametrize("resize", ["crop", "pad"])
def test_new_files_are_resized_like_the_image_files_of_the_fit(make_features, paths, resize):
    files = ImageFiles(paths, image_size=SIDE, resize=resize)
    features = make_features().fit(files)
    assert features.resize_ == resize
    np.testing.assert_array_equal(features.transform(paths), features.transform(files))
    assert not np.array_equal(features.transform(paths), make_features().fit_transform(paths))


def test_files_that_are_resized_in_another_way_than_at_fit_are_a_warning(fitted, paths):
    with pytest.warns(UserWarning, match="resize='pad', but the fit was .* resize='stretch'"):
        fitted.predict(ImageFiles(paths, image_size=SIDE, resize="pad"))


def test_files_after_a_fit_on_an_array_are_read_at_its_size(make_features, paths):
    images = np.asarray(ImageFiles(paths, image_size=(20, 30)))
    features = make_features().fit(images)
    assert features.resize_ is None
    np.testing.assert_array_equal(features.transform(paths), features.transform(images))


def test_image_files_of_another_size_are_an_error(fitted, paths):
    with pytest.raises(ValueError, match=r"X has images of shape \(40, 40, 3\).*fitted on"):
        fitted.predict(ImageFiles(paths, image_size=40))


def test_files_after_a_fit_on_scaled_pixels_are_an_error(make_features, paths, pixels):
    features = make_features().fit(pixels / 255)
    with pytest.raises(ValueError, match=r"read as bytes.*was fitted on pixels in \[0, 1\]"):
        features.transform(paths)
    with pytest.raises(ValueError, match=r"the parameters ask for pixels in \[0, 1\]"):
        make_features(pixel_range=(0, 1)).fit(paths)


def test_files_after_a_fit_on_grey_images_are_an_error(make_features, paths, pixels):
    features = make_features().fit(pixels[..., :1])
    with pytest.raises(ValueError, match=r"read as RGB.*fitted on grey images"):
        features.transform(paths)
    with pytest.raises(ValueError, match=r"the parameters ask for grey images"):
        make_features(image_shape=(20, 20, 1)).fit(paths)


def test_stated_range_of_bytes_is_that_of_files(make_features, paths):
    assert make_features(pixel_range=(0, 255)).fit(paths).pixel_range_ == (0.0, 255.0)


# --- Read once -----------------------------------------------------------------------------------


def test_second_fit_and_other_folds_decode_nothing_and_run_nothing(
    make_classifier, paths, y, counts, tmp_path
):
    classifier = make_classifier(feature_cache=tmp_path / "features", early_stopping=True)
    classifier.set_params(validation_fraction=0.2)
    classifier.fit(paths, y)
    assert counts == {"decoded": N, "run": N}
    clone(classifier).fit(paths[::-1], y[::-1]).predict(paths)
    cross_val_score(classifier, np.array(paths), y, cv=2)
    GridSearchCV(classifier, {"dropout": [0.0, 0.5]}, cv=2).fit(paths, y)
    assert counts == {"decoded": N, "run": N}


def test_copies_of_a_file_are_decoded_once(make_features, paths, counts, tmp_path):
    (tmp_path / "copy.jpg").write_bytes(Path(paths[0]).read_bytes())
    features = make_features().fit_transform([paths[0], tmp_path / "copy.jpg", paths[0]])
    assert counts == {"decoded": 1, "run": 1}
    np.testing.assert_array_equal(features[1:], features[:1].repeat(2, axis=0))


def test_another_size_or_way_of_resizing_is_decoded_anew(make_features, paths, counts):
    for size, resize in ((SIDE, "stretch"), (SIDE, "crop"), (40, "stretch")):
        make_features().fit_transform(ImageFiles(paths, image_size=size, resize=resize))
    assert counts == {"decoded": 3 * N, "run": 3 * N}


def test_views_of_a_picture_are_made_of_one_decoding(make_classifier, paths, y, counts):
    classifier = make_classifier(augmentation="flip_translate", test_time_augmentation=True)
    classifier.fit(paths, y).predict(paths)
    assert counts == {"decoded": N, "run": 4 * N}


@pytest.mark.parametrize("augmentation", ["flip", "flip_translate"])
def test_views_are_those_of_the_array(make_classifier, paths, pixels, y, augmentation):
    given_files, given_array = (
        make_classifier(augmentation=augmentation, feature_cache=None, random_state=3)
        .fit(X, y)
        .predict_proba(pixels)
        for X in (paths, pixels)
    )
    np.testing.assert_array_equal(given_files, given_array)


def test_changed_file_is_found_by_its_new_content(make_features, paths, counts, tmp_path):
    path = tmp_path / "1.png"
    path.write_bytes(Path(paths[0]).read_bytes())
    features = make_features().fit(paths)
    before = features.transform([path])
    path.write_bytes(Path(paths[1]).read_bytes())
    np.testing.assert_array_equal(features.transform([path]), features.transform(paths[1:2]))
    assert not np.array_equal(features.transform([path]), before)


def test_small_pieces_make_the_whole(make_features, paths, monkeypatch):
    whole = make_features(feature_cache=None).fit_transform(paths)
    for name, bound in (("_PIXEL_BYTES", 5 * SIDE * SIDE * 3), ("_FILE_BYTES", 5000)):
        with monkeypatch.context() as patch:
            patch.setattr(pieces, name, bound)
            n_pieces = len(list(pieces.pieces_of(ImageFiles(paths, image_size=SIDE), 100)))
            assert n_pieces > 3
            np.testing.assert_array_equal(
                make_features(feature_cache=None).fit_transform(paths), whole
            )


def test_file_that_changes_between_digest_and_decoding_is_an_error(paths, tmp_path, monkeypatch):
    """Where contents are not kept in memory between the two."""
    path = tmp_path / "1.png"
    path.write_bytes(Path(paths[0]).read_bytes())
    monkeypatch.setattr(pieces, "_FILE_BYTES", 0)
    (piece,) = pieces.pieces_of(ImageFiles([path], image_size=8), 10)
    piece.digests()
    path.write_bytes(Path(paths[1]).read_bytes())
    piece.pixels([0])
    ((name, fault),) = piece.faults
    assert name == str(path)
    assert "has changed" in fault.reason


# --- Unreadable files ----------------------------------------------------------------------------


@pytest.mark.parametrize("feature_cache", ["memory", None])
def test_all_unreadable_files_are_in_one_error(
    make_classifier, paths, y, tmp_path, monkeypatch, feature_cache
):
    monkeypatch.setattr(pieces, "_PIXEL_BYTES", 5 * SIDE * SIDE * 3)
    (tmp_path / "text.png").write_bytes(b"text")
    (tmp_path / "cut.png").write_bytes(Path(paths[0]).read_bytes()[:-40])
    X = list(paths)
    bad = {1: "nowhere.png", 3: tmp_path / "text.png", 11: tmp_path / "cut.png", 20: "gone.png"}
    for index, path in bad.items():
        X[index] = path
    classifier = make_classifier(feature_cache=feature_cache)
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match=r"^4 pictures cannot be read") as caught:
        classifier.fit(X, y)
    assert all(str(path) in str(caught.value) for path in bad.values())
    assert vars(classifier) == before


def test_missing_file_is_an_error_of_the_system(fitted):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.png cannot be read.*no such file"):
        fitted.predict(["nowhere.png"])


# --- Training ------------------------------------------------------------------------------------


def test_weights_validation_data_and_hold_out_take_files(make_classifier, paths, pixels, y):
    weights = np.where(np.arange(N) % 5, 1.0, 0.0)
    options = {"sample_weight": weights, "y_val": y[:6], "sample_weight_val": weights[:6]}
    results = [
        make_classifier(class_weight="balanced", early_stopping=True)
        .fit(X, y, X_val=X_val, **options)
        .history_["val_loss"]
        for X, X_val in ((pixels, pixels[:6]), (paths, paths[:6]), (paths, pixels[:6]))
    ]
    assert results[1] == results[0]
    assert results[2] == results[0]


def test_fault_in_validation_files_names_them(make_classifier, paths, y):
    with pytest.raises(TypeError, match=r"In X_val, y_val: X\[1\] is of type NoneType"):
        make_classifier().fit(paths, y, X_val=[paths[0], None], y_val=y[:2])


def test_partial_fit_and_warm_start_take_files(make_classifier, paths, pixels, y):
    results = []
    for X in (pixels, paths):
        classifier = make_classifier(warm_start=True).partial_fit(X[:12], y[:12], classes=CLASSES)
        classifier.partial_fit(X[12:], y[12:])
        results.append(classifier.fit(X, y).predict_proba(pixels))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("blocks", "augmentation", "n_decoded"),
    # Of the validation images, the head knows the features from training.
    [(2, "flip", N + 6), ("all", None, 2 * N + 6)],
)
def test_fine_tuning_on_files_is_that_on_the_array(
    make_classifier, paths, pixels, y, counts, blocks, augmentation, n_decoded
):
    classifier = make_classifier(
        epochs=1, fine_tune_epochs=1, fine_tune_blocks=blocks, augmentation=augmentation
    )
    expected = clone(classifier).fit(pixels, y, X_val=pixels[:6], y_val=y[:6])
    classifier.fit(paths, y, X_val=paths[:6], y_val=y[:6])
    assert classifier.history_ == expected.history_
    assert counts["decoded"] == n_decoded


def test_layer_that_draws_images_sees_files_decoded_once(make_classifier, paths, pixels, y, counts):
    import keras

    layer = keras.layers.RandomFlip(seed=0)
    results = []
    for X in (pixels, paths):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the network runs in each epoch
            results.append(make_classifier(augmentation=layer).fit(X, y).history_)
    assert results[0] == results[1]
    assert counts["decoded"] <= 2 * N


@pytest.mark.parametrize(("bound", "kind"), [(0, np.memmap), (10**9, np.ndarray)])
def test_pixels_that_every_epoch_needs_go_to_a_file_if_they_are_many(
    paths, pixels, monkeypatch, bound, kind
):
    monkeypatch.setattr(inputs, "_MEMORY_BOUND", bound)
    files = ImageFiles(paths, image_size=SIDE)
    of_fit = inputs.TrainingInputs(Extractor("openvino"), None, 0, Progress())
    of_epoch = of_fit.maps_by_epoch(None, STEM, files, None)
    assert type(of_epoch(0)) is kind
    np.testing.assert_array_equal(of_epoch(0), pixels)
    assert of_fit.held_out_maps(None, STEM, files) is of_epoch(5)


def test_interrupted_fit_on_files_goes_on(make_classifier, paths, y, tmp_path):
    import keras

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    options = {"checkpoint_dir": tmp_path, "random_state": 0}
    with pytest.raises(KeyboardInterrupt):
        make_classifier(**options, callbacks=[Stop()]).fit(paths, y)
    assert len(list(tmp_path.iterdir())) == 1
    resumed = make_classifier(**options).fit(paths, y)
    assert resumed.history_ == make_classifier(random_state=0).fit(paths, y).history_
    assert list(tmp_path.iterdir()) == []


def test_learning_rate_is_found_on_files(make_classifier, paths, pixels, y):
    found = [
        find_learning_rate(make_classifier(batch_size=8), X, y, n_steps=10).losses
        for X in (pixels, paths, ImageFiles(paths, image_size=SIDE))
    ]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


# --- scikit-learn --------------------------------------------------------------------------------


def as_image_files(paths):
    return ImageFiles(paths, image_size=SIDE)


@pytest.mark.parametrize("container", [list, np.array, as_image_files])
def test_cross_validation_is_that_of_the_array(make_classifier, paths, pixels, y, container):
    expected = cross_val_predict(make_classifier(), pixels, y, cv=3, method="predict_proba")
    predicted = cross_val_predict(
        make_classifier(), container(paths), y, cv=3, method="predict_proba"
    )
    np.testing.assert_array_equal(predicted, expected)


@pytest.mark.slow
def test_processes_of_a_search_take_files(make_classifier, paths, y, tmp_path):
    classifier = make_classifier(feature_cache=tmp_path)
    search = GridSearchCV(classifier, {"dropout": [0.0, 0.5]}, cv=2, n_jobs=2)
    search.fit(as_image_files(paths), y)
    assert search.predict(paths).shape == (N,)


def test_splits_of_a_series_stay_aligned(make_classifier, frame):
    parts = train_test_split(frame["path"], frame["label"], random_state=0, stratify=frame["label"])
    X_train, X_test, y_train, y_test = parts
    score = make_classifier(epochs=20).fit(X_train, y_train).score(X_test, y_test)
    assert score >= 0.5  # of three classes; misaligned labels give 0.33


META_ESTIMATORS = {
    "pipeline": lambda classifier: make_pipeline("passthrough", classifier),
    "voting": lambda classifier: VotingClassifier([("a", classifier)], voting="soft"),
    "stacking": lambda classifier: StackingClassifier([("a", classifier)], cv=2),
    "calibration": lambda classifier: CalibratedClassifierCV(classifier, cv=2),
    "one against the rest": OneVsRestClassifier,
    "bagging": lambda classifier: BaggingClassifier(classifier, n_estimators=2, random_state=0),
}


@pytest.mark.parametrize("name", META_ESTIMATORS)
def test_meta_estimators_take_a_column_of_paths(make_classifier, frame, pixels, name):
    estimator = META_ESTIMATORS[name](make_classifier())
    predicted = estimator.fit(frame[["path"]], frame["label"]).predict(frame[["path"]])
    expected = clone(estimator).fit(pixels.reshape(N, -1), frame["label"])
    np.testing.assert_array_equal(predicted, expected.predict(pixels.reshape(N, -1)))


@pytest.mark.parametrize("columns", ["path", ["path"]])
def test_column_transformer_puts_features_beside_numbers(make_features, frame, pixels, columns):
    transformer = make_column_transformer((make_features(), columns), (StandardScaler(), ["size"]))
    table = transformer.fit_transform(frame)
    n_features = table.shape[1] - 1
    np.testing.assert_array_equal(table[:, :-1], make_features().fit_transform(pixels))
    names = transformer.get_feature_names_out()
    assert len(names) == n_features + 1
    assert names[0].startswith("mobilenetv2features__mobilenetv2_")
    assert names[-1] == "standardscaler__size"
    pipeline = make_pipeline(transformer, StandardScaler(), LogisticRegression())
    assert pipeline.fit(frame, frame["label"]).score(frame, frame["label"]) > 0.9


def test_frame_of_features_keeps_the_index_of_the_paths(make_features, frame):
    part = frame[["path"]].iloc[5:9]
    table = make_features().set_output(transform="pandas").fit_transform(part)
    assert table.index.tolist() == part.index.tolist()


def test_normalizer_says_what_to_do_with_files(paths, pixels):
    normalizer = ImageNormalizer().fit(pixels)
    for X in (paths, ImageFiles(paths, image_size=SIDE)):
        for method in (ImageNormalizer().fit, normalizer.transform, normalizer.inverse_transform):
            with pytest.raises(TypeError, match=r"pictures in files\. Leave it out"):
                method(X)


# --- What is made of a fit -----------------------------------------------------------------------


def test_saved_classifier_takes_files_as_before(make_classifier, paths, y, tmp_path):
    files = ImageFiles(paths, image_size=SIDE, resize="pad")
    classifier = make_classifier().fit(files, y)
    save(classifier, tmp_path / "classifier")
    loaded = load(tmp_path / "classifier")
    assert loaded.resize_ == "pad"
    np.testing.assert_array_equal(loaded.predict_proba(paths), classifier.predict_proba(files))


def test_keras_model_agrees_on_the_pixels_of_files(fitted, paths, pixels):
    expected = fitted.model_.predict(pixels, verbose=0)
    np.testing.assert_allclose(fitted.predict_proba(paths), expected, atol=1e-3)


# --- Memory and progress -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@pytest.mark.parametrize("lazy", [False, True])
def test_progress_moves_within_a_piece(fitted, paths, pixels, engine, lazy):
    images = ImageFiles(paths, image_size=SIDE) if lazy else pixels
    many = ImageFiles(paths * 6, image_size=SIDE) if lazy else np.tile(pixels, (6, 1, 1, 1))
    extractor, steps = Extractor(engine, store=None), []
    extractor.extract(fitted._frozen, many, progress=steps.append)
    assert sum(steps) == 6 * N
    assert len([step for step in steps if step]) > 2
    extractor, steps = Extractor(engine, store=MemoryStore()), []
    for _ in range(2):
        extractor.extract(fitted._frozen, images, progress=steps.append)
    assert sum(steps) == 2 * N
    assert steps[-1] == N  # all known, all at once


def test_transform_over_many_links_takes_no_more_memory_than_over_few(
    make_features, paths, tmp_path, monkeypatch
):
    monkeypatch.setattr(pieces, "_PIXEL_BYTES", 200 * SIDE * SIDE * 3)
    links = []
    for number in range(1600):
        link = tmp_path / f"{number}.png"
        link.symlink_to(paths[number % N])
        links.append(str(link))
    features = make_features(feature_cache=None, alpha=0.35, feature_layers="last").fit(paths)
    features.transform(links[:200])

    def peak(n_links):
        tracemalloc.start()
        rows = features.transform(links[:n_links])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - rows.nbytes

    few, many = peak(600), peak(1600)
    # Of each link more: its digest, and its path in an array. Its pixels would be 3 kB.
    assert many - few < 1000 * 500
