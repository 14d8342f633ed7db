"""Storing and deleting, with the real storage."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import override_settings
from tests.people.models import Person

from marketplace_kit.clock import shifted
from marketplace_kit.testing import run_jobs
from marketplace_kit.uploads import TooLarge
from marketplace_media import actions, storage
from marketplace_media.exceptions import NotAnImage, StorageUnavailable
from marketplace_media.lifecycle import MAX_IMAGE_BYTES
from marketplace_media.models import File
from marketplace_media.schemas import File as FileOut
from marketplace_media.testing import make_file, make_image_bytes, make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Person:
    return Person.objects.create(name="Ada")


def get(url: str) -> Any:
    return urllib.request.urlopen(url, timeout=10)


def keys() -> set[str]:
    return {item.key for item in storage._storage().bucket.objects.all()}


@pytest.fixture(autouse=True)
def empty_bucket() -> Iterator[None]:
    yield
    storage._storage().bucket.objects.delete()


def with_media(**changes: Any) -> Any:
    from django.conf import settings

    return override_settings(MEDIA=settings.MEDIA | changes)


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


def test_urls_are_signed_for_where_clients_reach_the_storage(owner: Person) -> None:
    file = make_file(owner.pk, key="images/a.png")
    with with_media(PUBLIC_ENDPOINT_URL="https://market.example/"):
        assert file.url.startswith("https://market.example/marketplace/images/a.png?X-Amz-Algorithm=")
    with with_media(PUBLIC_BASE_URL="https://cdn.example/files/"):
        assert file.url == "https://cdn.example/files/images/a.png"


def test_too_many_bytes(owner: Person) -> None:
    with pytest.raises(TooLarge):
        actions.store_image(owner.pk, make_upload(bytes(MAX_IMAGE_BYTES + 1)))


def test_what_is_no_image_stores_nothing(owner: Person) -> None:
    with pytest.raises(NotAnImage):
        actions.store_image(owner.pk, make_upload(b"<svg/>", "picture.png"))
    assert not keys()
    assert not File.objects.exists()


@pytest.mark.parametrize(
    "away",
    [{"ENDPOINT_URL": "http://127.0.0.1:1"}, {"BUCKET": "not-there"}, {"SECRET_ACCESS_KEY": "wrong"}],
)
def test_without_the_storage_nothing_is_half_stored(owner: Person, away: dict[str, str]) -> None:
    with with_media(**away), pytest.raises(StorageUnavailable):
        actions.store_image(owner.pk, make_upload())
    assert not File.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_without_the_row_the_object_goes_too() -> None:
    with pytest.raises(IntegrityError):
        actions.store_image(12345, make_upload())
    assert not keys()


def test_deleting_takes_the_row_now_and_the_object_by_a_job(owner: Person) -> None:
    file = actions.store_image(owner.pk, make_upload())
    actions.delete_file(file.id)
    actions.delete_file(file.id)
    assert not File.objects.exists()
    assert keys() == {file.key}
    assert run_jobs() == 1
    assert not keys()
    storage.delete(file.key)  # once more, as a job that is repeated does


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
