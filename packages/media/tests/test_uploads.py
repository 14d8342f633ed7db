"""Direct uploads, to the real storage: what its forms let through, and what becomes of that."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from tests.people.models import Person

from marketplace_kit.clock import shifted
from marketplace_kit.exceptions import DomainError, NotFound, ServiceUnavailable
from marketplace_kit.testing import run_jobs
from marketplace_kit.uploads import TooLarge
from marketplace_media import actions, crowding, images, lifecycle, storage
from marketplace_media.exceptions import (
    NotADocument,
    NotAnImage,
    StorageUnavailable,
    TooManyPixels,
    TooManyUploads,
    UploadMissing,
    WrongSize,
)
from marketplace_media.lifecycle import MAX_DOCUMENT_BYTES, MAX_IMAGE_BYTES, FileKind
from marketplace_media.models import File, Upload
from marketplace_media.testing import make_image_bytes, make_pdf_bytes, send_form

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


def start(owner: Person, content: bytes, kind: FileKind = FileKind.IMAGE, content_type: str = "image/png") -> Upload:
    return actions.start_upload(owner.pk, "target", kind, "../me.png", content_type, len(content))


def sent(owner: Person, content: bytes, kind: FileKind = FileKind.IMAGE, content_type: str = "image/png") -> Upload:
    upload = start(owner, content, kind, content_type)
    status = send_form(upload.url, upload.fields, content)
    assert status == 204, status
    return upload


# --- what the form lets through ---


def test_the_form_stores_what_it_was_made_for_and_nothing_else_sees_it(owner: Person, keys: Any) -> None:
    upload = sent(owner, make_image_bytes())
    assert keys() == {upload.key}
    assert not File.objects.exists()


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, b"x"),
        ({"Content-Type": "text/html"}, b""),
        ({"key": "images/somebody-elses.png"}, b""),
        ({"key": "uploads/another"}, b""),
        ({"x-amz-signature": "0" * 64}, b""),
        ({"policy": ""}, b""),
    ],
)
def test_the_storage_refuses_all_else(owner: Person, keys: Any, fields: dict[str, str], more: bytes) -> None:
    content = make_image_bytes()
    upload = start(owner, content)
    assert 400 <= send_form(upload.url, upload.fields | fields, content + more) < 500
    assert 400 <= send_form(upload.url, upload.fields, content[:-1]) < 500
    assert not keys()


def test_it_refuses_what_comes_too_late(owner: Person, keys: Any) -> None:
    content = make_image_bytes()
    with shifted(timedelta(hours=-2)):
        upload = start(owner, content)
    assert send_form(upload.url, upload.fields, content) == 403
    assert not keys()


# --- what is announced ---


@pytest.mark.parametrize(
    ("kind", "content_type", "size", "refusal"),
    [
        (FileKind.IMAGE, "image/svg+xml", 10, NotAnImage),
        (FileKind.IMAGE, "text/html", 10, NotAnImage),
        (FileKind.IMAGE, "application/pdf", 10, NotAnImage),
        (FileKind.DOCUMENT, "image/png", 10, NotADocument),
        (FileKind.IMAGE, "image/png", MAX_IMAGE_BYTES + 1, TooLarge),
        (FileKind.DOCUMENT, "application/pdf", MAX_DOCUMENT_BYTES + 1, TooLarge),
    ],
)
def test_a_form_is_not_made_for_what_would_be_refused(
    owner: Person, kind: FileKind, content_type: str, size: int, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        actions.start_upload(owner.pk, 1, kind, "x", content_type, size)
    assert not Upload.objects.exists()


def test_so_many_can_be_left_open(owner: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(actions, "MAX_OPEN_UPLOADS", 2)
    assert lifecycle.MAX_OPEN_UPLOADS == 100
    actions.complete_upload(sent(owner, make_image_bytes()))
    for _ in range(2):
        start(owner, b"x")
    with pytest.raises(TooManyUploads):
        start(owner, b"x")
    start(Person.objects.create(name="Bob"), b"x")


# --- completing ---


def test_what_arrived_is_cleaned_and_moved(owner: Person, keys: Any) -> None:
    content = make_image_bytes("JPEG", (40, 30), comment=b"<script>")
    upload = sent(owner, content)
    file, is_new = actions.complete_upload(upload, actions.request_thumbnails)

    assert is_new
    # What it is counts, not what was announced.
    assert (file.content_type, file.filename, file.width) == ("image/jpeg", "me.jpg", 40)
    stored = storage.get(file.key, file.size)
    assert stored is not None
    assert len(stored) == file.size
    assert b"script" not in stored
    run_jobs()
    file.refresh_from_db()
    assert keys() == set(file.keys)
    assert len(file.keys) == 3


def test_a_document_stays_as_it_was(owner: Person) -> None:
    content = make_pdf_bytes()
    file, _ = actions.complete_upload(sent(owner, content, FileKind.DOCUMENT, "application/pdf"))
    assert (file.kind, file.filename) == ("document", "me.pdf")
    assert storage.get(file.key, file.size) == content


def test_again_it_is_the_same(owner: Person, keys: Any) -> None:
    content = make_image_bytes()
    upload = sent(owner, content)
    file, _ = actions.complete_upload(upload)
    # Whatever is sent by the same form afterwards, is nobody's.
    assert send_form(upload.url, upload.fields, content) == 204
    for given in (upload, Upload.objects.get()):
        assert actions.complete_upload(given) == (file, False)
    run_jobs()
    assert File.objects.count() == 1
    assert keys() == {file.key}


def test_nothing_has_arrived(owner: Person) -> None:
    upload = start(owner, b"x")
    with pytest.raises(UploadMissing):
        actions.complete_upload(upload)
    Upload.objects.all().delete()
    with pytest.raises(NotFound):
        actions.complete_upload(upload)


def test_with_its_file_an_upload_is_gone(owner: Person) -> None:
    upload = sent(owner, make_image_bytes())
    file, _ = actions.complete_upload(upload)
    actions.delete_file(file.pk)
    with pytest.raises(NotFound):
        actions.complete_upload(upload)


HTML = b"<html><script>alert(1)</script></html>"


@pytest.mark.parametrize(
    ("kind", "content_type", "content", "refusal"),
    [
        (FileKind.IMAGE, "image/png", HTML, NotAnImage),
        (FileKind.IMAGE, "image/png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", NotAnImage),
        (FileKind.IMAGE, "image/png", make_pdf_bytes(), NotAnImage),
        (FileKind.IMAGE, "image/png", make_image_bytes("GIF"), NotAnImage),
        (FileKind.IMAGE, "image/png", make_image_bytes(size=(10_000, 5_001)), TooManyPixels),
        (FileKind.DOCUMENT, "application/pdf", HTML, NotADocument),
        (FileKind.DOCUMENT, "application/pdf", make_image_bytes(), NotADocument),
        (FileKind.DOCUMENT, "application/pdf", HTML + make_pdf_bytes(), NotADocument),
    ],
)
def test_what_is_refused_is_deleted_and_may_come_again(
    owner: Person, keys: Any, kind: FileKind, content_type: str, content: bytes, refusal: type[DomainError]
) -> None:
    upload = sent(owner, content, kind, content_type)
    with pytest.raises(refusal):
        actions.complete_upload(upload)
    run_jobs()
    assert not keys()
    assert not File.objects.exists()
    with pytest.raises(UploadMissing):
        actions.complete_upload(upload)
    assert send_form(upload.url, upload.fields, content) == 204


def test_a_storage_that_does_not_look_at_sizes_is_looked_after(owner: Person) -> None:
    """What another storage may let through: put there by other means."""
    upload = start(owner, make_image_bytes())
    for content, refusal in ((make_image_bytes() + b"x", WrongSize), (bytes(MAX_IMAGE_BYTES + 2), TooLarge)):
        storage.put(upload.key, content, "image/png", "x")
        with pytest.raises(refusal):
            actions.complete_upload(upload)


def test_no_more_is_read_than_may_be(bucket: Any) -> None:
    bucket.Object("uploads/large").put(Body=bytes(3_000_000))
    assert storage.get("uploads/large", 1000) == bytes(1001)


def test_where_nobody_wants_the_file_it_can_be_completed_later(owner: Person, keys: Any) -> None:
    upload = sent(owner, make_image_bytes())

    def refuse(file: File) -> None:
        raise DomainError

    with pytest.raises(DomainError):
        actions.complete_upload(upload, refuse)
    run_jobs()
    assert keys() == {upload.key}
    assert actions.complete_upload(upload)[1]


def test_without_the_storage_nothing_is_half_done(owner: Person, keys: Any, with_media: Any) -> None:
    upload = sent(owner, make_image_bytes())
    with with_media(ENDPOINT_URL="http://127.0.0.1:1"), pytest.raises(StorageUnavailable):
        actions.complete_upload(upload)
    assert not File.objects.exists()
    assert keys() == {upload.key}
    assert actions.complete_upload(upload)[1]


def test_a_storage_that_goes_away_between_two_steps(owner: Person, keys: Any, monkeypatch: Any) -> None:
    upload = sent(owner, make_image_bytes())
    with monkeypatch.context() as patch:
        put, delete = storage.put, storage.delete

        def go(*args: Any, **kwargs: Any) -> None:
            raise StorageUnavailable

        patch.setattr(storage, "put", go)
        with pytest.raises(StorageUnavailable):
            actions.complete_upload(upload)
        # The object is stored, its row is refused, and then the storage is away: it stays for the sweep.
        patch.setattr(storage, "put", put)
        patch.setattr(storage, "delete", go)
        with pytest.raises(DomainError):
            actions.complete_upload(upload, go)
        assert not File.objects.exists()
        assert len(keys()) == 2
        patch.setattr(storage, "delete", delete)
    assert actions.complete_upload(upload)[1]


def test_what_an_owner_left_open_is_forgotten(owner: Person, keys: Any) -> None:
    file, _ = actions.complete_upload(sent(owner, make_image_bytes()))
    sent(owner, make_image_bytes())
    start(owner, b"x")
    others = start(Person.objects.create(name="Bob"), b"x")
    actions.forget_uploads(owner.pk)
    run_jobs()
    assert set(Upload.objects.open()) == {others}
    assert keys() == {file.key}


# --- races ---


def completed_at_once(upload: Upload, count: int, monkeypatch: Any) -> list[Any]:
    """What so many threads got that had all read what arrived before one of them was done."""
    read, get = Barrier(count), storage.get

    def all_read(*args: Any) -> Any:
        content = get(*args)
        read.wait(timeout=30)
        return content

    def run(_: int) -> Any:
        try:
            return actions.complete_upload(Upload.objects.get(pk=upload.pk))
        finally:
            connection.close()

    with monkeypatch.context() as patch, ThreadPoolExecutor(count) as pool:
        patch.setattr(storage, "get", all_read)
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_many_complete_at_once_and_one_file_comes_of_it(owner: Person, keys: Any, monkeypatch: Any) -> None:
    outcomes = completed_at_once(sent(owner, make_image_bytes()), 6, monkeypatch)
    assert len({file.pk for file, _ in outcomes}) == File.objects.count() == 1
    assert sum(is_new for _, is_new in outcomes) == 1
    run_jobs()
    assert keys() == {File.objects.get().key}


@pytest.mark.django_db(transaction=True)
def test_control_without_the_claim_several_come_of_it(owner: Person, monkeypatch: Any) -> None:
    upload = sent(owner, make_image_bytes())
    monkeypatch.setattr(actions, "_claim", lambda upload, attach, file: attach(file))
    completed_at_once(upload, 3, monkeypatch)
    assert File.objects.count() == 3


def thumbnails_at_once(file: File, count: int, monkeypatch: Any) -> None:
    """So many workers have looked before one of them is done."""
    looked, get = Barrier(count), storage.get

    def all_look(*args: Any) -> Any:
        looked.wait(timeout=30)
        return get(*args)

    def run(_: int) -> None:
        try:
            actions.make_thumbnails(file.pk)
        finally:
            connection.close()

    with monkeypatch.context() as patch, ThreadPoolExecutor(count) as pool:
        patch.setattr(storage, "get", all_look)
        list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_thumbnails_and_two_objects_stay(owner: Person, keys: Any, monkeypatch: Any) -> None:
    file, _ = actions.complete_upload(sent(owner, make_image_bytes()))
    thumbnails_at_once(file, 3, monkeypatch)
    run_jobs()
    file.refresh_from_db()
    assert keys() == set(file.keys)
    assert len(file.keys) == 3


def test_what_nobody_had_time_to_look_into_waits_for_the_next_call(owner: Person, monkeypatch: Any) -> None:
    upload = sent(owner, make_image_bytes())
    monkeypatch.setattr(crowding, "PATIENCE", 0.01)
    with images._at_once.turn(), images._at_once.turn(), pytest.raises(ServiceUnavailable):
        actions.complete_upload(upload)
    run_jobs()  # by one of which it would be deleted

    assert actions.complete_upload(upload)[1]
