"""A folder as people have it: every format, and every kind of file that does not belong."""

import io
import os
import struct

import numpy as np
from PIL import Image

HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(200)


def photograph(seed, size=(60, 40)):
    """Return a smooth picture that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(256, size=(5, 5, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def encoded(picture, format, **options):
    stream = io.BytesIO()
    picture.save(stream, format, **options)
    return stream.getvalue()


def oriented(picture, orientation):
    """Return a JPEG that EXIF data turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture, "JPEG", exif=exif)


def sixteen_bits(seed):
    grey = np.asarray(photograph(seed).convert("L")).astype(np.uint16)
    return Image.fromarray(grey * 257)


def transparent_palette(seed):
    picture = photograph(seed).quantize(16)
    picture.info["transparency"] = 0
    return picture


def frames(seed):
    """Return keywords that save a second picture into the same file."""
    return {"save_all": True, "append_images": [photograph(seed + 1000)]}


READABLE = {
    "cat/16 bit.png": lambda: encoded(sixteen_bits(0), "PNG"),
    "cat/cmyk.jpg": lambda: encoded(photograph(1).convert("CMYK"), "JPEG"),
    "cat/palette.png": lambda: encoded(transparent_palette(2), "PNG"),
    "cat/animated.gif": lambda: encoded(photograph(3), "GIF", **frames(3)),
    "cat/photo.webp": lambda: encoded(photograph(4), "WEBP"),
    "cat/animated.webp": lambda: encoded(photograph(5), "WEBP", **frames(5)),
    "cat/pages.tiff": lambda: encoded(photograph(6), "TIFF", **frames(6)),
    "cat/scan.bmp": lambda: encoded(photograph(7), "BMP"),
    "cat/indoors/deep/down.jpg": lambda: encoded(photograph(8), "JPEG"),
    "cat/no ending": lambda: encoded(photograph(9), "PNG"),
    "dog/really a png.jpg": lambda: encoded(photograph(10), "PNG"),
    "dog/rotated.jpg": lambda: oriented(photograph(11), 6),
    "dog/grey.jpg": lambda: encoded(photograph(12).convert("L"), "JPEG"),
    "dog/grey and alpha.png": lambda: encoded(photograph(13).convert("LA"), "PNG"),
    "dog/one bit.png": lambda: encoded(photograph(14).convert("1"), "PNG"),
    "dog/Hündin 犬 🐕.PNG": lambda: encoded(photograph(15), "PNG"),
    "dog/two\nlines.png": lambda: encoded(photograph(16), "PNG"),
    "dog/strip.png": lambda: encoded(photograph(17, size=(200, 10)), "PNG"),
}
TRUNCATED = {
    "dog/cut off.jpg": lambda: encoded(photograph(20, size=(300, 200)), "JPEG")[:3000],
    "dog/cut off.png": lambda: encoded(photograph(21, size=(300, 200)), "PNG")[:9000],
}
UNREADABLE = TRUNCATED | {
    "cat/IMG_0001.HEIC": lambda: HEIC,
    "cat/IMG_0002.jpg": lambda: HEIC,
    "cat/text.jpg": lambda: b"This is not a picture.",
    "cat/page.jpg": lambda: b"<!DOCTYPE html><html>Not found</html>",
    "cat/empty.png": lambda: b"",
    "dog/drawing.svg": lambda: b"<?xml version='1.0'?><svg/>",
    "dog/labels.csv": lambda: b"path,label\n",
    "dog/video.mp4": lambda: struct.pack(">I", 24) + b"ftypisom" + bytes(100),
    "stray.jpg": lambda: encoded(photograph(22), "JPEG"),
}
PASSED_OVER = {
    "cat/.DS_Store": lambda: b"metadata",
    "cat/._tom.jpg": lambda: b"metadata",
    "dog/Thumbs.db": lambda: b"metadata",
    "__MACOSX/cat/._tom.jpg": lambda: b"metadata",
    ".hidden/1.jpg": lambda: b"metadata",
    "desktop.ini": lambda: b"metadata",
}
BESIDE = {"labels.csv": lambda: b"path,label\n", "README.txt": lambda: b"Pets of 2024"}


def write(folder, contents):
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content())


def write_links(folder):
    """Write links to a file, to a folder, to nowhere, and of a folder to itself; and a pipe."""
    outside = folder.parent / "elsewhere.png"
    outside.write_bytes(encoded(photograph(30), "PNG"))
    (folder / "cat" / "linked.png").symlink_to(outside)
    (folder / "kitten").symlink_to(folder / "cat")
    (folder / "dog" / "loop").symlink_to(folder / "dog")
    (folder / "dog" / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "dog" / "pipe.png")
    return ["kitten", "dog/loop", "dog/gone.png", "dog/pipe.png"]


def write_real_folder(folder):
    """Write all of it; return the names of what cannot be used and of what is ignored."""
    for contents in (READABLE, UNREADABLE, PASSED_OVER, BESIDE):
        write(folder, contents)
    return sorted([*UNREADABLE, *write_links(folder)]), sorted(BESIDE)
