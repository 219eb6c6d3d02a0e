import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skcifar import ImageFiles
from skcifar.datasets import load_image_folder

RED, BLUE = (255, 0, 0), (0, 0, 255)


def save(path, colour=RED, size=(20, 10), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)
    return path


@pytest.fixture
def pets(tmp_path):
    save(tmp_path / "dog" / "2.png", BLUE)
    save(tmp_path / "dog" / "10.bmp", BLUE)
    save(tmp_path / "cat" / "1.png", RED)
    return tmp_path


def relative(data, folder):
    return [os.path.relpath(path, folder) for path in data.filenames]


def test_classes_and_files_come_sorted_without_shuffling(pets):
    data = load_image_folder(pets, image_size=8, shuffle=False)
    assert data.target_names.tolist() == ["cat", "dog"]
    assert data.target.tolist() == [0, 1, 1]
    names = [pets / "cat" / "1.png", pets / "dog" / "10.bmp", pets / "dog" / "2.png"]
    assert data.filenames.tolist() == [str(name) for name in names]
    assert data.images[:, 0, 0].tolist() == [list(RED), list(BLUE), list(BLUE)]
    assert "3 pictures in 2 classes" in data.DESCR


def test_pictures_are_shuffled_together_with_all_about_them(tmp_path):
    for number in range(20):
        save(tmp_path / ("cat", "dog")[number % 2] / f"{number}.png", (number, 0, number % 2))
    data = load_image_folder(tmp_path, image_size=8)
    assert (np.diff(data.target) < 0).any()
    numbers = [int(Path(name).stem) for name in data.filenames]
    assert data.images[:, 0, 0].tolist() == [[n, 0, n % 2] for n in numbers]
    assert data.target.tolist() == [n % 2 for n in numbers]
    again, other = (load_image_folder(tmp_path, image_size=8, random_state=s) for s in (0, 1))
    assert data.filenames.tolist() == again.filenames.tolist() != other.filenames.tolist()


def test_names_of_classes_can_be_had_as_y(pets):
    X, y = load_image_folder(pets, image_size=8, shuffle=False, return_X_y=True)
    assert X.shape == (3, 8, 8, 3)
    assert y.tolist() == ["cat", "dog", "dog"]


def test_home_folder_is_found(pets, monkeypatch):
    monkeypatch.setenv("HOME", str(pets.parent))
    assert len(load_image_folder(f"~/{pets.name}").images) == 3


@pytest.mark.parametrize(("image_size", "shape"), [(8, (8, 8)), ((6, 9), (6, 9)), ([6, 9], (6, 9))])
def test_images_have_the_size_asked_for(pets, image_size, shape):
    bunch = load_image_folder(str(pets), image_size=image_size)
    assert bunch.images.shape == (3, *shape, 3)
    assert bunch.images.dtype == np.uint8
    np.testing.assert_array_equal(bunch.data, bunch.images.reshape(3, -1))


def test_height_comes_before_width(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:2] = 255  # the upper half is white
    (tmp_path / "half").mkdir()
    Image.fromarray(pixels).save(tmp_path / "half" / "1.png")
    (image,) = load_image_folder(tmp_path, image_size=(4, 8)).images
    np.testing.assert_array_equal(image, pixels)


def test_shrinking_is_antialiased(tmp_path):
    checkered = np.indices((64, 64)).sum(axis=0) % 2 * 255
    (tmp_path / "grey").mkdir()
    Image.fromarray(checkered.astype(np.uint8)).save(tmp_path / "grey" / "1.png")
    (image,) = load_image_folder(tmp_path, image_size=8).images
    assert abs(image.astype(int) - 127).max() <= 8


def test_ways_of_resizing_are_those_of_load_image(pets):
    data = load_image_folder(pets, image_size=8, resize="pad")
    assert (data.images[:, 0] == 128).all()


def test_other_values_of_on_error_are_an_error(pets):
    with pytest.raises(ValueError, match="on_error must be one of"):
        load_image_folder(pets, on_error="ignore")


