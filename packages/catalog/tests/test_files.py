"""Images and documents of a service, on the real storage."""

import urllib.request
from datetime import timedelta
from uuid import uuid4

import pytest
from tests.files import HTML, SVG, announced, in_a_row, listed, pdf, sent, upload

from marketplace_catalog import actions, lifecycle
from marketplace_catalog.models import Service, ServiceFile
from marketplace_catalog.signals import service_changed
from marketplace_catalog.testing import make_service
from marketplace_kit.clock import shifted
from marketplace_kit.testing import run_jobs
from marketplace_media import tasks as media_tasks
from marketplace_media.lifecycle import FileKind
from marketplace_media.models import File, Upload
from marketplace_media.testing import make_file, make_image_bytes, make_pdf_bytes

pytestmark = pytest.mark.usefixtures("bucket")


# --- images and documents ---


def test_an_image_is_stored_and_shown(path, mine, sign_in):
    first = mine.upload(f"{path}/images", upload())
    second = mine.upload(f"{path}/images", upload(name="other.png"))

    assert (first.status_code, second.status_code) == (201, 201), first.content
    items = listed(sign_in(None), path)
    assert [first.json(), second.json()] == items
    assert [(f["filename"], f["position"]) for f in items] == [("room.png", 0), ("other.png", 1)]
    assert sign_in(None).get(path).json()["images"] == [f["url"] for f in items]
    with urllib.request.urlopen(items[0]["url"]) as response:
        assert response.headers["Content-Type"] == "image/png"
        assert len(response.read()) == items[0]["size"]


def test_its_thumbnails_follow(path, mine, sign_in, keys):
    file = mine.upload(f"{path}/images", upload(make_image_bytes("JPEG", (1000, 500)))).json()
    assert file["thumbnails"] is None

    run_jobs()

    thumbnails = listed(sign_in(None), path)[0]["thumbnails"]
    assert set(thumbnails) == {"small", "medium"}
    for url in thumbnails.values():
        with urllib.request.urlopen(url) as response:
            assert response.headers["Content-Type"] == "image/webp"
    assert len(keys()) == 3


def test_a_document_is_stored_and_listed_by_itself(path, mine, sign_in):
    mine.upload(f"{path}/images", upload())
    answer = mine.upload(f"{path}/documents", pdf())

    assert answer.status_code == 201, answer.content
    file = answer.json()
    assert listed(sign_in(None), path, "documents") == [file]
    known = {"kind": "document", "contentType": "application/pdf", "filename": "prices.pdf", "position": 0}
    assert {name: file[name] for name in known} == known
    assert (file["width"], file["height"], file["thumbnails"]) == (None, None, None)
    with urllib.request.urlopen(file["url"]) as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="prices.pdf"'
        assert response.read() == make_pdf_bytes()
    assert len(sign_in(None).get(path).json()["images"]) == 1
    assert run_jobs() == 1  # the image's thumbnails


@pytest.mark.parametrize(
    ("what", "content", "status", "code"),
    [
        ("images", SVG, 415, "unsupported_media_type"),
        ("images", HTML, 415, "unsupported_media_type"),
        ("images", b"", 415, "unsupported_media_type"),
        ("images", make_pdf_bytes(), 415, "unsupported_media_type"),
        ("images", b"x" * 10_000_001, 413, "too_large"),
        ("images", make_image_bytes(size=(10_000, 5_001)), 422, "validation_error"),
        ("documents", HTML, 415, "unsupported_media_type"),
        ("documents", HTML + make_pdf_bytes(), 415, "unsupported_media_type"),
        ("documents", make_image_bytes(), 415, "unsupported_media_type"),
        ("documents", b"%PDF-" + b"x" * 20_000_000, 413, "too_large"),
    ],
)
def test_what_is_no_such_file_is_refused(path, mine, keys, what, content, status, code):
    answer = mine.upload(f"{path}/{what}", upload(content, "../../innocent.png"))

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert not keys()
    assert not File.objects.exists()


def test_what_hangs_on_to_an_image_and_what_it_is_called_is_not_kept(path, mine):
    answer = mine.upload(f"{path}/images", upload(make_image_bytes() + HTML, "..\\..\\x.php"))

    file = answer.json()
    assert file["filename"] == "x.png"
    with urllib.request.urlopen(file["url"]) as response:
        assert b"script" not in response.read()
        assert response.headers["Content-Type"] == "image/png"


