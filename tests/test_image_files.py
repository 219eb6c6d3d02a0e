"""Many pictures as a sequence that is read when it is needed."""

import io
import os
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from picture_folder import READABLE, encoded, photograph, write
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.utils import _safe_indexing

from skcifar import ImageFiles, load_image
from skcifar.datasets import load_image_folder

N = 20


@pytest.fixture
def paths(tmp_path):
    """Paths of 20 pictures, none like another."""
    paths = [tmp_path / f"{number}.png" for number in range(N)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(photograph(number), "PNG"))
    return paths


@pytest.fixture
def files(paths):
    return ImageFiles(paths, image_size=(8, 12), n_jobs=2)


@pytest.fixture
def images(paths):
    return np.stack([load_image(path, image_size=(8, 12)) for path in paths])


def test_it_has_the_shape_of_an_array(files):
    assert (files.shape, files.ndim, files.dtype, len(files)) == ((N, 8, 12, 3), 4, np.uint8, N)
    assert files.image_shape == (8, 12, 3)


def test_as_an_array_it_is_all_images(files, images):
    np.testing.assert_array_equal(np.asarray(files), images)
    assert np.asarray(files, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, -100])
def test_any_number_of_threads_gives_the_same(paths, images, n_jobs):
    files = ImageFiles(paths, image_size=(8, 12), n_jobs=n_jobs)
    np.testing.assert_array_equal(np.asarray(files), images)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_other_numbers_of_threads_are_an_error(paths, n_jobs):
    with pytest.raises(ValueError, match="n_jobs must be a number of threads"):
        ImageFiles(paths, image_size=8, n_jobs=n_jobs)


def test_it_agrees_with_load_image_and_the_folder_to_the_bit(tmp_path):
    write(tmp_path, READABLE)
    for resize in ("stretch", "crop", "pad"):
        options = {"image_size": (20, 30), "resize": resize}
        data = load_image_folder(tmp_path, **options)
        files = ImageFiles(data.filenames, **options)
        single = [load_image(path, **options) for path in data.filenames]
        np.testing.assert_array_equal(data.images, single)
        np.testing.assert_array_equal(np.asarray(files), single)


MASK = np.arange(N) % 3 == 0
PARTS = {
    "slice": slice(3, 9, 2),
    "reversed": slice(None, None, -1),
    "empty": slice(0, 0),
    "list": [5, 2, 2, -1],
    "array": np.array([5, 2]),
    "mask": MASK,
    "list of bools": MASK.tolist(),
    "all": Ellipsis,
    "rows": (np.array([1, 3]), Ellipsis),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_lazy_and_those_of_the_array(files, images, part):
    chosen = files[PARTS[part]]
    assert isinstance(chosen, ImageFiles)
    np.testing.assert_array_equal(np.asarray(chosen), images[PARTS[part]])


@pytest.mark.parametrize("index", [0, -1, np.int64(3), (2, Ellipsis)])
def test_an_index_gives_one_image(files, images, index):
    np.testing.assert_array_equal(files[index], images[index])


@pytest.mark.parametrize(
    "index", [N, -N - 1, (0, 1), None, [[1, 2]], "1", (slice(2), slice(2)), True]
)
def test_other_indices_are_an_error(files, index):
    with pytest.raises(IndexError):
        files[index]


def test_iterating_gives_all_images(files, images):
    np.testing.assert_array_equal(list(files), images)


@pytest.mark.parametrize("size", [1, 7, N, 100, None])
def test_pieces_are_all_images(files, images, size):
    pieces = list(files.pieces(size))
    assert [len(piece) for piece in pieces[:-1]] == [size] * (len(pieces) - 1)
    np.testing.assert_array_equal(np.concatenate(pieces), images)


def test_next_piece_is_read_while_one_is_used_and_no_more(files, monkeypatch):
    n_read, all_read = [], threading.Event()

    def decode(content, sizing):
        n_read.append(1)
        if len(n_read) >= 8:
            all_read.set()
        return np.zeros(sizing.image_shape, np.uint8)

    monkeypatch.setattr("skcifar._images.reading.decode", decode)
    pieces = files.pieces(4)
    next(pieces)
    assert all_read.wait(timeout=10)
    pieces.close()
    assert len(n_read) == 8


def test_nothing_is_read_before_it_is_needed(tmp_path):
    files = ImageFiles([tmp_path / "nowhere.png"] * 4, image_size=8)
    train_test_split(files[1:], [1, 2, 3])
    repr(files)


def test_it_survives_pickling(files, images):
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(files))[4:]), images[4:])


