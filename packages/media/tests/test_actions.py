"""Storing and deleting, with the real storage."""

import urllib.error
import urllib.request
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError
from PIL import Image
from tests.people.models import Person

from marketplace_kit.clock import shifted
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs
from marketplace_kit.uploads import TooLarge
from marketplace_media import actions, storage
from marketplace_media.exceptions import NotADocument, NotAnImage, StorageUnavailable
from marketplace_media.lifecycle import MAX_DOCUMENT_BYTES, MAX_IMAGE_BYTES
from marketplace_media.models import File
from marketplace_media.schemas import File as FileOut
from marketplace_media.testing import make_file, make_image_bytes, make_pdf_bytes, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


def get(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=10)


def test_an_image_is_stored_and_read_by_its_url(owner: Person) -> None:
    file = actions.store_image(owner.pk, make_upload(make_image_bytes("JPEG", (64, 48)), "naïve trip.JPEG"))
    assert File.objects.get() == file
    assert (file.kind, file.content_type, file.width, file.height) == ("image", "image/jpeg", 64, 48)
    with get(file.url) as answer:
        assert len(answer.read()) == file.size
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Content-Disposition"] == "inline; filename*=utf-8''na%C3%AFve%20trip.JPEG"


def test_the_url_is_good_for_a_day_and_for_one_object(owner: Person) -> None:
    first = actions.store_image(owner.pk, make_upload())
    second = actions.store_image(owner.pk, make_upload())
    with shifted(timedelta(days=-3)):
        old = first.url
    for url in (old, first.url.partition("?")[0], first.url.replace(str(first.id), str(second.id))):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(url)
        refused.value.close()
        assert refused.value.code == 403


def test_urls_are_signed_for_where_clients_reach_the_storage(owner: Person, with_media: Any) -> None:
    file = make_file(owner.pk, key="images/a.png")
    with with_media(PUBLIC_ENDPOINT_URL="https://market.example/"):
        assert file.url.startswith("https://market.example/marketplace/images/a.png?X-Amz-Algorithm=")
    with with_media(PUBLIC_BASE_URL="https://cdn.example/files/"):
        assert file.url == "https://cdn.example/files/images/a.png"


def test_a_document_is_stored_as_it_is_and_only_to_be_saved(owner: Person) -> None:
    content = make_pdf_bytes()
    file = actions.store_document(owner.pk, make_upload(content, "price list.html"))
    assert (file.kind, file.width, file.height, file.filename) == ("document", None, None, "price list.pdf")
    with get(file.url) as answer:
        assert answer.read() == content
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="price list.pdf"'


def test_too_many_bytes(owner: Person) -> None:
    with pytest.raises(TooLarge):
        actions.store_image(owner.pk, make_upload(bytes(MAX_IMAGE_BYTES + 1)))
    with pytest.raises(TooLarge):
        actions.store_document(owner.pk, make_upload(b"%PDF-" + bytes(MAX_DOCUMENT_BYTES)))


def test_what_is_neither_stores_nothing(owner: Person, keys: Any) -> None:
    with pytest.raises(NotAnImage):
        actions.store_image(owner.pk, make_upload(b"<svg/>", "picture.png"))
    with pytest.raises(NotADocument):
        actions.store_document(owner.pk, make_upload(make_image_bytes(), "list.pdf"))
    assert not keys()
    assert not File.objects.exists()


@pytest.mark.parametrize(
    "away",
    [{"ENDPOINT_URL": "http://127.0.0.1:1"}, {"BUCKET": "not-there"}, {"SECRET_ACCESS_KEY": "wrong"}],
)
def test_without_the_storage_nothing_is_half_stored(owner: Person, with_media: Any, away: dict[str, str]) -> None:
    with with_media(**away), pytest.raises(StorageUnavailable):
        actions.store_image(owner.pk, make_upload())
    assert not File.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_the_row_the_object_goes_too(keys: Any) -> None:
    with pytest.raises(IntegrityError):
        actions.store_image(12345, make_upload())
    assert not keys()