def test_the_file_must_be_there_and_the_body_multipart(path, mine):
    as_json = mine.post(f"{path}/images", {"file": "x"})
    nothing = mine.generic("POST", f"{path}/images", b"--x--\r\n", content_type="multipart/form-data; boundary=x")

    assert (as_json.status_code, nothing.status_code) == (415, 422)
    assert nothing.json()["errors"][0]["pointer"] == "/file"


# --- order, and deleting ---


def test_images_are_put_in_another_order(path, mine, sign_in):
    first, second, third = in_a_row(mine, path, 3)

    answer = mine.put(f"{path}/images/order", {"ids": [third, first, second]})

    assert answer.status_code == 200, answer.content
    assert [(f["id"], f["position"]) for f in answer.json()["items"]] == [(third, 0), (first, 1), (second, 2)]
    assert answer.json()["items"] == listed(sign_in(None), path)
    assert sign_in(None).get(path).json()["images"] == [f["url"] for f in answer.json()["items"]]


def test_an_order_names_each_image_once(path, mine):
    first, second = in_a_row(mine, path, 2)
    document = mine.upload(f"{path}/documents", pdf()).json()["id"]

    wrong = [[], [first], [first, first], [first, second, second], [first, second, document], [first, str(uuid4())]]
    wrong.append([str(uuid4()) for _ in range(21)])
    for ids in wrong:
        answer = mine.put(f"{path}/images/order", {"ids": ids})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/ids"), ids
    assert [f["id"] for f in listed(mine, path)] == [first, second]


def test_a_file_is_deleted_with_all_its_objects_and_the_others_move_up(path, mine, keys):
    first, second, third = in_a_row(mine, path, 3)
    run_jobs()
    assert len(keys()) == 9

    assert mine.delete(f"{path}/images/{second}").status_code == 204
    assert mine.delete(f"{path}/images/{second}").status_code == 404

    assert [(f["id"], f["position"]) for f in listed(mine, path)] == [(first, 0), (third, 1)]
    run_jobs()
    assert len(keys()) == 6
    assert mine.upload(f"{path}/images", upload()).json()["position"] == 2


def test_a_file_is_deleted_where_it_is_listed(path, mine, provider):
    image, document = in_a_row(mine, path, 1)[0], mine.upload(f"{path}/documents", pdf()).json()["id"]
    elsewhere = f"/api/services/{make_service(provider).pk}"

    for wrong in (f"{path}/images/{document}", f"{path}/documents/{image}", f"{elsewhere}/images/{image}"):
        assert mine.delete(wrong).status_code == 404
    assert mine.delete(f"{path}/documents/{document}").status_code == 204
    assert mine.delete(f"{path}/images/{image}").status_code == 204
    assert not File.objects.exists()
    assert mine.delete(f"{path}/images/x").status_code == 422


@pytest.mark.parametrize("what", ["images", "documents"])
def test_a_service_has_so_many_of_each_and_no_more(service, path, provider, mine, what):
    assert lifecycle.MAX_FILES == 20
    shape = {"kind": FileKind.DOCUMENT, "width": None, "height": None} if what == "documents" else {}
    for position in range(19):
        ServiceFile.objects.create(service=service, file=make_file(provider.pk, **shape), position=position)
    content = pdf if what == "documents" else upload

    assert [mine.upload(f"{path}/{what}", content()).status_code for _ in range(2)] == [201, 409]

    other, other_content = ("images", upload) if what == "documents" else ("documents", pdf)
    assert mine.upload(f"{path}/{other}", other_content()).status_code == 201
    refused = mine.upload(f"{path}/{what}", upload(HTML))  # so many come before what it is
    assert refused.json()["code"] == "too_many_files"


def test_each_change_is_announced(path, mine, provider):
    told = []
    service_changed.connect(lambda service, **_: told.append(service.pk), weak=False, dispatch_uid="test")
    try:
        first, second = in_a_row(mine, path, 2)
        mine.put(f"{path}/images/order", {"ids": [second, first]})
        mine.delete(f"{path}/images/{first}")
    finally:
        service_changed.disconnect(dispatch_uid="test")
    assert len(told) == 4


# --- who may ---


def calls(client, path, file_id, upload_id):
    yield client.upload(f"{path}/images", upload())
    yield client.upload(f"{path}/documents", pdf())
    yield client.put(f"{path}/images/order", {"ids": [file_id]})
    yield client.delete(f"{path}/images/{file_id}")
    yield client.delete(f"{path}/documents/{file_id}")
    yield client.post(f"{path}/uploads", announced(b"x"))
    yield client.post(f"{path}/uploads/{upload_id}/complete")


