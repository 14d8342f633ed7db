"""Images, documents and direct uploads of a service, on the real storage."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import override_settings

from marketplace_catalog import actions, lifecycle
from marketplace_catalog.models import Service, ServiceFile
from marketplace_catalog.signals import service_changed
from marketplace_catalog.testing import make_service
from marketplace_kit.clock import shifted
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs
from marketplace_media import storage
from marketplace_media import tasks as media_tasks
from marketplace_media.lifecycle import Kind
from marketplace_media.models import File, Upload
from marketplace_media.testing import make_file, make_image_bytes, make_pdf_bytes, send_form

HTML = b"<html><script>alert(1)</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@pytest.fixture(autouse=True)
def bucket():
    yield storage._storage().bucket
    storage._storage().bucket.objects.delete()


@pytest.fixture
def keys(bucket):
    return lambda: {item.key for item in bucket.objects.all()}


@pytest.fixture
def service(provider):
    return make_service(provider)


@pytest.fixture
def path(service):
    return f"/api/services/{service.pk}"


@pytest.fixture
def mine(provider, sign_in):
    return sign_in(provider)


@pytest.fixture
def other_provider(django_user_model):
    return django_user_model.objects.create(login="other", sells=True)


@pytest.fixture
def storage_away():
    return override_settings(MEDIA=settings.MEDIA | {"ENDPOINT_URL": "http://127.0.0.1:1", "TIMEOUT": 1.0})


def upload(content=None, name="room.png"):
    content = make_image_bytes() if content is None else content
    return SimpleUploadedFile(name, content, content_type="image/png")


def pdf(name="prices.pdf"):
    return upload(make_pdf_bytes(), name)


def in_a_row(client, path, count):
    """The ids of so many images, uploaded one after the other."""
    return [client.upload(f"{path}/images", upload(name=f"{n}.png")).json()["id"] for n in range(count)]


def listed(client, path, what="images"):
    return client.get(f"{path}/{what}").json()["items"]


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
    shape = {"kind": Kind.DOCUMENT, "width": None, "height": None} if what == "documents" else {}
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
    shape = {"kind": Kind.DOCUMENT, "width": None, "height": None} if what == "documents" else {}
    for position in range(count):
        ServiceFile.objects.create(service=service, file=make_file(provider.pk, **shape), position=position)

    with django_assert_num_queries(2 if what == "images" else 3):
        assert len(listed(sign_in(None), path, what)) == count


# --- direct uploads ---


def announced(content, kind="image", content_type="image/png", **more):
    return {"kind": kind, "filename": "room.png", "contentType": content_type, "size": len(content)} | more


def sent(client, path, content, *args):
    """The path of an upload whose form was sent."""
    answer = client.post(f"{path}/uploads", announced(content, *args))
    assert answer.status_code == 201, answer.content
    form = answer.json()
    assert send_form(form["url"], form["fields"], content) == 204
    return f"{path}/uploads/{form['uploadId']}"


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


# --- races ---

racing = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def at_once(*acts):
    """What each of these got, in a thread and on a connection of its own: a result, or the code of a refusal."""
    barrier = Barrier(len(acts))

    def run(act):
        try:
            with connection.cursor():  # connected before the start
                barrier.wait(timeout=30)
            return act()
        except DomainError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def add_at_once(provider, service, count):
    files = [make_file(provider.pk) for _ in range(count)]
    return at_once(*[lambda file=file: actions.add_file(provider, service, file) for file in files])


@racing
def test_however_many_add_at_once_there_is_never_one_too_many(provider, service, monkeypatch):
    monkeypatch.setattr(actions, "MAX_FILES", 3)

    outcomes = add_at_once(provider, service, 8)

    assert outcomes.count("too_many_files") == 5
    assert [item.position for item in ServiceFile.objects.all()] == [0, 1, 2]


@racing
def test_control_without_the_lock_there_are_too_many(provider, service, monkeypatch):
    monkeypatch.setattr(actions, "MAX_FILES", 3)
    counted, count = Barrier(8), Service.count_files

    def all_count_before_anyone_writes(self, kind):
        found = count(self, kind)
        if found < 3:
            counted.wait(timeout=30)
        return found

    monkeypatch.setattr(actions, "lock_row", lambda rows, key: rows.get(pk=key))
    monkeypatch.setattr(Service, "count_files", all_count_before_anyone_writes)

    add_at_once(provider, service, 8)

    assert ServiceFile.objects.count() == 8


@racing
def test_adding_ordering_and_deleting_at_once_leaves_a_whole_list(provider, service):
    files = [make_file(provider.pk) for _ in range(12)]
    for file in files[:8]:
        actions.add_file(provider, service, file)
    ids = [file.pk for file in files[:8]]

    at_once(
        *[lambda file=file: actions.add_file(provider, service, file) for file in files[8:]],
        *[lambda n=n: actions.remove_file(provider, service, Kind.IMAGE, ids[n]) for n in (0, 3, 7)],
        lambda: actions.order_images(provider, service, ids[::-1]),
    )

    assert [item.position for item in ServiceFile.objects.of(service.pk, Kind.IMAGE)] == list(range(9))


@racing
def test_two_complete_one_upload_and_there_is_one_file(provider, service, path, sign_in, keys, monkeypatch):
    completed = sent(sign_in(provider), path, make_image_bytes()) + "/complete"
    clients, read, get = [sign_in(provider) for _ in range(4)], Barrier(4), storage.get

    def all_read(*args):
        content = get(*args)
        read.wait(timeout=30)
        return content

    with monkeypatch.context() as patch:
        patch.setattr(storage, "get", all_read)
        answers = at_once(*[lambda client=client: client.post(completed) for client in clients])

    assert sorted(a.status_code for a in answers) == [200, 200, 200, 201]
    assert len({a.json()["id"] for a in answers}) == ServiceFile.objects.count() == 1
    run_jobs()
    assert len(keys()) == 3


@racing
def test_a_file_that_comes_while_its_service_goes_does_not_stay(provider, service, path, sign_in, keys, monkeypatch):
    client, put = sign_in(provider), storage.put

    def meanwhile(*args, **kwargs):
        put(*args, **kwargs)
        actions.delete_service(provider, service)

    monkeypatch.setattr(storage, "put", meanwhile)

    assert client.upload(f"{path}/images", upload()).status_code == 404
    assert not keys()
    assert not File.objects.exists()
