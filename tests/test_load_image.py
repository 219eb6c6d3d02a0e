"""One picture: what it can be given as, and what becomes of every kind of pixel."""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
from picture_folder import HEIC, encoded, oriented, photograph, sixteen_bits
from PIL import Image, ImageOps

from skcifar import ImageFiles, load_image
from skcifar._images.bit_depth import eight_bits

RED, WHITE = (255, 0, 0), (255, 255, 255)


def as_pillow_resizes(picture, size):
    return np.asarray(ImageOps.exif_transpose(picture).resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    "given", ["str", "path", "home", "bytes", "bytearray", "file", "stream", "PIL"]
)
def test_picture_can_be_given_in_many_ways(tmp_path, monkeypatch, given):
    path = tmp_path / "1.png"
    path.write_bytes(encoded(photograph(0), "PNG"))
    monkeypatch.setenv("HOME", str(tmp_path))
    file = {
        "str": lambda: str(path),
        "path": lambda: path,
        "home": lambda: "~/1.png",
        "bytes": path.read_bytes,
        "bytearray": lambda: bytearray(path.read_bytes()),
        "file": lambda: path.open("rb"),
        "stream": lambda: io.BytesIO(path.read_bytes()),
        "PIL": lambda: photograph(0),
    }[given]()
    image = load_image(file, image_size=(20, 30))
    np.testing.assert_array_equal(image, as_pillow_resizes(photograph(0), (30, 20)))
    if given == "file":
        file.close()


@pytest.mark.parametrize("file", [3, None, np.zeros((4, 4, 3)), ["1.png"]])
def test_anything_else_is_an_error(file):
    with pytest.raises(TypeError, match="expected the path of a picture, the bytes of its file"):
        load_image(file, image_size=8)


def test_file_opened_as_text_is_an_error(tmp_path):
    (tmp_path / "1.png").write_text("text")
    with (
        (tmp_path / "1.png").open() as file,
        pytest.raises(TypeError, match=r'Open it with open\(path, "rb"\)'),
    ):
        load_image(file, image_size=8)


@pytest.mark.parametrize("resize", ["squash", None, 3, ["crop"]])
def test_other_ways_of_resizing_are_an_error(resize):
    with pytest.raises(ValueError, match='resize must be "stretch", "crop"'):
        load_image(photograph(0), image_size=8, resize=resize)


def test_pil_image_is_left_as_it_was():
    picture = Image.open(io.BytesIO(oriented(photograph(0, size=(400, 300)), 6)))
    load_image(picture, image_size=8)
    assert (picture.size, picture.getexif()[0x0112]) == ((400, 300), 6)


# --- The aspect ratio ------------------------------------------------------------------------


def three_parts():
    """Return a wide picture: a black, a white and a grey square."""
    pixels = np.repeat(np.uint8([0, 255, 100]), 20)[None, :].repeat(20, axis=0)
    return Image.fromarray(pixels)


def test_crop_uses_the_middle():
    assert (load_image(three_parts(), image_size=20, resize="crop") == 255).all()


def test_pad_keeps_all_between_grey_borders():
    image = load_image(three_parts(), image_size=60, resize="pad")
    assert (image[:20] == 128).all()
    assert (image[40:] == 128).all()
    np.testing.assert_array_equal(image[20:40, :, 0], np.asarray(three_parts()))


def test_stretch_uses_all():
    image = load_image(three_parts(), image_size=(20, 3))
    assert image[10, :, 0].tolist() == pytest.approx([0, 255, 100], abs=60)  # it is smoothed


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_square_pictures_are_resized_alike(resize):
    square = photograph(0, size=(50, 50))
    expected = load_image(square, image_size=20)
    np.testing.assert_array_equal(load_image(square, image_size=20, resize=resize), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (333, 7)])
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_any_aspect_ratio_can_be_had(size, resize, format):
    content = encoded(Image.new("RGB", size, "white"), format)
    image = load_image(content, image_size=(24, 16), resize=resize)
    assert image.shape == (24, 16, 3)
    assert (image == 255).any()


# --- Kinds of pixels -------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_all_exif_orientations_come_upright(orientation, resize):
    content = oriented(photograph(0, size=(64, 48)), orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    image = load_image(content, image_size=(20, 28), resize=resize)
    expected = load_image(upright, image_size=(20, 28), resize=resize)
    # Pillow rounds between the two passes of a resize, which come in the other order.
    assert abs(image.astype(int) - expected).max() <= 1


def test_tiff_is_turned_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(photograph(0), "TIFF", exif=exif)
    expected = as_pillow_resizes(photograph(0).transpose(Image.Transpose.ROTATE_270), (20, 30))
    np.testing.assert_array_equal(load_image(content, image_size=(30, 20)), expected)


def test_broken_exif_data_are_as_none():
    content = encoded(photograph(0), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    np.testing.assert_array_equal(
        load_image(content, image_size=(40, 60)), np.asarray(photograph(0))
    )


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, WHITE),
        ("P", 0, (0, 0, 0)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 0), WHITE),
        ("RGBA", (*RED, 128), (255, 127, 127)),
        ("LA", (0, 0), WHITE),
        ("LA", (10, 255), (10, 10, 10)),
        ("I;16", 65535, WHITE),
        ("I;16", 100 * 257, (100, 100, 100)),
        ("I;16B", 100 * 256, (100, 100, 100)),
        ("I", 100 * 256, (100, 100, 100)),
        ("F", 1.0, WHITE),
        ("F", 0.5, (128, 128, 128)),
        ("CMYK", (0, 255, 255, 0), RED),
        ("YCbCr", (255, 128, 128), WHITE),
        ("HSV", (0, 255, 255), RED),
    ],
)
def test_every_kind_of_pixel_becomes_rgb_on_white(mode, colour, expected):
    image = load_image(Image.new(mode, (6, 5), colour), image_size=4)
    assert np.unique(image.reshape(-1, 3), axis=0).tolist() == [list(expected)]


