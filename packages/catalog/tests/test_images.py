"""Images of a service, on the real storage."""

import urllib.request

import pytest

from marketplace_catalog import lifecycle
from marketplace_catalog.models import ServiceFile
from marketplace_catalog.testing import make_service
from marketplace_media.testing import make_image_bytes


def upload(content: bytes, name: str = "room.png"):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return SimpleUploadedFile(name, content, content_type="image/png")


def test_an_image_is_stored_and_shown(provider, sign_in):
    service = make_service(provider)
    path = f"/api/services/{service.pk}"
    mine = sign_in(provider)

    first = mine.upload(f"{path}/images", upload(make_image_bytes()))
    second = mine.upload(f"{path}/images", upload(make_image_bytes(), "other.png"))

    assert (first.status_code, second.status_code) == (201, 201), first.content
    listed = sign_in(None).get(f"{path}/images").json()["items"]
    assert [(f["filename"], f["position"]) for f in listed] == [("room.png", 0), ("other.png", 1)]
    assert sign_in(None).get(path).json()["images"] == [f["url"] for f in listed]
    with urllib.request.urlopen(listed[0]["url"]) as response:
        assert response.headers["Content-Type"] == "image/png"
        assert len(response.read()) == listed[0]["size"]


def test_only_its_provider_adds_to_it(provider, customer, sign_in):
    service = make_service(provider)

    answer = sign_in(customer).upload(f"/api/services/{service.pk}/images", upload(make_image_bytes()))

    assert answer.status_code == 403
    assert not ServiceFile.objects.exists()


def test_a_service_has_so_many_and_no_more(provider, sign_in, monkeypatch):
    monkeypatch.setattr("marketplace_catalog.actions.MAX_FILES", 1)
    assert lifecycle.MAX_FILES == 20
    service = make_service(provider)
    path = f"/api/services/{service.pk}/images"

    statuses = [sign_in(provider).upload(path, upload(make_image_bytes())).status_code for _ in range(2)]

    assert statuses == [201, 409]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
        (b"", 415, "unsupported_media_type"),
        (b"x" * 10_000_001, 413, "too_large"),
    ],
)
def test_what_is_no_image_is_refused(provider, sign_in, content, status, code):
    service = make_service(provider)

    answer = sign_in(provider).upload(f"/api/services/{service.pk}/images", upload(content))

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def test_the_file_must_be_there_and_the_body_multipart(provider, sign_in):
    service = make_service(provider)
    path = f"/api/services/{service.pk}/images"
    mine = sign_in(provider)

    as_json = mine.post(path, {"file": "x"})
    nothing = mine.generic("POST", path, b"--x--\r\n", content_type="multipart/form-data; boundary=x")

    assert (as_json.status_code, nothing.status_code) == (415, 422)
    assert nothing.json()["errors"][0]["pointer"] == "/file"
