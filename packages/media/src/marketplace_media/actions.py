"""The verbs: to store a file, by a request or by a direct upload, to make its thumbnails, and to delete it."""

import re
import unicodedata
from collections.abc import Callable, Collection
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import InterfaceError, OperationalError

from marketplace_kit.exceptions import DomainError, NotFound, ServiceUnavailable
from marketplace_kit.ids import uuid7
from marketplace_kit.jobs import defer
from marketplace_kit.schemas import clean_line
from marketplace_kit.transactions import action
from marketplace_kit.uploads import TooLarge
from marketplace_kit.users import lock_user

from . import storage
from .exceptions import NotADocument, NotAnImage, TooManyUploads, UploadMissing, WrongSize
from .lifecycle import CONTENT_TYPES, FORMATS, MAX_BYTES, MAX_FILENAME, MAX_OPEN_UPLOADS, PDF, FileKind
from .models import File, Upload

type Attach = Callable[[File], Any]

log = structlog.get_logger(__name__)


def unattached(file: File) -> None:
    """What is done with a new file unless the caller says so: nothing."""


# --- by a request ---


def store_image(owner_id: Any, upload: "UploadedFile[bytes]", attach: Attach = unattached) -> File:
    """Check, clean and store an uploaded image: its object first, then its row. Call it outside of a transaction.

    `attach(file)` runs in the transaction that writes the row: where it raises, nothing is stored.
    TooLarge, NotAnImage, TooManyPixels; StorageUnavailable, with nothing stored.
    """
    return _store(_image(owner_id, upload.name or "", _read(upload, FileKind.IMAGE)), attach)


def store_document(owner_id: Any, upload: "UploadedFile[bytes]", attach: Attach = unattached) -> File:
    """Check and store an uploaded PDF, in the same manner. TooLarge, NotADocument, StorageUnavailable."""
    return _store(_document(owner_id, upload.name or "", _read(upload, FileKind.DOCUMENT)), attach)


def _read(upload: "UploadedFile[bytes]", kind: FileKind) -> bytes:
    _require_size(kind, upload.size or 0)
    content: bytes = upload.read()
    return content


def _require_size(kind: FileKind, size: int) -> None:
    if size > MAX_BYTES[kind]:
        raise TooLarge(f"The file can be at most {MAX_BYTES[kind]} bytes.")


type Unsaved = tuple[File, bytes]


def _image(owner_id: Any, name: str, content: bytes) -> Unsaved:
    from .images import clean  # with Pillow, which most processes never need

    picture = clean(content)
    content_type, endings = FORMATS[picture.format]
    file = _file(owner_id, FileKind.IMAGE, name, content_type, endings, len(picture.content))
    file.width, file.height = picture.width, picture.height
    return file, picture.content


def _document(owner_id: Any, name: str, content: bytes) -> Unsaved:
    from .documents import check

    check(content)
    return _file(owner_id, FileKind.DOCUMENT, name, *PDF, len(content)), content


MADE_OF: dict[str, Callable[[Any, str, bytes], Unsaved]] = {FileKind.IMAGE: _image, FileKind.DOCUMENT: _document}


def _file(owner_id: Any, kind: FileKind, name: str, content_type: str, endings: tuple[str, ...], size: int) -> File:
    file_id = uuid7()
    return File(
        id=file_id,
        owner_id=owner_id,
        kind=kind,
        key=f"{kind}s/{file_id}{endings[0]}",
        filename=safe_filename(name, endings, kind),
        content_type=content_type,
        size=size,
    )


def _store(unsaved: Unsaved, attach: Attach) -> File:
    file, content = unsaved
    storage.put(file.key, content, file.content_type, file.filename, as_attachment=file.kind == FileKind.DOCUMENT)
    try:
        _write(file, attach)
    except (OperationalError, InterfaceError):
        raise  # it may be committed all the same: if not, the sweep finds the object
    except BaseException:
        _remove_objects([file.key])
        raise
    return file


@action
def _write(file: File, attach: Attach) -> None:
    file.save(force_insert=True)
    attach(file)


def _remove_objects(keys: Collection[str]) -> None:
    try:
        for key in keys:
            storage.delete(key)
    except ServiceUnavailable:
        log.warning("objects_left_behind", keys=keys)  # until the sweep


# --- by a direct upload ---


@action
def start_upload(owner_id: Any, target: Any, kind: FileKind, filename: str, content_type: str, size: int) -> Upload:
    """A form for a direct upload to the storage; `target` is the key of what the file will be for.

    NotAnImage or NotADocument, and TooLarge, by what is announced; TooManyUploads.
    """
    if content_type not in CONTENT_TYPES[kind]:
        raise NotAnImage if kind == FileKind.IMAGE else NotADocument
    _require_size(kind, size)
    lock_user(owner_id)
    if Upload.objects.open().filter(owner=owner_id).count() >= MAX_OPEN_UPLOADS:
        raise TooManyUploads
    upload_id = uuid7()
    return Upload.objects.create(
        id=upload_id,
        owner_id=owner_id,
        target=str(target),
        kind=kind,
        key=f"uploads/{upload_id}",
        filename=filename,
        content_type=content_type,
        size=size,
    )