def test_progress_is_shown(pets, capsys):
    load_image_folder(pets, image_size=8, verbose=1)
    assert "Reading pictures" in capsys.readouterr().out


@pytest.mark.parametrize("image_size", [0, -8, 8.0, "8", (8,), (8, 8, 3), (8, 0), None])
def test_other_image_sizes_are_an_error(pets, image_size):
    with pytest.raises(ValueError, match="image_size must be a number of pixels, or"):
        load_image_folder(pets, image_size=image_size)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
    ],
)
def test_every_kind_of_picture_becomes_rgb_on_white(tmp_path, mode, colour, expected):
    save(tmp_path / "a" / "1.png", colour, mode=mode)
    (image,) = load_image_folder(tmp_path, image_size=4).images
    assert (image == expected).all()


def test_exif_orientation_is_respected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2] = 255
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "1.png", exif=exif)
    (image,) = load_image_folder(tmp_path, image_size=4).images
    np.testing.assert_array_equal(image, pixels[::-1])


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png"])
def test_what_operating_systems_leave_is_skipped(pets, name):
    (pets / name).write_bytes(b"metadata")
    (pets / "cat" / name).write_bytes(b"metadata")
    assert len(load_image_folder(pets, image_size=8).target) == 3


def test_folder_of_metadata_is_no_class(pets):
    (pets / "__MACOSX").mkdir()
    assert load_image_folder(pets, image_size=8).target_names.tolist() == ["cat", "dog"]


def faults_of(folder, **options):
    """Return what `skipped` says, by relative path; the error and the warning say the same."""
    data = load_image_folder(folder, image_size=8, on_error="skip", **options)
    faults = {os.path.relpath(path, folder): reason for path, reason in data.skipped}
    with pytest.raises(ValueError, match="cannot be used") as caught:
        load_image_folder(folder, image_size=8, **options)
    with pytest.warns(UserWarning, match="They are left out") as warned:
        load_image_folder(folder, image_size=8, on_error="warn", **options)
    for path, reason in data.skipped:
        for message in (str(caught.value), str(warned[0].message)):
            assert path in message
            assert reason in message
    return faults


def test_file_that_is_no_picture_is_a_fault(pets):
    (pets / "dog" / "notes.txt").write_bytes(b"notes")
    assert faults_of(pets) == {"dog/notes.txt": "it is text"}


def test_truncated_picture_is_a_fault(pets):
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    path = pets / "dog" / "cut.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:6000])
    assert faults_of(pets) == {"dog/cut.png": "the file is truncated: its end is missing"}


def test_pixels_of_16_bits_are_read(pets):
    save(pets / "dog" / "deep.png", 257 * 100, mode="I;16")
    data = load_image_folder(pets, image_size=8, shuffle=False)
    assert (data.images[3] == 100).all()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_a_fault_rather_than_waited_for(pets):
    os.mkfifo(pets / "dog" / "pipe.png")
    assert faults_of(pets) == {"dog/pipe.png": "it is a named pipe, not a file"}


def test_link_that_leads_nowhere_is_a_fault(pets):
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")
    assert faults_of(pets) == {"dog/gone.png": "it is a link that leads nowhere"}


def test_link_to_a_file_is_read(pets):
    path = save(pets.parent / "elsewhere.png", (1, 2, 3))
    (pets / "dog" / "linked.png").symlink_to(path)
    assert len(load_image_folder(pets, image_size=8).images) == 4


def test_linked_class_folder_is_no_class(pets):
    (pets / "kitten").symlink_to(pets / "cat")
    faults = faults_of(pets)
    assert list(faults) == ["kitten"]
    assert "it is a link to a folder" in faults["kitten"]
    data = load_image_folder(pets, image_size=8, on_error="skip")
    assert data.target_names.tolist() == ["cat", "dog"]


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_folder_that_links_to_itself_ends(pets, target):
    (pets / "dog" / "loop").symlink_to(target)
    faults = faults_of(pets)
    assert "it is a link to a folder" in faults["dog/loop"]


