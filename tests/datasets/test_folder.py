import os
import shutil

import numpy as np
import pytest
from PIL import Image

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


def test_classes_and_files_come_sorted(pets):
    bunch = load_image_folder(pets, image_size=8)
    assert bunch.target_names.tolist() == ["cat", "dog"]
    assert bunch.target.tolist() == [0, 1, 1]
    names = [pets / "cat" / "1.png", pets / "dog" / "10.bmp", pets / "dog" / "2.png"]
    assert bunch.filenames.tolist() == [str(name) for name in names]
    assert bunch.images[:, 0, 0].tolist() == [list(RED), list(BLUE), list(BLUE)]
    assert "3 pictures in 2 classes" in bunch.DESCR


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


def assert_unreadable(pets, path, reason):
    with pytest.raises(ValueError, match=f"cannot be read as a picture: .*{reason}") as caught:
        load_image_folder(pets, image_size=8)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"notes", b"\x89PNG\r\n\x1a\n", b"<svg/>"])
def test_file_that_is_no_picture_is_named(pets, content):
    path = pets / "dog" / "notes.txt"
    path.write_bytes(content)
    assert_unreadable(pets, path, "cannot identify image file")


def test_truncated_picture_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "1.png"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:6000])
    assert_unreadable(tmp_path, path, "truncated")


@pytest.mark.parametrize(
    "share", [0.6, 2.5]
)  # Pillow warns above 1 times its limit, raises above 2
def test_decompression_bomb_is_named(pets, monkeypatch, share):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = save(pets / "dog" / "bomb.png", size=(int(2000 * share), 1))
    assert_unreadable(pets, path, "decompression bomb")


def test_pixels_of_16_bits_are_named(pets):
    path = save(pets / "dog" / "deep.png", 40_000, mode="I;16")
    assert_unreadable(pets, path, "its pixels have more than 8 bits")


def test_folder_below_a_class_is_named(pets):
    save(pets / "dog" / "more" / "1.png")
    with pytest.raises(ValueError, match=r"more is no file\. Move it away"):
        load_image_folder(pets, image_size=8)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_named_rather_than_waited_for(pets):
    os.mkfifo(pets / "dog" / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png is no file"):
        load_image_folder(pets, image_size=8)


def test_link_that_leads_nowhere_is_named(pets):
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")
    with pytest.raises(ValueError, match=r"gone\.png is no file"):
        load_image_folder(pets, image_size=8)


def test_picture_beside_the_classes_is_named(pets):
    save(pets / "stray.png")
    with pytest.raises(ValueError, match=r"stray\.png lies beside the folders of the classes"):
        load_image_folder(pets, image_size=8)


def test_class_without_pictures_is_named(pets):
    (pets / "cow").mkdir()
    (pets / "cow" / ".DS_Store").write_bytes(b"metadata")
    with pytest.raises(ValueError, match="cow holds no pictures"):
        load_image_folder(pets, image_size=8)


def test_folder_without_classes_is_an_error(pets):
    shutil.rmtree(pets / "cat")
    shutil.rmtree(pets / "dog")
    with pytest.raises(ValueError, match="holds no folders"):
        load_image_folder(pets, image_size=8)


@pytest.mark.parametrize("name", ["nowhere", "cat/1.png"])
def test_path_that_is_no_folder_is_an_error(pets, name):
    with pytest.raises(FileNotFoundError, match=r"is no folder\. Give the folder that holds"):
        load_image_folder(pets / name, image_size=8)