def test_repr_is_short(files):
    assert repr(files) == "ImageFiles(20 pictures, image_size=(8, 12), resize='stretch')"


# --- scikit-learn ------------------------------------------------------------------------------


class Nearest(ClassifierMixin, BaseEstimator):
    """One nearest neighbour that keeps `X` as it was given."""

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, np.asarray(y), np.unique(y)
        return self

    def predict(self, X):
        X, known = (np.asarray(images, dtype=float) for images in (X, self.X_))
        return self.y_[[abs(known - image).sum(axis=(1, 2, 3)).argmin() for image in X]]


@pytest.mark.parametrize("indices", [[1, 4], slice(2, 5), MASK])
def test_safe_indexing_stays_lazy(files, images, indices):
    part = _safe_indexing(files, indices)
    assert isinstance(part, ImageFiles)
    np.testing.assert_array_equal(np.asarray(part), images[indices])


def test_train_test_split_stays_lazy(files, images):
    y = np.arange(N)
    train, test, y_train, y_test = train_test_split(files, y, random_state=0)
    assert (type(train), type(test)) == (ImageFiles, ImageFiles)
    np.testing.assert_array_equal(np.asarray(test), images[y_test])
    np.testing.assert_array_equal(np.asarray(train), images[y_train])


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_cross_validation_is_that_of_the_array(files, images, n_jobs):
    y = np.arange(N) % 2
    expected = cross_val_predict(Nearest(), images, y)
    np.testing.assert_array_equal(cross_val_predict(Nearest(), files, y, n_jobs=n_jobs), expected)


# --- What pictures can be given as ---------------------------------------------------------------


def test_paths_bytes_and_pil_images_can_be_mixed(paths, images):
    given = [paths[0], str(paths[1]), paths[2].read_bytes(), photograph(3)]
    np.testing.assert_array_equal(np.asarray(ImageFiles(given, image_size=(8, 12))), images[:4])


@pytest.mark.parametrize("container", [tuple, iter, np.array, "Series"])
def test_paths_come_in_many_containers(paths, images, container):
    names = [str(path) for path in paths]
    if container == "Series":
        container = pytest.importorskip("pandas").Series
    files = ImageFiles(container(names), image_size=(8, 12))
    assert files.files.tolist() == names
    np.testing.assert_array_equal(np.asarray(files[:3]), images[:3])


@pytest.mark.parametrize("files", ["1.png", b"content", photograph(0)])
def test_one_picture_alone_is_an_error(files):
    with pytest.raises(TypeError, match=r"files must be a list of pictures.*Pass \[file\]"):
        ImageFiles(files, image_size=8)


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), ()])
def test_a_table_is_an_error_that_names_a_column(shape):
    with pytest.raises(TypeError, match=r'one dimension.*such as frame\["path"\]'):
        ImageFiles(np.full(shape, "1.png"), image_size=8)


@pytest.mark.parametrize("file", [3, None, np.zeros((4, 4, 3), np.uint8), float("nan")])
def test_what_is_no_picture_is_named_by_its_place(file):
    with pytest.raises(
        TypeError, match=r"files\[1\] is of type \w+; expected the path of a picture"
    ):
        ImageFiles(["1.png", file], image_size=8)


def test_frame_is_no_list_of_the_names_of_its_columns(paths):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="files must have one dimension"):
        ImageFiles(pandas.DataFrame({"path": paths}), image_size=8)


def test_open_files_are_refused_with_advice(paths):
    with paths[0].open("rb") as file, pytest.raises(TypeError, match=r"Pass file\.read\(\)"):
        ImageFiles([file], image_size=8)


# --- Digests -------------------------------------------------------------------------------------


def test_digests_tell_apart_contents_sizes_and_ways_of_resizing(paths):
    def digest(path, image_size=8, resize="stretch"):
        return ImageFiles([path], image_size=image_size, resize=resize).digests()[0]

    digests = [digest(paths[0]), digest(paths[1]), digest(paths[0], 9), digest(paths[0], 8, "pad")]
    digests += [digest(paths[0], (8, 9)), digest(paths[0], (9, 8)), digest(photograph(0))]
    assert len(set(digests)) == len(digests)
    assert {len(digest) for digest in digests} == {16}