def test_only_its_provider_writes(service, path, mine, customer, other_provider, sign_in, django_user_model):
    file_id = in_a_row(mine, path, 1)[0]
    upload_id = mine.post(f"{path}/uploads", announced(b"x")).json()["uploadId"]
    staff = django_user_model.objects.create(login="staff", is_staff=True)

    def statuses(who):
        return [answer.status_code for answer in calls(sign_in(who), path, file_id, upload_id)]

    assert statuses(None) == [401] * 7
    for who in (customer, other_provider, staff):
        assert statuses(who) == [403] * 6 + [404]  # of somebody else's upload nobody knows
    Service.objects.update(is_active=False)
    assert statuses(other_provider) == [404] * 7
    assert [f["id"] for f in listed(mine, path)] == [file_id]


def test_whoever_sees_the_service_sees_its_files(service, path, mine, customer, sign_in):
    in_a_row(mine, path, 1)
    mine.upload(f"{path}/documents", pdf())
    for who in (None, customer):
        assert len(listed(sign_in(who), path)) == len(listed(sign_in(who), path, "documents")) == 1

    Service.objects.update(is_active=False)

    for what in ("images", "documents"):
        assert sign_in(customer).get(f"{path}/{what}").status_code == 404
        assert len(listed(mine, path, what)) == 1


def test_the_shape_of_a_request_is_looked_at_first(mine):
    nowhere = f"/api/services/{uuid4()}"
    empty = {"data": b"--x--\r\n", "content_type": "multipart/form-data; boundary=x"}

    assert mine.generic("POST", f"{nowhere}/images", **empty).status_code == 422
    assert mine.put(f"{nowhere}/images/order", {"ids": ["x"]}).status_code == 422
    assert mine.upload(f"{nowhere}/images", upload()).status_code == 404


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("what", ["images", "documents"])
def test_a_list_takes_the_same_queries_however_long(
    service, path, provider, sign_in, what, count, django_assert_num_queries
):
    shape = {"kind": FileKind.DOCUMENT, "width": None, "height": None} if what == "documents" else {}
    for position in range(count):
        ServiceFile.objects.create(service=service, file=make_file(provider.pk, **shape), position=position)

    with django_assert_num_queries(2 if what == "images" else 3):
        assert len(listed(sign_in(None), path, what)) == count


# --- the storage is away ---


def test_without_the_storage_it_is_a_503_and_nothing_is_half_stored(path, mine, keys, storage_away):
    completed = sent(mine, path, make_image_bytes()) + "/complete"
    with storage_away:
        answers = [
            mine.upload(f"{path}/images", upload()),
            mine.upload(f"{path}/documents", pdf()),
            mine.post(completed),
        ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert int(answer["Retry-After"]) > 0
    assert not File.objects.exists()
    assert not ServiceFile.objects.exists()
    assert mine.post(completed).status_code == 201


def test_without_the_storage_files_are_listed_ordered_and_deleted(path, mine, keys, storage_away):
    first, second = in_a_row(mine, path, 2)
    run_jobs()
    with storage_away:
        assert mine.put(f"{path}/images/order", {"ids": [second, first]}).status_code == 200
        assert mine.delete(f"{path}/images/{first}").status_code == 204
        assert [f["id"] for f in listed(mine, path)] == [second]
        assert mine.post(f"{path}/uploads", announced(b"x")).status_code == 201
    run_jobs()
    assert len(keys()) == 3


# --- going ---


def test_with_its_service_a_file_goes(service, path, mine, keys):
    in_a_row(mine, path, 2)
    mine.upload(f"{path}/documents", pdf())
    mine.delete(path)
    run_jobs()
    assert not File.objects.exists()
    assert not keys()


def test_with_its_provider_all_files_go(service, path, mine, provider, other_provider, keys):
    in_a_row(mine, path, 2)
    sent(mine, path, make_image_bytes())
    sent(mine, path, make_image_bytes())
    make_service(other_provider)

    actions.withdraw_services(provider.pk)

    run_jobs()
    assert not keys()
    assert not File.objects.exists()
    assert not Upload.objects.exists()


def test_who_takes_his_data_along_is_told_of_his_files(path, mine, provider, other_provider):
    in_a_row(mine, path, 1)
    found = actions.export(provider.pk)["serviceFiles"]
    assert [(f["kind"], f["filename"], f["contentType"]) for f in found] == [("image", "0.png", "image/png")]
    assert actions.export(other_provider.pk)["serviceFiles"] == []


def test_the_sweep_leaves_what_a_service_shows(path, mine, keys):
    in_a_row(mine, path, 2)
    run_jobs()
    before = keys()
    with shifted(timedelta(days=30)):
        media_tasks.sweep(0)
    assert keys() == before
    assert len(before) == 6