def complete_upload(upload: Upload, attach: Attach = unattached) -> tuple[File, bool]:
    """The file of what has arrived, checked and stored as by a request, and whether that was done just now.

    Call it outside of a transaction. What is refused is deleted, and may be sent once more.
    UploadMissing, TooLarge, WrongSize, NotAnImage, NotADocument, TooManyPixels, StorageUnavailable.
    """
    content = None if upload.file_id else storage.get(upload.key, MAX_BYTES[FileKind(upload.kind)])
    if content is None:
        return _file_of(upload.pk), False
    try:
        made = _made_of(upload, content)
    except ServiceUnavailable:
        raise  # nobody has looked into it yet: it waits for the next call
    except DomainError:
        _discard([upload.key])
        raise
    try:
        return _store(made, partial(_claim, upload, attach)), True
    except NotFound:
        # Somebody else completed it meanwhile, unless it is really gone.
        return _file_of(upload.pk), False


def _made_of(upload: Upload, content: bytes) -> Unsaved:
    """The form lets nothing else through. But that is the storage's word, and there are many storages."""
    _require_size(FileKind(upload.kind), len(content))
    if len(content) != upload.size:
        raise WrongSize(upload.size, len(content))
    return MADE_OF[upload.kind](upload.owner_id, upload.filename, content)


def _claim(upload: Upload, attach: Attach, file: File) -> None:
    """Of two that complete an upload at once, one does. The other waits here, and finds that it is done: NotFound."""
    if not Upload.objects.open().filter(pk=upload.pk).update(file=file):
        raise NotFound
    attach(file)
    _discard([upload.key])


def _file_of(upload_id: Any) -> File:
    """What an upload became. UploadMissing where that is nothing yet, NotFound where the upload is gone."""
    upload = Upload.objects.select_related("file").filter(pk=upload_id).first()
    if upload is None:
        raise NotFound
    if upload.file is None:
        raise UploadMissing
    return upload.file


@action
def forget_uploads(owner_id: Any) -> None:
    """Delete what this owner has uploaded directly and not completed."""
    uploads = Upload.objects.open().filter(owner=owner_id)
    keys = list(uploads.select_for_update().values_list("key", flat=True))
    uploads.delete()
    _discard(keys)


# --- thumbnails ---


def request_thumbnails(file: File) -> None:
    """Have the thumbnails of a file made, once this transaction commits. A document gets none."""
    if file.kind == FileKind.IMAGE:
        defer("marketplace_media.make_thumbnails", file_id=str(file.pk))


def make_thumbnails(file_id: Any) -> None:
    """Make the thumbnails of an image, unless they are there or it is gone. Safe to repeat. StorageUnavailable."""
    from .images import thumbnails

    file = File.objects.filter(pk=file_id, kind=FileKind.IMAGE, small_key=None).first()
    content = storage.get(file.key, file.size) if file else None
    if file is None or content is None:
        return
    # Names of their own for each attempt, so that two at once, or the sweep, never touch the other's.
    attempt, (content_type, endings) = uuid7(), FORMATS["WEBP"]
    keys = {}
    for name, picture in thumbnails(content).items():
        keys[f"{name}_key"] = key = f"thumbnails/{attempt}-{name}{endings[0]}"
        storage.put(key, picture.content, content_type, safe_filename(file.filename, endings, FileKind.IMAGE))
    if not File.objects.filter(pk=file.pk, small_key=None).update(**keys):
        _remove_objects(keys.values())


# --- deleting ---


def delete_file(file_id: Any) -> None:
    """Delete a file: its row now, its objects by a job once that is committed. One that is gone is no error."""
    delete_files([file_id])


@action
def delete_files(file_ids: Collection[Any]) -> None:
    """Delete files, in the same manner."""
    # Locked, so that thumbnails made just now are either known here or find that the file is gone.
    files = list(File.objects.filter(pk__in=file_ids).select_for_update(of=("self",)).order_by("pk"))
    File.objects.filter(pk__in=[file.pk for file in files]).delete()
    _discard([key for file in files for key in file.keys])


def _discard(keys: Collection[str]) -> None:
    if keys:
        defer("marketplace_media.delete_objects", keys=list(keys))


# --- names ---


def safe_filename(name: str, endings: tuple[str, ...], otherwise: str) -> str:
    """The last part of `name` without anything that a shell, a file system or a header could stumble over.

    It gets the first of `endings` unless it has one of them; where nothing is left, it is called `otherwise`.
    """
    last = re.split(r"[/\\]", clean_line(name))[-1]
    visible = "".join(c for c in last if unicodedata.category(c) != "Cf")  # marks that turn text round, for one
    plain = re.sub(r'[<>:"|?*%;\t]', "_", visible).strip(" .")
    path = PurePosixPath(plain or otherwise)
    ending = path.suffix if path.suffix.lower() in endings else endings[0]
    return path.stem[: MAX_FILENAME - len(ending)] + ending