def test_digest_is_that_of_the_content_alone(paths, tmp_path):
    (tmp_path / "copy.jpg").write_bytes(paths[0].read_bytes())
    given = [paths[0], tmp_path / "copy.jpg", paths[0].read_bytes()]
    assert len(set(ImageFiles(given, image_size=8).digests())) == 1


def test_digests_of_pil_images_see_all_that_changes_pixels():
    palette = photograph(0).quantize(8)
    transparent, turned = palette.copy(), photograph(0)
    transparent.info["transparency"] = 0
    turned.getexif()[0x0112] = 3
    other_palette = palette.copy()
    other_palette.putpalette(bytes(range(24)))
    pictures = [palette, transparent, other_palette, photograph(0), turned]
    assert len(set(ImageFiles(pictures, image_size=8).digests())) == len(pictures)


def test_digests_decode_nothing(files, monkeypatch):
    monkeypatch.setattr("skcifar._images.reading.decode", None)
    assert len(set(files.digests())) == N


# --- Files that change ---------------------------------------------------------------------------


@pytest.mark.parametrize("first", [np.asarray, ImageFiles.digests, list])
@pytest.mark.parametrize("second", [np.asarray, ImageFiles.digests])
def test_file_that_changes_between_two_readings_is_named(files, paths, first, second):
    first(files)
    paths[3].write_bytes(encoded(photograph(100), "PNG"))
    with pytest.raises(ValueError, match=r"3\.png .*it has changed since it was first read"):
        second(files)
    second(files[4:])


@pytest.mark.parametrize("part", [slice(2, 5), [3, 0], np.arange(N) == 3])
@pytest.mark.parametrize("other_part", [[3], slice(None)])
def test_change_is_noticed_in_parts_too(files, paths, part, other_part):
    np.asarray(files[part])
    paths[3].write_bytes(encoded(photograph(100), "PNG"))
    with pytest.raises(ValueError, match=r"3\.png .*changed"):
        np.asarray(files[other_part])


def test_change_is_noticed_in_a_pickled_part(files, paths):
    np.asarray(files)
    part = pickle.loads(pickle.dumps(files[[4, 3]]))
    assert len(part._pins._digests) == 2  # not those of the other pictures
    paths[3].write_bytes(encoded(photograph(100), "PNG"))
    with pytest.raises(ValueError, match=r"3\.png .*changed"):
        np.asarray(part)


def test_same_content_written_again_is_no_change(files, paths):
    np.asarray(files)
    paths[3].write_bytes(encoded(photograph(3), "PNG"))
    os.utime(paths[3], (0, 0))
    np.asarray(files)


def test_file_that_vanishes_between_two_readings_is_named(files, paths):
    np.asarray(files)
    paths[3].unlink()
    with pytest.raises(FileNotFoundError, match=r"3\.png cannot be read.*no such file"):
        np.asarray(files)


def test_all_unreadable_files_of_a_reading_are_in_one_error(files, paths):
    paths[3].unlink()
    paths[5].unlink()
    paths[7].write_bytes(b"text")
    with pytest.raises(ValueError, match=r"^3 pictures cannot be read") as caught:
        np.asarray(files)
    assert [str(path) in str(caught.value) for path in paths[:8]] == [
        number in (3, 5, 7) for number in range(8)
    ]


def test_pil_image_of_a_damaged_file_is_an_error_that_names_it(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), "PNG")[:6000]
    for read in (np.asarray, ImageFiles.digests):
        files = ImageFiles([photograph(0), Image.open(io.BytesIO(content))], image_size=8)
        with pytest.raises(ValueError, match=r"A PIL image .*\(64, 64\) cannot be read.*truncated"):
            read(files)


def test_error_stops_the_reading_of_pieces(files, paths):
    paths[6].unlink()
    pieces = files.pieces(4)
    assert len(next(pieces)) == 4
    with pytest.raises(FileNotFoundError, match=r"6\.png"):
        next(pieces)
    assert not [t for t in threading.enumerate() if t.name.startswith("skcifar") and t.is_alive()]


def test_pieces_take_the_memory_of_three(paths):
    files = ImageFiles(paths * 20, image_size=96)  # 11 MB in all
    tracemalloc.start()
    n_images = sum(len(piece) for piece in files.pieces(20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_images == 400
    assert peak < 3.5 * 20 * 96 * 96 * 3  # one in use, one read ahead, one that is being given up
