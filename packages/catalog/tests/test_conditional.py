"""A service that is known is not sent again, and one that has changed is not overwritten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection, connections

from marketplace_catalog.models import Service
from marketplace_catalog.testing import make_service
from marketplace_kit import clock


@pytest.fixture
def service(provider):
    return make_service(provider)


@pytest.fixture
def path(service):
    return f"/api/services/{service.pk}"


def patch(client, path, tag, **body):
    return client.patch(path, body, headers={"If-Match": tag})


def test_the_tag_is_everybodys_and_stays_for_a_day(provider, sign_in, path):
    with clock.frozen(datetime(2027, 1, 1, 0, 30, tzinfo=UTC)):
        tag = sign_in(None).get(path)["ETag"]
    with clock.frozen(datetime(2027, 1, 1, 23, 30, tzinfo=UTC)):
        assert sign_in(provider).get(path)["ETag"] == tag
        assert sign_in(None).get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_change_of_the_version_that_was_read(provider, sign_in, path):
    seller = sign_in(provider)
    tag = seller.get(path)["ETag"]

    first = patch(seller, path, tag, title="One", duration=90)
    second = patch(seller, path, tag, title="Two")
    third = patch(seller, path, first["ETag"], title="Three")

    assert [a.status_code for a in (first, second, third)] == [200, 412, 200]
    assert (second.json()["code"], third["ETag"]) == ("precondition_failed", seller.get(path)["ETag"])
    assert (Service.objects.get().title, third.json()["duration"]) == ("Three", 90)


def test_another_version_than_was_read_is_not_deleted(provider, sign_in, path):
    seller = sign_in(provider)
    tag = seller.get(path)["ETag"]
    now = patch(seller, path, tag, title="One")["ETag"]

    assert seller.delete(path, headers={"If-Match": tag}).json()["code"] == "precondition_failed"
    assert seller.get(path)["ETag"] == now
    assert seller.delete(path, headers={"If-Match": now}).status_code == 204
    assert seller.get(path).status_code == 404


def test_who_may_not_and_what_can_not_be_is_told_first(provider, sign_in, path, django_user_model):
    another = sign_in(django_user_model.objects.create(login="another", sells=True))

    assert patch(another, path, '"stale"', title="Mine").status_code == 403
    assert patch(sign_in(provider), path, '"stale"', category="nope").status_code == 422
    assert patch(sign_in(provider), path, "stale", title="").json()["errors"][0]["pointer"] in (
        "/title",
        "header/If-Match",
    )
    assert patch(sign_in(provider), "/api/services/01900000-0000-7000-8000-000000000000", "*").status_code == 404


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_many_that_change_one_version_one_wins(provider, sign_in, path):
    clients = [sign_in(provider) for _ in range(6)]
    tag, barrier = clients[0].get(path)["ETag"], Barrier(6)

    def run(number):
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return patch(clients[number], path, tag, title=f"Title {number}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(run, range(6))) == [200] + [412] * 5
