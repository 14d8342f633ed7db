"""What comes in as a picture, and what goes out."""

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from marketplace_media import images
from marketplace_media.exceptions import NotAnImage, TooManyPixels
from marketplace_media.lifecycle import FORMATS
from marketplace_media.testing import make_image_bytes

ORIENTATION, GPS, MAKE = 0x0112, 0x8825, 0x010F


def read(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("name", FORMATS)
def test_a_picture_stays_one_of_its_format(name: str) -> None:
    found = images.clean(make_image_bytes(name, (40, 30)))
    image = read(found.content)
    assert (found.format, found.width, found.height) == (image.format, *image.size) == (name, 40, 30)


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_turned_upright_and_tells_nothing_of_its_maker(name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "Spy"
    exif.get_ifd(GPS)[1] = "N"
    content = make_image_bytes(name, (40, 30), exif=exif)
    assert read(content).getexif()[MAKE] == "Spy"

    found = images.clean(content)
    assert (found.width, found.height) == (30, 40)
    assert not read(found.content).getexif()
    assert b"Spy" not in found.content


def test_comments_and_text_are_dropped() -> None:
    jpeg = images.clean(make_image_bytes("JPEG", comment=b"<script>"))
    assert b"<script>" not in jpeg.content
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "<script>")
    assert b"<script>" not in images.clean(make_image_bytes(pnginfo=info)).content


def test_what_hangs_on_to_a_picture_is_dropped() -> None:
    polyglot = make_image_bytes() + b"<html><script>alert(1)</script></html>"
    assert b"script" not in images.clean(polyglot).content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html></html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
        b"%PDF-1.7",
        make_image_bytes("GIF"),
        make_image_bytes("BMP"),
        make_image_bytes("TIFF"),
        make_image_bytes()[:60],
        make_image_bytes("JPEG")[:-100],
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(NotAnImage):
        images.clean(content)


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_what_moves_is_refused(name: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green")]
    content = make_image_bytes(name, (8, 8), save_all=True, append_images=frames)
    with pytest.raises(NotAnImage, match="Animated"):
        images.clean(content)


def test_a_phones_jpeg_with_more_pictures_behind_it_is_its_first() -> None:
    more = [Image.new("RGB", (8, 8), "red")]
    content = make_image_bytes("MPO", (40, 30), "blue", save_all=True, append_images=more)
    assert read(content).format == "MPO"
    found = images.clean(content)
    assert (found.format, found.width) == ("JPEG", 40)
    assert len(found.content) < len(content)
    assert getattr(read(found.content), "n_frames", 1) == 1


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises much."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(10_000, 5_001), (10_000, 9_000), (20_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixels):
        images.clean(bomb(*size))


def many_scans(size: tuple[int, int], count: int) -> bytes:
    """A progressive JPEG that says its last scan over and over: a few bytes each, and each runs over all pixels."""
    content = make_image_bytes("JPEG", size, progressive=True)
    last = content.rindex(images.START_OF_SCAN)
    scan = content[last:-2]
    return content[:-2] + scan * count + content[-2:]


def test_a_jpeg_that_would_take_hours_is_refused_unread() -> None:
    assert images.clean(many_scans((64, 64), 10)).width == 64
    with pytest.raises(NotAnImage):
        images.clean(many_scans((5000, 5000), 100_000))


@pytest.mark.parametrize("name", FORMATS)
def test_thumbnails_keep_the_shape_and_never_grow(name: str) -> None:
    made = images.thumbnails(make_image_bytes(name, (1000, 500)))
    assert {n: (p.width, p.height, p.format) for n, p in made.items()} == {
        "small": (200, 100, "WEBP"),
        "medium": (800, 400, "WEBP"),
    }
    assert images.thumbnails(make_image_bytes(name, (40, 30)))["medium"].width == 40
    assert images.thumbnails(make_image_bytes(name, (4000, 1)))["small"].height == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixels(mode: str) -> None:
    out = BytesIO()
    name = {"CMYK": "JPEG", "PA": "WEBP"}.get(mode, "PNG")
    source = Image.new("RGBA" if mode == "PA" else mode, (8, 8))
    source.save(out, name)
    assert images.clean(out.getvalue()).width == 8


def test_transparency_is_kept_and_16_bits_of_grey_are_scaled() -> None:
    def cleaned(image: Image.Image) -> Image.Image:
        out = BytesIO()
        image.save(out, "PNG")
        return read(images.clean(out.getvalue()).content)

    assert cleaned(Image.new("RGBA", (2, 2), (10, 20, 30, 40))).getpixel((0, 0)) == (10, 20, 30, 40)
    assert cleaned(Image.new("I;16", (2, 2), 128 * 256)).getpixel((0, 0)) == 128


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # broken metadata is no reason to refuse a picture
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([make_image_bytes(name, (16, 16), exif=Image.Exif()) for name in FORMATS]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_broken_bytes_are_a_picture_or_a_refusal(content: bytes, changes: list[tuple[int, int]]) -> None:
    broken = bytearray(content)
    for position, value in changes:
        broken[position % len(broken)] = value
    with suppress(NotAnImage, TooManyPixels):
        assert images.clean(bytes(broken)).width > 0
