"""Pictures as they come in, made into pictures that we give out: decoded, turned upright, encoded anew."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps

from .crowding import AtOnce
from .exceptions import NotAnImage, TooManyPixels
from .lifecycle import FORMATS, MAX_PIXELS, THUMBNAILS

# What Pillow's decoders were seen to raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)
QUALITY: dict[str, dict[str, Any]] = {"JPEG": {"quality": 88}, "PNG": {}, "WEBP": {"quality": 88}}
START_OF_SCAN = b"\xff\xda"
# A progressive JPEG has about ten, and so has each small one within it. Each runs over all pixels, and takes ten bytes.
MAX_SCANS = 100
# A picture of 50 megapixels is 200 MB, and takes up to a gigabyte on its way.
_at_once = AtOnce(2)


@dataclass(frozen=True, slots=True)
class Picture:
    """A clean picture: nothing in it but pixels."""

    content: bytes
    format: str
    width: int
    height: int


def clean(content: bytes) -> Picture:
    """The picture in `content`, upright, in its own format, without metadata or anything that hung on to it.

    NotAnImage where it is no still JPEG, PNG or WebP that decodes; TooManyPixels, before it is decoded.
    """
    with _at_once.turn(), _refusing():
        return _encoded(*_decoded(content))


def _decoded(content: bytes) -> tuple[Image.Image, str]:
    """The pixels, and the format's name. What they were read from is let go before they are written."""
    with _opened(content) as image:
        name = _checked_format(image)
        if name == "JPEG" and content.count(START_OF_SCAN) > MAX_SCANS:
            raise NotAnImage
        ImageOps.exif_transpose(image, in_place=True)
        return _pixels(image), name


def thumbnails(content: bytes) -> dict[str, Picture]:
    """A clean picture made small, by the names in THUMBNAILS. It is never made larger than it is."""
    made = {}
    with _at_once.turn(), _refusing(), _opened(content) as image:
        for name, pixels in sorted(THUMBNAILS.items(), key=lambda item: -item[1]):
            image.thumbnail((pixels, pixels))  # the smaller one of the larger one
            made[name] = _encoded(image, "WEBP")
    return made


def _opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content), formats=("JPEG", "PNG", "WEBP"))


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels from error
    except BROKEN as error:
        raise NotAnImage from error


def _checked_format(image: Image.Image) -> str:
    """The format's name; looks at the header only. A phone's MPO is a JPEG with more pictures behind it."""
    if image.width * image.height > MAX_PIXELS:
        raise TooManyPixels
    if image.format == "MPO":
        return "JPEG"
    if getattr(image, "n_frames", 1) != 1:
        raise NotAnImage("Animated images aren't accepted.")
    assert image.format in FORMATS, image.format
    return image.format


def _pixels(image: Image.Image) -> Image.Image:
    """A new image of the same pixels, in RGB, RGBA or L: what was noted in the old one stays behind."""
    if image.mode.startswith(("I", "F")):
        # 16 bits of grey; convert() would cut off what is above 255
        image = image.convert("I").point(lambda value: value / 256)
    transparent = image.has_transparency_data
    mode = "RGBA" if transparent else "L" if image.mode in ("1", "L", "I") else "RGB"
    new = Image.new(mode, image.size)
    new.paste(image if image.mode == mode else image.convert(mode))
    return new


def _encoded(image: Image.Image, name: str) -> Picture:
    out = BytesIO()
    image.save(out, name, **QUALITY[name])
    return Picture(out.getvalue(), name, image.width, image.height)
