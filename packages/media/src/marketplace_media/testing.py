"""Made-up data for tests, ours and a host's."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from marketplace_kit.ids import uuid7

from .lifecycle import FORMATS, FileKind
from .models import File


def make_image_bytes(name: str = "PNG", size: tuple[int, int] = (32, 24), color: Any = "teal", **save: Any) -> bytes:
    """An image file of one colour, in Pillow's format `name`. `save` goes to Pillow: `exif=`, `save_all=` …"""
    out = BytesIO()
    Image.new("RGB", size, color).save(out, name, **save)
    return out.getvalue()


def make_pdf_bytes(pages: int = 1) -> bytes:
    """A PDF of empty pages."""
    from pypdf import PdfWriter

    writer, out = PdfWriter(), BytesIO()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    writer.write(out)
    return out.getvalue()


def make_upload(content: bytes | None = None, filename: str = "picture.png") -> Any:
    """An upload as a request brings it: an image, unless told otherwise."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(filename, make_image_bytes() if content is None else content)


def make_file(owner_id: Any, **fields: Any) -> File:
    """The row of an image, without an object in the bucket."""
    file_id = uuid7()
    content_type, endings = FORMATS["PNG"]
    values = {
        "id": file_id,
        "kind": FileKind.IMAGE,
        "key": f"images/{file_id}{endings[0]}",
        "filename": f"picture{endings[0]}",
        "content_type": content_type,
        "size": 1000,
        "width": 32,
        "height": 24,
    }
    return File.objects.create(owner_id=owner_id, **values | fields)


def send_form(url: str, fields: Mapping[str, str], content: bytes) -> int:
    """Post the form of a direct upload, as a client does; the storage's status."""
    from django.core.files.base import ContentFile
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    body = encode_multipart(BOUNDARY, {**fields, "file": ContentFile(content, "file")})
    request = urllib.request.Request(url, body, {"Content-Type": MULTIPART_CONTENT})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