def test_picture_beside_the_classes_is_a_fault(pets):
    save(pets / "stray.PNG")
    faults = faults_of(pets)
    assert list(faults) == ["stray.PNG"]
    assert "it is next to the class folders" in faults["stray.PNG"]


@pytest.mark.parametrize("name", ["labels.csv", "README", "notes.txt", "model.h5"])
def test_other_file_beside_the_classes_is_listed_and_no_fault(pets, name):
    (pets / name).write_bytes(b"content")
    data = load_image_folder(pets, image_size=8)
    assert len(data.images) == 3
    ((path, reason),) = data.skipped
    assert (path, "not a picture" in reason) == (str(pets / name), True)


def test_class_without_pictures_is_a_fault(pets):
    (pets / "cow").mkdir()
    (pets / "cow" / ".DS_Store").write_bytes(b"metadata")
    assert faults_of(pets) == {"cow": "this class folder holds no pictures"}


def test_class_of_which_nothing_can_be_read_is_none(pets):
    (pets / "bird").mkdir()
    (pets / "bird" / "1.png").write_bytes(b"text")
    data = load_image_folder(pets, image_size=8, on_error="skip", shuffle=False)
    assert data.target_names.tolist() == ["cat", "dog"]
    assert data.target.tolist() == [0, 1, 1]


def test_nothing_left_is_an_error_however_errors_are_treated(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"text")
    for on_error in ("raise", "warn", "skip"):
        with pytest.raises(ValueError, match=r"(?s)cannot be used, 0 pictures can.*it is text"):
            load_image_folder(tmp_path, on_error=on_error)


def test_images_stay_with_their_names_where_some_are_left_out(tmp_path):
    for number in range(40):
        path = save(tmp_path / "cat" / f"{number}.png", (number, 0, 0))
        if number % 3 == 1:
            path.write_bytes(b"text")
    data = load_image_folder(tmp_path, image_size=8, on_error="skip")
    numbers = [int(Path(name).stem) for name in data.filenames]
    assert sorted(numbers) == [n for n in range(40) if n % 3 != 1]
    assert data.images[:, 0, 0, 0].tolist() == numbers
    np.testing.assert_array_equal(data.data, data.images.reshape(len(numbers), -1))


def test_folder_below_a_class_belongs_to_it(pets):
    save(pets / "dog" / "more" / "deep" / "1.png", BLUE)
    data = load_image_folder(pets, image_size=8, shuffle=False)
    assert relative(data, pets)[1:] == ["dog/10.bmp", "dog/2.png", "dog/more/deep/1.png"]
    assert data.target.tolist() == [0, 1, 1, 1]


def test_folder_below_a_class_is_a_fault_if_not_recursive(pets):
    save(pets / "dog" / "more" / "1.png", BLUE)
    faults = faults_of(pets, recursive=False)
    assert list(faults) == ["dog/more"]


def test_folder_without_permission_is_a_fault(pets, monkeypatch):
    save(pets / "dog" / "closed" / "1.png")
    scandir = os.scandir

    def refuse(path):  # the tests may run as root, who may read anything
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    faults = faults_of(pets)
    assert faults == {"dog/closed": "this folder cannot be read (Permission denied)"}


# --- Other layouts -----------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [("train", "test"), ("Train", "Val", "Test"), ("training",)])
def test_parts_of_a_split_are_no_classes(tmp_path, parts):
    for part in parts:
        save(tmp_path / part / "cat" / "1.png")
        save(tmp_path / part / "dog" / "1.png", BLUE)
    (tmp_path / "labels.csv").write_text("")
    with pytest.raises(ValueError, match="parts of a split, not classes") as caught:
        load_image_folder(tmp_path)
    advised = re.search(r'load_image_folder\("(.*)"\)', str(caught.value))[1]
    assert advised == str(tmp_path / parts[0])
    assert load_image_folder(advised).target_names.tolist() == ["cat", "dog"]


