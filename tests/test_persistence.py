import copy
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import ImageNormalizer, MobileNetV2Classifier, load, save
from skcifar._persistence import archive

# --- Round trips ---------------------------------------------------------------------------


def round_trip(estimator, folder):
    save(estimator, folder / "saved")
    return load(folder / "saved")


@pytest.fixture(scope="module")
def fitted(make_classifier, images):
    return make_classifier().fit(*images)


@pytest.mark.parametrize("labels", [[3, 5, 7], ["cat", "dog", "bird"]], ids=["int", "str"])
def test_probabilities_and_classes_survive(make_classifier, images, new_images, tmp_path, labels):
    X, y = images
    classifier = make_classifier().fit(X, np.array(labels)[y])
    same = round_trip(classifier, tmp_path)
    np.testing.assert_array_equal(same.classes_, classifier.classes_)
    assert same.classes_.dtype == classifier.classes_.dtype
    # The same arrays go through the same engine: equal, not merely close.
    np.testing.assert_array_equal(
        same.predict_proba(new_images[0]), classifier.predict_proba(new_images[0])
    )


@pytest.mark.parametrize("dtype", [object, bool])
def test_classes_of_any_dtype_survive(make_classifier, images, tmp_path, dtype):
    X, y = images
    labels = np.array(["cat", "dog", "bird"], object)[y] if dtype is object else y == 1
    classifier = make_classifier().fit(X, labels)
    same = round_trip(classifier, tmp_path)
    assert same.classes_.dtype == dtype
    np.testing.assert_array_equal(same.predict(X), classifier.predict(X))


def test_probabilities_are_equal_in_another_process(fitted, new_images, tmp_path):
    save(fitted, tmp_path / "saved")
    np.save(tmp_path / "X.npy", new_images[0])
    code = (
        "import sys, numpy, skcifar; "
        "X = numpy.load(sys.argv[2]); "
        "numpy.save(sys.argv[3], skcifar.load(sys.argv[1]).predict_proba(X))"
    )
    arguments = [tmp_path / name for name in ("saved", "X.npy", "out.npy")]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    there = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(there, fitted.predict_proba(new_images[0]), rtol=0, atol=1e-6)


