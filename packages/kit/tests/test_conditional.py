"""What has not changed is not sent again, and what has is not overwritten."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from tests.people.models import Thing
from tests.urls_marks import api, at, passed

from marketplace_kit import conditional

pytestmark = [pytest.mark.urls("tests.urls_marks"), pytest.mark.django_db]
BOTH = pytest.mark.parametrize("root", ["/api", "/api/hosts"])


@pytest.fixture(autouse=True)
def fresh():
    passed.clear()


@pytest.fixture
def thing(db):
    return Thing.objects.create(name="Tea", price=1)


@pytest.fixture
def path(thing):
    return f"/api/things/{thing.pk}"


def patch(client, path, name, tag=None):
    return client.patch(path, {"name": name}, headers={"If-Match": tag} if tag is not None else {})


@BOTH
def test_an_answer_has_a_strong_tag_of_its_bytes(anybody, thing, root):
    path = f"{root}/things/{thing.pk}"
    one, two = anybody.get(path), anybody.get(path)
    Thing.objects.update(price=2)
    three = anybody.get(path)

    assert one["ETag"] == two["ETag"] != three["ETag"]
    assert one["ETag"][0] == one["ETag"][-1] == '"'
    assert one.content == two.content != three.content


def test_what_is_known_is_not_sent_again(anybody, path):
    first = anybody.get(path)
    answer = anybody.get(path, headers={"If-None-Match": first["ETag"]})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == first["ETag"]
    assert answer["Cache-Control"] == first["Cache-Control"] == "no-cache"
    assert "Content-Type" not in answer


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("*", 304),
        ("W/{tag}", 304),
        ('"a", {tag}', 304),
        (' "a" ,W/{tag}, "b"', 304),
        ('"a"', 200),
        ("", 200),
        ("nonsense", 200),
        ("nonsense, {tag}", 304),
        ('"a", "b"', 200),
    ],
)
def test_if_none_match(anybody, path, form, status):
    tag = anybody.get(path)["ETag"]

    assert anybody.get(path, headers={"If-None-Match": form.format(tag=tag)}).status_code == status


def test_what_is_not_there_has_no_tag(anybody):
    answer = anybody.get("/api/things/0", headers={"If-None-Match": "*"})

    assert answer.status_code == 404
    assert "ETag" not in answer


def test_the_answer_to_one_who_signed_in_is_for_him_alone(anybody, path, settings):
    answer = anybody.get(path, headers={"Authorization": "Bearer x"})

    assert answer["Cache-Control"] == "private, no-cache"


@BOTH
def test_a_change_of_what_was_read_comes_through_and_tells_the_next_tag(member, thing, root):
    path = f"{root}/things/{thing.pk}"
    answer = patch(member, path, "Coffee", member.get(path)["ETag"])

    assert answer.status_code == 200, answer.content
    read = member.get(path)
    assert (answer.json()["name"], answer["ETag"], answer.content) == ("Coffee", read["ETag"], read.content)
    assert patch(member, path, "Milk", answer["ETag"]).status_code == 200


def test_a_change_without_a_condition_tells_the_tag_too(member, path):
    answer = patch(member, path, "Coffee")

    assert (answer.status_code, answer["ETag"]) == (200, member.get(path)["ETag"])


def test_a_change_of_another_version_is_refused_and_undone(member, path):
    tag = member.get(path)["ETag"]
    patch(member, path, "Coffee")
    answer = patch(member, path, "Milk", tag)

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert "ETag" not in answer
    assert Thing.objects.get().name == "Coffee"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("*", 200),
        ("{tag}", 200),
        ('"a", {tag}', 200),
        ("W/{tag}", 412),
        ('"a"', 412),
        ("", 422),
        ("nonsense", 422),
        ("{tag}x", 422),
        ("{tag},", 200),
        (" ,{tag}", 200),
        ('"a" ,, , {tag} ,', 200),
        ('"a",,"b"', 412),
        ("W/{tag},", 412),
        (",", 422),
        (" , ,", 422),
        ('"a" "b"', 422),
        ("*,", 422),
        ("*, {tag}", 422),
    ],
)
def test_if_match(member, path, form, status):
    tag = member.get(path)["ETag"]
    answer = patch(member, path, "Coffee", form.format(tag=tag))

    assert answer.status_code == status, answer.content
    assert Thing.objects.get().name == ("Coffee" if status == 200 else "Tea")
    if status == 422:
        assert [e["pointer"] for e in answer.json()["errors"]] == ["header/If-Match"]


@pytest.mark.parametrize(
    ("name", "status"), [("forbidden", 403), ("invalid", 422), ("missing", 404), ("taken", 409), ("broken", 500)]
)
def test_what_else_is_wrong_is_told_before_the_version(member, path, name, status):
    assert patch(member, path, name, '"stale"').status_code == status


def test_what_is_not_there_is_not_found_whatever_the_version(member):
    assert patch(member, "/api/things/0", "Coffee", "*").status_code == 404
    assert not passed


@BOTH
@pytest.mark.parametrize(
    ("form", "status"), [(None, 204), ("*", 204), ("{tag}", 204), ("W/{tag}", 412), ('"a"', 412), ("nonsense", 422)]
)
def test_what_has_changed_is_not_deleted_either(member, thing, root, form, status):
    path = f"{root}/things/{thing.pk}"
    tag = member.get(path)["ETag"]
    answer = member.delete(path, headers={"If-Match": form.format(tag=tag)} if form else {})

    assert answer.status_code == status, answer.content
    assert "ETag" not in answer
    assert Thing.objects.exists() is (status != 204)


def test_what_is_gone_is_not_found_whatever_the_version(member):
    assert member.delete("/api/things/0", headers={"If-Match": "*"}).status_code == 404


# --- at the same time ---


def change_together(member, path, count):
    """Patch with the same tag at the same moment; the statuses."""
    tag, start = member.get(path)["ETag"], Barrier(count)

    def run(number):
        try:
            with connection.cursor():  # connect before the start
                pass
            start.wait()
            return patch(member, path, f"name {number}", tag).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_of_ten_that_change_one_version_one_wins(member, path):
    assert change_together(member, path, 10) == [200] + [412] * 9
    assert passed.count("changing") == 10


@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_several_win(member, path, monkeypatch):
    """Were this to pass with one winner, the test above would prove nothing."""
    together = Barrier(4)

    monkeypatch.setattr(conditional, "lock_row", lambda rows, key: rows.get(pk=key))
    with at("changing", lambda: together.wait(20)):  # all have looked before anyone writes
        assert change_together(member, path, 4) == [200] * 4


# --- the document ---


def test_the_document_says_so():
    item = api.get_openapi_schema(path_prefix="/api/")["paths"]["/api/things/{thingId}"]
    read, change = item["get"], item["patch"]

    assert [p["name"] for p in read["parameters"]] == ["thingId", "If-None-Match"]
    assert "ETag" in read["responses"][200]["headers"]
    assert "ETag" in read["responses"][304]["headers"]
    assert "content" not in read["responses"][304]
    assert [p["name"] for p in change["parameters"]] == ["thingId", "If-Match"]
    assert "ETag" in change["responses"][200]["headers"]
    assert "`precondition_failed`" in change["responses"][412]["description"]
    assert 304 not in change["responses"]
    assert [p["name"] for p in item["delete"]["parameters"]] == ["thingId", "If-Match"]
    assert "`precondition_failed`" in item["delete"]["responses"][412]["description"]
    assert "ETag" not in item["delete"]["responses"][204]["headers"]