def test_one_class_may_have_the_name_of_a_part(tmp_path):
    save(tmp_path / "car" / "1.png")
    save(tmp_path / "train" / "1.png", BLUE)
    assert load_image_folder(tmp_path).target_names.tolist() == ["car", "train"]


def test_folder_around_all_others_is_no_class(tmp_path):
    save(tmp_path / "pets" / "cat" / "1.png")
    save(tmp_path / "pets" / "dog" / "1.png", BLUE)
    with pytest.raises(ValueError, match="a single folder, with all others inside it") as caught:
        load_image_folder(tmp_path)
    assert f'load_image_folder("{tmp_path / "pets"}")' in str(caught.value)


def test_pictures_without_folders_are_an_error_that_names_image_files(tmp_path):
    save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"holds no class folders.*use ImageFiles\(paths"):
        load_image_folder(tmp_path)


def test_folder_of_linked_classes_is_an_error_that_says_so(pets, tmp_path_factory):
    linked = tmp_path_factory.mktemp("linked")
    (linked / "cat").symlink_to(pets / "cat")
    with pytest.raises(ValueError, match="Links to folders are not followed"):
        load_image_folder(linked)


def test_folder_without_classes_is_an_error(pets):
    shutil.rmtree(pets / "cat")
    shutil.rmtree(pets / "dog")
    with pytest.raises(ValueError, match="holds no class folders"):
        load_image_folder(pets, image_size=8)


@pytest.mark.parametrize("name", ["nowhere", "cat/1.png"])
def test_path_that_is_no_folder_is_an_error(pets, name):
    with pytest.raises(FileNotFoundError, match=r"is not a folder\. Pass the folder that holds"):
        load_image_folder(pets / name, image_size=8)


# --- Identical files ---------------------------------------------------------------------------


@pytest.mark.parametrize("as_files", [False, True])
def test_equal_files_in_two_classes_are_one_warning(pets, as_files):
    shutil.copy(pets / "cat" / "1.png", pets / "dog" / "also.png")
    shutil.copy(pets / "dog" / "2.png", pets / "cat" / "also.png")
    with pytest.warns(UserWarning, match="Identical files are in more than one class") as caught:
        load_image_folder(pets, image_size=8, as_files=as_files)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert f"{pets}/cat/1.png = {pets}/dog/also.png" in message
    assert f"{pets}/cat/also.png = {pets}/dog/2.png" in message
    assert caught[0].filename == __file__


def test_one_file_linked_into_two_classes_is_a_warning(pets):
    (pets / "dog" / "linked.png").symlink_to(pets / "cat" / "1.png")
    with pytest.warns(UserWarning, match="Identical files are in more than one class"):
        load_image_folder(pets, image_size=8)


def test_equal_files_in_one_class_are_no_warning(pets):
    shutil.copy(pets / "dog" / "2.png", pets / "dog" / "3.png")
    load_image_folder(pets, image_size=8)


def test_files_of_equal_length_are_no_warning(tmp_path):
    save(tmp_path / "cat" / "1.bmp", RED)
    save(tmp_path / "dog" / "1.bmp", BLUE)
    load_image_folder(tmp_path, image_size=8)


# --- More than fits into memory ----------------------------------------------------------------


def test_images_as_files_are_those_in_memory(pets):
    (pets / "dog" / "notes.txt").write_text("notes")
    options = {"image_size": (6, 9), "resize": "crop", "on_error": "skip"}
    lazy, data = (load_image_folder(pets, **options, as_files=lazy) for lazy in (True, False))
    assert isinstance(lazy.images, ImageFiles)
    np.testing.assert_array_equal(np.asarray(lazy.images), data.images)
    for field in ("target", "target_names", "filenames", "skipped", "DESCR"):
        assert list(lazy[field]) == list(data[field])


def test_headers_alone_are_checked_for_files(pets, monkeypatch):
    (pets / "dog" / "notes.txt").write_text("notes")
    monkeypatch.setattr("skcifar._images.reading.decode", None)
    with pytest.raises(ValueError, match=r"dog/notes\.txt"):
        load_image_folder(pets, as_files=True)