def test_loading_imports_no_framework(fitted, tmp_path):
    save(fitted, tmp_path / "saved")
    code = (
        "import sys, skcifar; skcifar.load(sys.argv[1]); "
        "print({'tensorflow', 'keras', 'openvino', 'skops'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code, tmp_path / "saved"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == "set()"


def test_parameters_and_fitted_attributes_survive(make_classifier, images, tmp_path):
    parameters = {
        "hidden_units": [8, 4],
        "pixel_range": (0, np.float64(255)),
        "class_weight": {0: 1.0, 1: 2, 2: np.float32(0.5)},
        "feature_cache": None,
        "early_stopping": True,
        "learning_rate": np.float32(0.01),
    }
    classifier = make_classifier(**parameters).fit(*images)
    same = round_trip(classifier, tmp_path)
    assert repr(same.get_params()) == repr(classifier.get_params())
    assert vars(same).keys() == vars(classifier).keys()
    for name in ("history_", "n_iter_", "image_shape_", "pixel_range_", "engine_"):
        assert getattr(same, name) == getattr(classifier, name)


def test_a_loaded_classifier_shares_the_feature_cache(fitted, images, tmp_path):
    assert round_trip(fitted, tmp_path)._frozen.fingerprint == fitted._frozen.fingerprint


def test_partial_fit_goes_on_where_it_was(make_classifier, images, tmp_path):
    X, y = images
    classifier = make_classifier(dropout=0.5).partial_fit(X, y, classes=[0, 1, 2])
    same = round_trip(classifier, tmp_path)
    expected = classifier.partial_fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(same.partial_fit(X, y).predict_proba(X), expected)


def test_warm_start_goes_on_where_it_was(make_classifier, images, tmp_path):
    X, y = images
    classifier = make_classifier(warm_start=True, epochs=2).fit(X, y)
    same = round_trip(classifier, tmp_path)
    expected = classifier.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(same.fit(X, y).predict_proba(X), expected)
    assert same.n_iter_ == 4


def test_a_random_state_goes_on_where_it_was(make_classifier, images, tmp_path):
    random_state = np.random.RandomState(3)
    random_state.rand(5)
    same = round_trip(make_classifier(random_state=random_state), tmp_path)
    np.testing.assert_array_equal(same.random_state.rand(9), random_state.rand(9))


def test_fine_tuned_weights_survive(make_classifier, images, tmp_path):
    X, y = images
    classifier = make_classifier(epochs=1, fine_tune_epochs=1, fine_tune_blocks=1).fit(X, y)
    same = round_trip(classifier, tmp_path)
    np.testing.assert_array_equal(same.predict_proba(X), classifier.predict_proba(X))
    assert same.fine_tune_start_ == 1


@pytest.mark.parametrize("method", ["unit", "standardize"])
def test_a_normalizer_survives(images, tmp_path, method):
    normalizer = ImageNormalizer(method).fit(images[0])
    same = round_trip(normalizer, tmp_path)
    np.testing.assert_array_equal(same.transform(images[0]), normalizer.transform(images[0]))


def test_features_survive_with_their_output_setting(make_features, images, tmp_path):
    features = make_features().set_output(transform="pandas").fit(images[0])
    same = round_trip(features, tmp_path)
    assert same.transform(images[0]).equals(features.transform(images[0]))


def test_an_unfitted_estimator_stays_unfitted(make_classifier, images, tmp_path):
    same = round_trip(make_classifier(weights=Path("weights.h5")), tmp_path)
    assert same.weights == Path("weights.h5")
    with pytest.raises(NotFittedError):
        same.predict(images[0])


def test_metadata_requests_survive(make_classifier, tmp_path):
    with config_context(enable_metadata_routing=True):
        classifier = make_classifier().set_fit_request(sample_weight="weights")
        same = round_trip(classifier, tmp_path)
        assert same.get_metadata_routing().fit.requests["sample_weight"] == "weights"
        clone(same)


def test_a_clone_of_a_loaded_estimator_is_unfitted(fitted, tmp_path):
    assert not hasattr(clone(round_trip(fitted, tmp_path)), "classes_")


# --- Pipelines -----------------------------------------------------------------------------


def test_a_pipeline_with_scikit_learn_steps_survives(make_features, images, new_images, tmp_path):
    pipeline = make_pipeline(
        ImageNormalizer(), "passthrough", make_features(), StandardScaler(), LogisticRegression()
    ).fit(*images)
    same = round_trip(pipeline, tmp_path)
    assert [name for name, _ in same.steps] == [name for name, _ in pipeline.steps]
    np.testing.assert_array_equal(
        same.predict_proba(new_images[0]), pipeline.predict_proba(new_images[0])
    )


def test_a_nested_pipeline_survives(make_features, images, tmp_path):
    inner = make_pipeline(make_features(), PCA(3))
    pipeline = Pipeline([("inner", inner), ("last", LogisticRegression())]).fit(*images)
    same = round_trip(pipeline, tmp_path)
    np.testing.assert_array_equal(same.predict(images[0]), pipeline.predict(images[0]))


def test_the_parameters_of_a_pipeline_survive_but_its_memory(make_features, tmp_path):
    pipeline = Pipeline([("images", make_features())], transform_input=["X_val"], memory="folder")
    with pytest.warns(UserWarning, match=r"Pipeline\.memory"):
        same = round_trip(pipeline, tmp_path)
    assert same.transform_input == ["X_val"]
    assert same.memory is None


def test_a_step_that_skops_does_not_trust_is_named(make_features, images, tmp_path):
    pipeline = make_pipeline(make_features(), RandomForestClassifier(2)).fit(*images)
    with pytest.raises(TypeError, match=r"sklearn\.tree\._tree\.Tree, which skops does not trust"):
        save(pipeline, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_named(make_classifier, tmp_path):
    search = GridSearchCV(make_classifier(), {"epochs": [1]})
    with pytest.raises(TypeError, match=r"Got GridSearchCV. .* search\.best_estimator_"):
        save(search, tmp_path / "saved")


def test_an_attribute_that_cannot_be_saved_is_named(make_classifier, tmp_path):
    classifier = make_classifier()
    classifier.notes_ = object()
    with pytest.raises(TypeError, match=r"MobileNetV2Classifier\.notes_ .* builtins\.object"):
        save(classifier, tmp_path / "saved")


def test_callbacks_are_left_out_with_a_warning(make_classifier, images, tmp_path):
    classifier = make_classifier(epochs=1, callbacks=[keras.callbacks.TerminateOnNaN()])
    classifier.fit(*images)
    with pytest.warns(UserWarning, match=r"MobileNetV2Classifier\.callbacks cannot be saved"):
        save(classifier, tmp_path / "saved")
    same = load(tmp_path / "saved")
    assert same.callbacks is None
    assert same.callbacks_ == []


# --- Folders of another machine --------------------------------------------------------------


def test_a_feature_cache_that_is_here_is_kept(make_classifier, images, tmp_path):
    classifier = make_classifier(feature_cache=str(tmp_path / "cache")).fit(*images)
    assert round_trip(classifier, tmp_path).feature_cache == str(tmp_path / "cache")


def test_a_feature_cache_that_is_not_here_is_not_made(make_classifier, images, tmp_path):
    save(make_classifier(feature_cache=tmp_path / "elsewhere"), tmp_path / "saved")
    with pytest.warns(UserWarning, match=r"feature_cache=.*elsewhere.* 'memory' is used"):
        same = load(tmp_path / "saved")
    same.fit(*images)
    assert not (tmp_path / "elsewhere").exists()


# --- Paths ---------------------------------------------------------------------------------


def test_the_path_is_used_as_it_stands(make_classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("plain", "with.dots.pkl", "übung [1].skcifar"):
        save(make_classifier(), path)
        load(path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_is_followed(make_classifier, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    save(make_classifier(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    load(tmp_path / "target")


def test_what_is_no_file_is_not_replaced(make_classifier, tmp_path):
    with pytest.raises(OSError, match="something that is not a file is there"):
        save(make_classifier(), tmp_path)
    with pytest.raises(OSError, match="something that is not a file is there"):
        save(make_classifier(), "/dev/full")
    assert not Path("/dev/full").is_file()


def test_a_missing_folder_and_a_missing_file_are_named(make_classifier, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder.* could not be written"):
        save(make_classifier(), tmp_path / "no folder" / "saved")
    with pytest.raises(FileNotFoundError, match="no file"):
        load(tmp_path / "no file")


def test_equal_estimators_give_equal_files(fitted, tmp_path):
    save(fitted, tmp_path / "a")
    save(fitted, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- Versions ------------------------------------------------------------------------------


@pytest.fixture
def rewritten(fitted, tmp_path):
    """Return a function: change the manifest and members of a saved classifier, write them."""
    save(fitted, tmp_path / "original")

    def rewrite(change, *, compression=zipfile.ZIP_STORED, name="rewritten"):
        with zipfile.ZipFile(tmp_path / "original") as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        manifest = json.loads(members.pop("manifest.json"))
        change(manifest, members)
        with zipfile.ZipFile(tmp_path / name, "w", compression) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
            archive.writestr("manifest.json", json.dumps(manifest))
        return tmp_path / name

    return rewrite


def put(manifest, members, name, data):
    """Put a member into an archive, with the checksum that belongs to it."""
    members[name] = data
    digest = hashlib.sha256(data).hexdigest()
    manifest["members"][name] = {"size": len(data), "sha256": digest}


def test_a_file_of_a_newer_version_says_what_to_install(rewritten):
    def change(manifest, members):
        manifest["version"], manifest["libraries"]["skcifar"] = archive.VERSION + 1, "9.1"
        members["something new"] = b""

    with pytest.raises(ValueError, match=r"written by skcifar 9\.1; .* --upgrade skcifar") as error:
        load(rewritten(change))
    assert "rewritten" in str(error.value)


def test_versions_of_libraries_are_in_the_file(rewritten):
    libraries = {}
    rewritten(lambda manifest, members: libraries.update(manifest["libraries"]))
    assert libraries["keras"] == keras.__version__
    assert libraries["skcifar"]


@pytest.mark.parametrize(("name", "version"), [("keras", "2.15.0"), ("keras", None)])
def test_another_major_version_of_keras_warns(rewritten, name, version):
    path = rewritten(lambda manifest, members: manifest["libraries"].update({name: version}))
    with pytest.warns(UserWarning, match=f"written with {name} {version}"):
        load(path)


def test_another_scikit_learn_warns_where_it_matters(fitted, make_features, images, tmp_path):
    pipeline = make_pipeline(make_features(), LogisticRegression()).fit(*images)
    with pytest.MonkeyPatch.context() as patch:
        versions = {**archive.library_versions(), "scikit-learn": "1.5.2"}
        patch.setattr(archive, "library_versions", lambda: versions)
        save(pipeline, tmp_path / "pipeline")
        save(fitted, tmp_path / "classifier")
    with pytest.warns(UserWarning, match=r"written with scikit-learn 1\.5\.2"):
        load(tmp_path / "pipeline")
    load(tmp_path / "classifier")  # holds nothing of scikit-learn


# --- Damaged, foreign and hostile files ------------------------------------------------------


def assert_refused(path, match="is damaged, or was not written by skcifar"):
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(ValueError, match=match) as error:
        load(path)
    assert str(path) in str(error.value)
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(fitted, tmp_path, share):
    save(fitted, tmp_path / "saved")
    content = (tmp_path / "saved").read_bytes()
    (tmp_path / "saved").write_bytes(content[: int(share * len(content))])
    assert_refused(tmp_path / "saved")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_a_damaged_array_is_refused(fitted, tmp_path, share):
    save(fitted, tmp_path / "saved")
    content = bytearray((tmp_path / "saved").read_bytes())
    content[int(share * len(content))] ^= 1
    (tmp_path / "saved").write_bytes(content)
    assert_refused(tmp_path / "saved")


class Trap:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def npz_with_pickle(trap):
    stream = io.BytesIO()
    np.savez(stream, X=np.array([trap], object))
    return stream.getvalue()


def test_foreign_files_are_refused_and_run_nothing(fitted, tmp_path):
    sprung = tmp_path / "sprung"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(
        tmp_path / "lambda.keras"
    )
    foreign = {
        "pickle": pickle.dumps(Trap(str(sprung))),
        "npz": npz_with_pickle(Trap(str(sprung))),
        "lambda": (tmp_path / "lambda.keras").read_bytes(),
        "text": b"hello",
    }
    (tmp_path / "lambda.keras").unlink()
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name)
    assert not sprung.exists()


def test_a_pickled_array_is_refused(rewritten, tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.array([Trap(str(tmp_path / "sprung"))], object), allow_pickle=True)
    path = rewritten(lambda *parts: put(*parts, "arrays/0.npy", stream.getvalue()))
    assert_refused(path, match="an array holds objects")
    assert not (tmp_path / "sprung").exists()


def test_a_compression_bomb_is_refused_unread(rewritten):
    bomb = bytes(2**24)
    path = rewritten(
        lambda *parts: put(*parts, "arrays/0.npy", bomb), compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < len(bomb)
    assert_refused(path, match="is compressed")


def test_members_that_overlap_are_refused(rewritten):
    """A hundred names for one member of the file would be read as a hundred members."""
    others = [f"arrays/{number}.npy" for number in range(9000, 9100)]

    def change(manifest, members):
        put(manifest, members, "arrays/0.npy", bytes(2**22))
        manifest["members"].update({name: {} for name in others})

    path = rewritten(change)
    with zipfile.ZipFile(path, "a") as archive:
        for name in others:
            archive.filelist.append(copy.copy(archive.getinfo("arrays/0.npy")))
            archive.filelist[-1].filename = name
        archive._didModify = True
    assert_refused(path, match="larger than the file")


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "arrays/../../outside"])
def test_path_traversal_is_refused(rewritten, name):
    path = rewritten(lambda *parts: put(*parts, name, b"x"))
    assert_refused(path, match="which skcifar never writes")


def test_a_member_too_many_is_refused(rewritten):
    path = rewritten(lambda manifest, members: members.update({"arrays/999.npy": b""}))
    assert_refused(path, match="not those that it lists")


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile, as the file is damaged
def test_a_member_twice_is_refused(rewritten):
    path = rewritten(lambda manifest, members: None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("arrays/0.npy", b"other")
    assert_refused(path, match="not those that it lists")


def test_an_array_that_announces_too_much_is_refused(rewritten):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (2**40,)}
    )
    path = rewritten(lambda *parts: put(*parts, "arrays/0.npy", stream.getvalue()))
    assert_refused(path, match="not as many bytes as it announces")


HOSTILE_CONTENTS = {
    "another class": lambda content: content.update(estimator="Popen"),
    "unknown kind": lambda content: content["state"].update(n_iter_={"object": ["os.system"]}),
    "shadowed method": lambda content: content["state"].update(predict=1),
    "parameter as state": lambda content: content["state"].update(epochs="x"),
    "unknown parameter": lambda content: content["parameters"].update(shell=True),
    "wrong type": lambda content: content["state"].update(_head={"tuple": []}),
    "wrong width": lambda content: content["state"].update(classes_={"objects": [[2], ["a", "b"]]}),
    "no state": lambda content: content.pop("state"),
    "deep": lambda content: content["state"].update(n_iter_=json.loads("[" * 900 + "]" * 900)),
    "unknown request": lambda content: content["requests"].update(fit={"shell": True}),
    "not a list": lambda content: content.update(pipeline={"a": 1}),
    "code as a step": lambda content: content.update(pipeline=[["a", {"passthrough": "eval"}]]),
}


@pytest.mark.parametrize("case", HOSTILE_CONTENTS)
def test_a_manifest_that_means_harm_is_refused(rewritten, case):
    path = rewritten(lambda manifest, members: HOSTILE_CONTENTS[case](manifest["content"]))
    assert_refused(path)


def test_a_manifest_too_deep_to_parse_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "saved", "w") as archive:
        archive.writestr("manifest.json", "[" * 100_000 + "]" * 100_000)
    assert_refused(tmp_path / "saved")


def test_a_manifest_without_end_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "saved", "w") as archive:
        archive.writestr("manifest.json", " " * (2**24 + 1))
    assert_refused(tmp_path / "saved", match="says that it has 16777217 bytes")


def with_step(rewritten, data):
    def change(manifest, members):
        put(manifest, members, "steps/9.skops", data)
        steps = [["ours", manifest["content"]], ["theirs", {"skops": "steps/9.skops"}]]
        manifest["content"] = {"pipeline": steps, "transform_input": None, "verbose": False}

    return rewritten(change)


def skops_archive(schema, compression=zipfile.ZIP_STORED, **members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return stream.getvalue()


def test_a_step_of_an_untrusted_type_is_refused_and_not_run(rewritten, tmp_path):
    from skops import io as skops_io

    step = skops_io.dumps(LogisticRegression())
    with zipfile.ZipFile(io.BytesIO(step)) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema["__class__"], schema["__module__"] = "Popen", "subprocess"
    assert_refused(with_step(rewritten, skops_archive(schema)), match=r"subprocess\.Popen")


def test_a_step_that_is_a_bomb_is_refused(rewritten):
    bomb = skops_archive({"protocol": 0}, zipfile.ZIP_DEFLATED, x_npy=bytes(2**24))
    assert_refused(with_step(rewritten, bomb), match="is compressed")
    inner = skops_archive({"protocol": 0}, x_npz=b"")
    assert_refused(with_step(rewritten, inner), match="more than a schema and arrays")


def test_a_step_that_is_no_estimator_is_refused(rewritten):
    from skops import io as skops_io

    assert_refused(with_step(rewritten, skops_io.dumps([1, 2])), match="a step is not an estimator")


def test_a_warning_turned_error_is_not_taken_for_damage(make_classifier, tmp_path):
    save(make_classifier(feature_cache=tmp_path / "elsewhere"), tmp_path / "saved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=re.escape("elsewhere")):
            load(tmp_path / "saved")


def test_the_arrays_open_with_numpy(fitted, tmp_path):
    save(fitted, tmp_path / "saved")
    with np.load(tmp_path / "saved") as arrays:
        assert any(array.shape == fitted._head.weights[0].shape for array in arrays.values())


def test_saving_an_unfitted_classifier_takes_no_weights(tmp_path):
    save(MobileNetV2Classifier(), tmp_path / "saved")
    assert (tmp_path / "saved").stat().st_size < 10_000
