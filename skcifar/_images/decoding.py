"""From the bytes of a picture to its pixels: the one place that decodes.

All that reads pictures goes through `decode`, so that a picture has the same pixels in a folder,
in an `ImageFiles` and on its own.
"""

import contextlib
import hashlib
import io
import threading

import numpy as np

from .._system.forks import call_in_child
from .bit_depth import eight_bits
from .sources import open_file
from .unreadable import UnreadableError
from .why_unreadable import N_BYTES_LOOKED_AT, explain, too_many_pixels

DIGEST_BYTES = 16
_DECODER_VERSION = 1  # raise it when pixels change

# EPS pictures are programs that Pillow hands to Ghostscript, WMF ones go to Windows' own renderer.
_REFUSED_FORMATS = ("EPS", "WMF")

# Baseline files have 1 scan, progressive ones about 10; a forged one with thousands takes minutes.
_MAX_JPEG_SCANS = 200

# Larger ones are decoded one at a time, however many threads there are: 0.1 to 0.7 GB each.
_LARGE_PIXELS, _LARGE_BYTES = 2**25, 2**26


def _renew_locks():
    global _large_pictures, _pil_images
    _large_pictures = threading.Lock()
    _pil_images = threading.Lock()  # their decoders are not safe to share


_renew_locks()
call_in_child(_renew_locks)

_TRANSPOSED = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def decode(picture, sizing):
    """Return the pixels of a picture.

    Parameters
    ----------
    picture : bytes or PIL.Image.Image
        The content of a file, or a picture that is open already.
    sizing : Sizing

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Raises
    ------
    UnreadableError
    """
    try:
        if isinstance(picture, bytes):
            return _decode_bytes(picture, sizing)
        _load(picture)
        return _pixels(picture, picture.size, 1.0, sizing)
    except UnreadableError:
        raise
    # Decoders raise nearly anything on damaged files, from SyntaxError to zlib.error.
    except Exception as error:
        raise explain(error, picture) from error


def check_header(path):
    """Raise `UnreadableError` if the beginning of a file shows that it is no picture."""
    with open_file(path) as (stream, _):
        try:
            _open(stream)
        except UnreadableError:
            raise
        except Exception as error:
            stream.seek(0)
            raise explain(error, stream.read(N_BYTES_LOOKED_AT)) from error


def size_of(picture):
    """Return the (width, height) that the header of a picture states, or None if it is none.

    Parameters
    ----------
    picture : str, bytes or PIL.Image.Image
        Path, content of a file, or an open picture.
    """
    if not isinstance(picture, (str, bytes)):
        return picture.size
    try:
        with open_file(picture) if isinstance(picture, str) else _in_memory(picture) as (stream, _):
            return _open(stream).size
    except Exception:  # of any kind: it is told when the picture is read
        return None


@contextlib.contextmanager
def _in_memory(content):
    yield io.BytesIO(content), len(content)


def digest(picture, sizing):
    """Return 16 bytes that tell apart pictures, sizes and ways of resizing.

    Parameters
    ----------
    picture : bytes or PIL.Image.Image
    sizing : Sizing
    """
    import PIL

    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    decoder = f"picture {_DECODER_VERSION} {PIL.__version__} {sizing}\n"
    state.update(decoder.encode())
    for part in [picture] if isinstance(picture, bytes) else _parts_of(picture):
        state.update(part)
    return state.digest()


def _parts_of(picture):
    """Return the bytes that make up a PIL image."""
    _load(picture)
    palette = picture.getpalette("RGBA") if picture.mode == "P" else None
    transparency = picture.info.get("transparency")
    facts = (picture.mode, picture.size, palette, transparency, _orientation(picture))
    return [b"PIL image ", repr(facts).encode(), picture.tobytes()]


def _load(picture):
    """Decode what a PIL image has not yet read of its file."""
    try:
        with _pil_images:
            picture.load()
    except Exception as error:
        raise explain(error, picture) from error


def _decode_bytes(content, sizing):
    with _open(io.BytesIO(content)) as picture:
        _check_scans(picture, content)
        size, factor = picture.size, 1.0
        side = sizing.transposed() if _orientation(picture) in _TRANSPOSED else sizing
        # A JPEG is made of blocks that can be decoded at an eighth, a quarter or half their size.
        reduced = picture.draft(None, side.enough_pixels(*size))
        if reduced is not None:
            factor = size[0] / reduced[1][2]
        large = picture.width * picture.height > _LARGE_PIXELS or len(content) > _LARGE_BYTES
        with _large_pictures if large else contextlib.nullcontext():
            picture.load()
            if reduced is None:
                size = picture.size  # TIFF has turned itself upright
            return _pixels(picture, size, factor, sizing)


def _check_scans(picture, content):
    if picture.format in ("JPEG", "MPO") and content.count(b"\xff\xda") > _MAX_JPEG_SCANS:
        raise UnreadableError(
            f"it has more than {_MAX_JPEG_SCANS} scans, which take very long to decode",
            "If you trust it, save it again with another program; otherwise remove it.",
        )


def _open(stream):
    """Return the picture in an open file, with its header read."""
    from PIL import Image

    picture = Image.open(stream)
    if picture.format in _REFUSED_FORMATS:
        raise UnreadableError(
            f"{picture.format} files are programs, which are not run",
            "Save it as PNG.",
        )
    limit = Image.MAX_IMAGE_PIXELS
    # Pillow itself raises above twice its limit, and only warns below.
    if limit is not None and picture.width * picture.height > limit:
        raise too_many_pixels(limit)
    return picture


def _orientation(picture):
    """Return how the picture lies, as EXIF numbers it: 1 is upright, also where EXIF is broken."""
    try:
        orientation = picture.getexif().get(0x0112, 1)
    except Exception:
        return 1
    return orientation if orientation in range(2, 9) else 1


def _pixels(picture, size, factor, sizing):
    """Return the pixels of a loaded picture, which had `size` before a decoder divided it."""
    from PIL import Image

    orientation = _orientation(picture)
    lying = sizing.transposed() if orientation in _TRANSPOSED else sizing
    box = tuple(edge / factor for edge in lying.box(*size))
    small = eight_bits(picture).resize(lying.inner_size(*size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(sizing.padded(_upright(_on_white(small), orientation)))


def _on_white(picture):
    from PIL import Image

    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _upright(picture, orientation):
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return picture if method is None else picture.transpose(method)