def png_of_16_bits(pixels):
    """Return a PNG of (height, width, 1 or 3) pixels of 16 bits; Pillow writes no such RGB."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(chunk_of_png, chunks))


def chunk_of_png(chunk):
    name, content = chunk
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def test_grey_and_colour_of_16_bits_are_scaled_alike():
    grey = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32, 1)
    image = load_image(png_of_16_bits(grey), image_size=32)
    expected = load_image(png_of_16_bits(grey.repeat(3, axis=2)), image_size=32)
    np.testing.assert_array_equal(image, expected)
    assert (image.min(), image.max()) == (0, 255)


def test_8_bit_grey_saved_in_16_bits_comes_back():
    expected = np.asarray(photograph(0).convert("L"))
    image = load_image(encoded(sixteen_bits(0), "TIFF"), image_size=(40, 60))
    np.testing.assert_array_equal(image[..., 1], expected)


@pytest.mark.parametrize(("mode", "colour"), [("I", 65536), ("I", -1), ("F", 1.5), ("F", np.nan)])
def test_pixels_without_a_known_white_say_how_to_scale_them(mode, colour):
    content = encoded(Image.new(mode, (3, 2), colour), "TIFF")
    with pytest.raises(ValueError, match=r"not known which .* white\. Scale them to 16-bit"):
        load_image(content, image_size=4)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_first_picture_of_several_is_used(format):
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    content = encoded(pictures[0], format, save_all=True, append_images=pictures[1:])
    assert (load_image(content, image_size=4) == 255).all()


def test_opaque_rgba_is_rgb():
    np.testing.assert_array_equal(
        load_image(photograph(0).convert("RGBA"), image_size=20),
        load_image(photograph(0), image_size=20),
    )


def test_shrinking_is_antialiased():
    checkered = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = load_image(Image.fromarray(checkered.astype(np.uint8)), image_size=8)
    assert abs(image.astype(int) - 127).max() <= 8


# --- JPEG decoded at a fraction of its size ----------------------------------------------------


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1601, 1203), (1203, 1601)])
def test_large_jpeg_has_the_pixels_of_one_decoded_in_full(resize, size):
    content = encoded(photograph(0, size), "JPEG", quality=95)
    whole = Image.open(io.BytesIO(content))
    image, expected = (load_image(f, image_size=96, resize=resize) for f in (content, whole))
    # Measured: 0.8 at most on photographs of scikit-learn, up to 1.3 at crop.
    assert np.sqrt(np.mean((image.astype(float) - expected) ** 2)) < 1.5


def test_large_jpeg_is_decoded_at_a_fraction(monkeypatch):
    sizes = []

    def eight_bits_noted(picture):
        sizes.append(picture.size)
        return eight_bits(picture)

    monkeypatch.setattr("skcifar._images.decoding.eight_bits", eight_bits_noted)
    load_image(encoded(photograph(0, (1600, 1200)), "JPEG"), image_size=96)
    assert sizes == [(400, 300)]  # an eighth would be less than 2 x 96


# --- What cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"the file is empty\. Copy or download it again"),
        (b"some words", r"it is text\."),
        ("Wörter".encode(), r"it is text\."),
        (b"<html>404</html>", "it is a web page"),
        (b"<svg/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (HEIC, r"HEIC picture.*pip install pillow-heif.*Most Compatible"),
        (bytes(range(256)), "Pillow cannot identify its format"),
    ],
)
def test_file_that_is_no_picture_says_what_it_is(tmp_path, content, message):
    path = tmp_path / "1.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"1\.jpg cannot be read as a picture: .*{message}"):
        load_image(path, image_size=8)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_truncated_file_says_so(format):
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), format)
    with pytest.raises(ValueError, match="cannot be read as a picture: ") as caught:
        load_image(content[: len(content) * 2 // 3], image_size=8)
    if format in ("PNG", "JPEG", "BMP"):
        assert "truncated: its end is missing. Copy or download it again" in str(caught.value)


def test_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"^nowhere\.jpg cannot be read.*no such file"):
        load_image("nowhere.jpg", image_size=8)


def test_folder_is_named(tmp_path):
    with pytest.raises(OSError, match=r"it is a folder, not a file.*load_image_folder"):
        load_image(tmp_path, image_size=8)


# --- Hostile files -------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1.2, 2.5])  # Pillow warns above its limit, raises above twice it
@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
def test_decompression_bomb_is_refused(tmp_path, monkeypatch, share):
    path = tmp_path / "bomb.png"
    Image.new("RGB", (int(1000 * share), 1)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match=r"bomb\.png .*may be a decompression bomb\. .*MAX_IMAGE"):
        load_image(path, image_size=8)


def test_user_can_lift_the_limit_on_pixels(monkeypatch):
    content = encoded(Image.new("RGB", (2000, 1)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert load_image(content, image_size=8).shape == (8, 8, 3)


def png_that_claims(width, height):
    """Return a PNG of one pixel with another size in its header."""
    content = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("size", [(3000, 2000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_file_that_lies_about_its_size_is_refused(size):
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        load_image(png_that_claims(*size), image_size=8)


def test_program_in_postscript_is_not_run(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) run\n%%EOF\n"
    )
    with pytest.raises(ValueError, match="EPS files are programs, which are not run"):
        load_image(path, image_size=8)


def test_jpeg_of_endless_scans_is_refused():
    content = encoded(photograph(0), "JPEG", progressive=True)
    scans = content.index(b"\xff\xda")
    with pytest.raises(ValueError, match="more than 200 scans"):
        load_image(content[:scans] + content[scans:-2] * 300, image_size=8)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs devices")
def test_endless_device_is_refused_at_once():
    with pytest.raises(ValueError, match=r"/dev/zero cannot be read.*it is a device, not a file"):
        load_image("/dev/zero", image_size=8)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match=r"pipe\.png .*it is a named pipe, not a file"):
        load_image(tmp_path / "pipe.png", image_size=8)


def test_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "huge.webp").open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(2**40)  # takes no room on the disk
    with pytest.raises(ValueError, match=r"huge\.webp .*larger than 1 GiB"):
        load_image(tmp_path / "huge.webp", image_size=8)


def test_endless_stream_is_given_up(monkeypatch):
    class Endless:
        def read(self, n=-1):
            return bytes(n)

    monkeypatch.setattr("skcifar._images.sources._MAX_BYTES", 2**22)
    with pytest.raises(ValueError, match=r"open file cannot be read.*larger than"):
        load_image(Endless(), image_size=8)


@pytest.mark.parametrize("name", ["two\nlines.jpg", "\udcff undecodable.jpg", "\x1b[31mred.jpg"])
def test_name_that_would_break_the_message_is_quoted(tmp_path, name):
    (tmp_path / name).write_bytes(b"text")
    with pytest.raises(ValueError, match="cannot be read as a picture: it is text") as caught:
        load_image(tmp_path / name, image_size=8)
    assert str(caught.value).isprintable()
    assert ascii(name)[1:-1] in str(caught.value)


@pytest.mark.parametrize("name", ["\udcff.png", "two\nlines.png", "~.png"])
def test_any_name_can_be_read(tmp_path, name):
    (tmp_path / name).write_bytes(encoded(photograph(0), "PNG"))
    assert load_image(tmp_path / name, image_size=8).shape == (8, 8, 3)


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5000 + ".jpg"])
def test_name_that_cannot_be_is_an_error(name):
    with pytest.raises((ValueError, OSError), match="cannot be read as a picture"):
        load_image(name, image_size=8)


def test_link_to_itself_is_an_error(tmp_path):
    (tmp_path / "1.png").symlink_to(tmp_path / "1.png")
    with pytest.raises(OSError, match=r"1\.png cannot be read as a picture: .*symbolic links"):
        load_image(tmp_path / "1.png", image_size=8)


def test_file_without_permission_is_named(tmp_path, monkeypatch):
    (tmp_path / "1.png").write_bytes(encoded(photograph(0), "PNG"))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # the tests may run as root, who may read anything
    with pytest.raises(PermissionError, match=r"1\.png .*you have no permission to read it"):
        load_image(tmp_path / "1.png", image_size=8)


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    decoding, at_once = [], []

    def pixels(picture, size, factor, sizing):
        decoding.append(picture)
        time.sleep(0.01)
        at_once.append(len(decoding))
        decoding.remove(picture)
        return np.zeros(sizing.image_shape, np.uint8)

    monkeypatch.setattr("skcifar._images.decoding._pixels", pixels)
    monkeypatch.setattr("skcifar._images.decoding._LARGE_PIXELS", 100)
    contents = [encoded(photograph(0), "BMP")] * 32
    np.asarray(ImageFiles(contents, image_size=8, n_jobs=4))
    assert at_once == [1] * 32
    monkeypatch.setattr("skcifar._images.decoding._LARGE_PIXELS", 10_000)
    np.asarray(ImageFiles(contents, image_size=8, n_jobs=4))
    assert max(at_once) > 1
