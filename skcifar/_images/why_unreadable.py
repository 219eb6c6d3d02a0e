"""What the errors of decoders mean for the owner of a file, and what helps."""

from .unreadable import UnreadableError

N_BYTES_LOOKED_AT = 512

_REPAIR = "Repair it, or remove it."
_CUT_OFF = (
    "Copy or download it again. To read what is there, with the rest in grey, set "
    "PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True."
)
_HEIC = (
    "Run `pip install pillow-heif`, and `import pillow_heif; pillow_heif.register_heif_opener()` "
    "before you load pictures. To make an iPhone save JPEG: Settings > Camera > Formats > "
    "Most Compatible."
)
_NO_PICTURE = "Remove it, or replace it with a picture."

# Words in the messages of Pillow and its decoders about files that end too early.
_EARLY_END = ("truncated", "unexpected end", "end of file", "not enough image data")

# What stands in bytes 4 to 12 of files of the ISO base media format, and who writes them.
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def explain(error, picture):
    """Return an `UnreadableError` for what a decoder raised.

    Parameters
    ----------
    error : Exception
    picture : bytes or PIL.Image.Image
        What was to be decoded.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return too_many_pixels(Image.MAX_IMAGE_PIXELS)
    if isinstance(error, MemoryError):
        return UnreadableError("there is too little memory to decode it", "Save it smaller.")
    if isinstance(error, UnidentifiedImageError):
        return _unknown_format(picture)
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, EOFError) or any(words in message.lower() for words in _EARLY_END):
        return UnreadableError("the file is truncated: its end is missing", _CUT_OFF)
    return UnreadableError(f"it is damaged ({message})", _REPAIR)


def too_many_pixels(limit):
    """Return the `UnreadableError` for a picture above Pillow's limit."""
    return UnreadableError(
        f"it has more than {limit / 1e6:,.3g} million pixels and may be a decompression bomb",
        "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS, or save it smaller.",
    )


def _unknown_format(content):
    """Return what a file is, judged by its first bytes, that Pillow does not know."""
    start = content[:N_BYTES_LOOKED_AT]
    if not start:
        return UnreadableError("the file is empty", "Copy or download it again.")
    if start[4:8] == b"ftyp":
        return _iso_media(start[8:12])
    if start.startswith(b"%PDF"):
        return UnreadableError("it is a PDF file", "Save its pages as PNG.")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")):
        return UnreadableError("it is XML or SVG, not pixels", "Save an SVG drawing as PNG.")
    if text.startswith((b"<!doctype html", b"<html")):
        advice = "The server sent a page instead of the picture: download it again."
        return UnreadableError("it is a web page", advice)
    if _is_text(start):
        return UnreadableError("it is text", _NO_PICTURE)
    return UnreadableError("Pillow cannot identify its format", _NO_PICTURE)


def _iso_media(brand):
    if brand in _HEIC_BRANDS:
        return UnreadableError("it is a HEIC picture, which Pillow cannot read by itself", _HEIC)
    if brand in (b"avif", b"avis"):
        advice = "Install Pillow 11.3 or newer, or save it as JPEG or PNG."
        return UnreadableError("it is an AVIF picture, which this Pillow cannot read", advice)
    return UnreadableError("it is a video or a raw picture of a camera", "Export it as JPEG.")


def _is_text(start):
    printed = bytes(range(32, 127)) + b"\t\r\n\f\b\x1b"
    return not start.translate(None, printed) or _is_utf8(start)


def _is_utf8(start):
    try:
        text = start[:-4].decode()  # the last character may be cut in two
    except UnicodeDecodeError:
        return False
    return bool(text) and text.isprintable()