def test_where_nobody_wants_it_neither_row_nor_object_stays(owner: Person, keys: Any) -> None:
    def refuse(file: File) -> None:
        assert File.objects.get() == file
        raise DomainError

    with pytest.raises(DomainError):
        actions.store_image(owner.pk, make_upload(), refuse)
    assert not File.objects.exists()
    assert not keys()


def test_where_the_commit_may_have_been_one_the_object_stays(owner: Person, keys: Any) -> None:
    """A row without its object is worse than an object without its row, which is swept away."""

    def lose_the_connection(file: File) -> None:
        raise OperationalError

    with pytest.raises(OperationalError):
        actions.store_image(owner.pk, make_upload(), lose_the_connection)
    assert len(keys()) == 1


def test_deleting_takes_the_row_now_and_the_object_by_a_job(owner: Person, keys: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    actions.delete_file(file.id)
    actions.delete_file(file.id)
    assert not File.objects.exists()
    assert keys() == {file.key}
    assert run_jobs() == 1
    assert not keys()
    storage.delete(file.key)  # once more, as a job that is repeated does


# --- thumbnails ---


def test_thumbnails_are_made_by_a_job(owner: Person, keys: Any) -> None:
    file = actions.store_image(owner.pk, make_upload(make_image_bytes("JPEG", (1600, 800))), actions.request_thumbnails)
    assert file.thumbnails is None
    assert run_jobs() == 1
    file.refresh_from_db()
    assert file.thumbnails is not None
    for name, size in (("small", (200, 100)), ("medium", (800, 400))):
        with get(file.thumbnails[name]) as answer, Image.open(BytesIO(answer.read())) as image:
            assert (image.format, image.size) == ("WEBP", size)
            assert answer.headers["Content-Type"] == "image/webp"
    assert len(keys()) == 3


def test_making_them_again_changes_nothing(owner: Person, keys: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    actions.make_thumbnails(file.pk)
    before = keys()
    actions.make_thumbnails(file.pk)
    assert keys() == before
    assert len(before) == 3


def test_they_go_with_their_file(owner: Person, keys: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    actions.make_thumbnails(file.pk)
    actions.delete_file(file.pk)
    run_jobs()
    assert not keys()


def test_a_file_that_is_deleted_while_they_are_made_leaves_none(owner: Person, keys: Any, monkeypatch: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    put = storage.put

    def meanwhile(*args: Any, **kwargs: Any) -> None:
        put(*args, **kwargs)
        actions.delete_file(file.pk)

    monkeypatch.setattr(storage, "put", meanwhile)
    actions.make_thumbnails(file.pk)
    run_jobs()
    assert not keys()


def test_none_are_made_of_what_is_gone_or_no_image(owner: Person, keys: Any) -> None:
    document = actions.store_document(owner.pk, make_upload(make_pdf_bytes()), actions.request_thumbnails)
    assert run_jobs() == 0
    actions.make_thumbnails(document.pk)
    actions.make_thumbnails(make_file(owner.pk).pk)
    assert keys() == {document.key}


def test_without_the_storage_the_job_comes_again(owner: Person, with_media: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    with with_media(ENDPOINT_URL="http://127.0.0.1:1"), pytest.raises(StorageUnavailable):
        actions.make_thumbnails(file.pk)
    actions.make_thumbnails(file.pk)
    file.refresh_from_db()
    assert file.thumbnails is not None


# --- names ---


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\ada\\me.png", "me.png"),
        ("photo.html", "photo.png"),
        ("photo.PNG", "photo.PNG"),
        ("", "image.png"),
        (" .. ", "image.png"),
        ('a"b\r\nSet-Cookie: x.png', "a_b Set-Cookie_ x.png"),
        ("gnp\u202egpj.exe", "gnpgpj.png"),
        ("ferme é.png", "ferme é.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("a.tar.gz", "a.tar.png"),
        (".png", "png.png"),
    ],
)
def test_filenames_are_made_safe(given: str, kept: str) -> None:
    assert actions.safe_filename(given, (".png",), "image") == kept


def test_what_a_client_sees(owner: Person) -> None:
    file = make_file(owner.pk)
    shown = FileOut.model_validate(file).model_dump(by_alias=True)
    names = "id kind url filename contentType size width height position thumbnails createdAt"
    assert set(shown) == set(names.split())
    assert shown["thumbnails"] is None
