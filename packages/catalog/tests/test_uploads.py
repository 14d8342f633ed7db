"""Direct uploads for a service: past us, and looked into."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.test import override_settings
from tests.files import HTML, SVG, announced, in_a_row, listed, sent

from marketplace_catalog import actions
from marketplace_catalog.testing import make_service
from marketplace_kit.testing import run_jobs
from marketplace_media.models import File, Upload
from marketplace_media.testing import make_image_bytes, make_pdf_bytes, send_form

pytestmark = pytest.mark.usefixtures("bucket")


def test_an_upload_goes_past_us_and_is_completed(path, mine, sign_in, keys):
    content = make_image_bytes("JPEG", (1000, 500), comment=b"<script>")
    started = mine.post(f"{path}/uploads", announced(content, content_type="image/jpeg"))
    assert started.status_code == 201, started.content
    form = started.json()
    assert set(form) == {"uploadId", "url", "fields", "expiresAt"}
    assert send_form(form["url"], form["fields"], content) == 204
    assert listed(mine, path) == []

    completed = f"{path}/uploads/{form['uploadId']}/complete"
    first, again = mine.post(completed), mine.post(completed)

    assert (first.status_code, again.status_code) == (201, 200), first.content
    assert first.json() == again.json()
    assert listed(sign_in(None), path) == [first.json()]
    run_jobs()
    assert listed(mine, path)[0]["thumbnails"]
    assert mine.post(completed).json() == listed(mine, path)[0]
    assert len(keys()) == 3  # what arrived is gone


def test_a_document_too(path, mine):
    content = make_pdf_bytes()
    answer = mine.post(sent(mine, path, content, "document", "application/pdf") + "/complete")
    assert answer.status_code == 201, answer.content
    assert listed(mine, path, "documents") == [answer.json()]
    assert listed(mine, path) == []


def test_the_form_is_for_where_clients_reach_the_storage(path, mine):
    with override_settings(MEDIA=settings.MEDIA | {"PUBLIC_ENDPOINT_URL": "https://market.example/"}):
        form = mine.post(f"{path}/uploads", announced(b"x")).json()
    assert form["url"] == f"https://market.example/{settings.MEDIA['BUCKET']}"


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"kind": "film"}, 422, "/kind"),
        ({"filename": ""}, 422, "/filename"),
        ({"filename": "x" * 256}, 422, "/filename"),
        ({"filename": "a\0b"}, 422, "/filename"),
        ({"size": 0}, 422, "/size"),
        ({"size": -1}, 422, "/size"),
        ({"size": 1.5}, 422, "/size"),
        ({"size": 2**60}, 422, "/size"),
        ({"key": "images/mine.png"}, 422, "/key"),
        ({"size": 10_000_001}, 413, None),
        ({"size": 3_000_000_000}, 413, None),
        ({"kind": "document", "contentType": "application/pdf", "size": 20_000_001}, 413, None),
        ({"contentType": "text/html"}, 415, None),
        ({"contentType": "image/svg+xml"}, 415, None),
        ({"contentType": "application/pdf"}, 415, None),
        ({"kind": "document"}, 415, None),
    ],
)
def test_what_is_announced_must_be_possible(path, mine, change, status, pointer):
    answer = mine.post(f"{path}/uploads", announced(b"x") | change)

    assert answer.status_code == status, answer.content
    assert [e["pointer"] for e in answer.json().get("errors", [])] == ([pointer] if pointer else [])
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("content", "args", "status"),
    [
        (HTML, (), 415),
        (SVG, (), 415),
        (make_pdf_bytes(), (), 415),
        (make_image_bytes(size=(10_000, 5_001)), (), 422),
        (HTML, ("document", "application/pdf"), 415),
        (make_image_bytes(), ("document", "application/pdf"), 415),
    ],
)
def test_what_arrives_is_looked_into(path, mine, keys, content, args, status):
    completed = sent(mine, path, content, *args) + "/complete"

    assert mine.post(completed).status_code == status
    run_jobs()
    assert not keys()
    assert not File.objects.exists()
    assert mine.post(completed).json()["code"] == "upload_missing"


def test_nothing_has_arrived_yet(path, mine):
    form = mine.post(f"{path}/uploads", announced(b"x")).json()
    answer = mine.post(f"{path}/uploads/{form['uploadId']}/complete")
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_missing")


def test_an_upload_belongs_to_its_service(path, mine, provider, sign_in, other_provider):
    theirs = f"/api/services/{make_service(other_provider).pk}"
    another = f"/api/services/{make_service(provider).pk}"
    upload_id = sent(mine, path, make_image_bytes()).rpartition("/")[2]

    for client, where in ((mine, another), (sign_in(other_provider), theirs), (sign_in(other_provider), path)):
        assert client.post(f"{where}/uploads/{upload_id}/complete").status_code == 404
    assert mine.post(f"{path}/uploads/{uuid4()}/complete").status_code == 404
    assert mine.post(f"{path}/uploads/x/complete").status_code == 422
    assert mine.post(f"{path}/uploads/{upload_id}/complete").status_code == 201


def test_with_its_file_an_upload_is_gone(path, mine):
    completed = sent(mine, path, make_image_bytes()) + "/complete"
    mine.delete(f"{path}/images/{mine.post(completed).json()['id']}")
    assert mine.post(completed).status_code == 404


def test_a_full_service_takes_no_upload_until_there_is_room(service, path, mine, monkeypatch, keys):
    monkeypatch.setattr(actions, "MAX_FILES", 1)
    completed = sent(mine, path, make_image_bytes()) + "/complete"
    file_id = in_a_row(mine, path, 1)[0]

    assert mine.post(f"{path}/uploads", announced(b"x")).json()["code"] == "too_many_files"
    assert mine.post(completed).json()["code"] == "too_many_files"
    mine.delete(f"{path}/images/{file_id}")
    assert mine.post(completed).status_code == 201
    run_jobs()
    assert len(keys()) == 3
