"""The verbs: to store a file, and to delete one."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

import structlog
from django.core.files.uploadedfile import UploadedFile

from marketplace_kit.exceptions import ServiceUnavailable
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import defer
from marketplace_kit.schemas import clean_line
from marketplace_kit.transactions import action
from marketplace_kit.uploads import TooLarge

from . import images, storage
from .lifecycle import FORMATS, MAX_FILENAME, MAX_IMAGE_BYTES, Kind
from .models import File

log = structlog.get_logger(__name__)


def store_image(owner_id: Any, upload: "UploadedFile[bytes]") -> File:
    """Check, clean and store an uploaded image: its object first, then its row. Call it outside of a transaction.

    TooLarge, NotAnImage, TooManyPixels; StorageUnavailable, with nothing stored.
    """
    if (upload.size or 0) > MAX_IMAGE_BYTES:
        raise TooLarge(f"An image may have {MAX_IMAGE_BYTES} bytes at the most.")
    picture = images.clean(upload)
    content_type, endings = FORMATS[picture.format]
    file_id = uuid7()
    file = File(
        id=file_id,
        owner_id=owner_id,
        kind=Kind.IMAGE,
        key=f"images/{file_id}{endings[0]}",
        filename=safe_filename(upload.name or "", endings),
        content_type=content_type,
        size=len(picture.content),
        width=picture.width,
        height=picture.height,
    )
    _store(file, picture.content)
    return file


def _store(file: File, content: bytes) -> None:
    storage.put(file.key, content, file.content_type, file.filename)
    try:
        file.save(force_insert=True)
    except BaseException:
        _remove_object(file.key)
        raise


def _remove_object(key: str) -> None:
    try:
        storage.delete(key)
    except ServiceUnavailable:
        log.warning("object_left_behind", key=key)


@action
def delete_file(file_id: Any) -> None:
    """Delete a file: its row now, its object by a job once that is committed. One that is gone already is no error."""
    file = File.objects.filter(pk=file_id).first()
    if file is not None:
        file.delete()
        defer("marketplace_media.delete_object", key=file.key)


def safe_filename(name: str, endings: tuple[str, ...]) -> str:
    """The last part of `name` without anything that a shell, a file system or a header could stumble over.

    It gets the first of `endings` unless it has one of them.
    """
    last = re.split(r"[/\\]", clean_line(name))[-1]
    visible = "".join(c for c in last if unicodedata.category(c) != "Cf")  # marks that turn text round, for one
    plain = re.sub(r'[<>:"|?*%;\t]', "_", visible).strip(" .")
    path = PurePosixPath(plain or "image")
    ending = path.suffix if path.suffix.lower() in endings else endings[0]
    return path.stem[: MAX_FILENAME - len(ending)] + ending
