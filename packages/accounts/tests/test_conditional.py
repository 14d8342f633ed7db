"""A profile that is known is not sent again, and one that has changed is not overwritten."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections

from marketplace_accounts.models import Profile, User
from marketplace_accounts.testing import PASSWORD, bearer, make_provider
from marketplace_kit.testing import JsonClient


def signed_in(user: User) -> JsonClient:
    return JsonClient(headers={"Authorization": bearer(user)})


def rename(client: JsonClient, name: str, tag: str) -> int:
    body = {"profile": {"firstName": name}}
    return client.patch("/api/users/me", body, headers={"If-Match": tag}).status_code


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/users/me", "/api/users/{id}"])
def test_what_is_known_is_not_sent_again(path: str) -> None:
    user = make_provider()
    client, path = signed_in(user), path.format(id=user.pk)
    tag = client.get(path)["ETag"]

    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert rename(client, "Grace", "*") == 200
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.django_db
def test_a_change_of_the_version_that_was_read(user: User) -> None:
    client = signed_in(user)
    tag = client.get("/api/users/me")["ETag"]

    assert [rename(client, name, tag) for name in ("One", "Two")] == [200, 412]
    assert Profile.objects.get().first_name == "One"


@pytest.mark.django_db
def test_another_version_than_was_read_is_not_erased(user: User) -> None:
    client = signed_in(user)
    tag = client.get("/api/users/me")["ETag"]
    assert rename(client, "One", tag) == 200
    now = client.get("/api/users/me")["ETag"]

    def erase(tag: str, password: str = PASSWORD) -> tuple[int, bool]:
        answer = client.delete("/api/users/me", {"password": password}, headers={"If-Match": tag})
        return answer.status_code, User.objects.filter(pk=user.pk, is_active=True).exists()

    assert erase(tag, "not this one") == (422, True)
    assert erase(tag) == (412, True)
    assert client.get("/api/users/me")["ETag"] == now
    assert erase(now) == (204, False)


@pytest.mark.django_db(transaction=True)
def test_of_many_that_change_one_version_one_wins(user: User) -> None:
    client, barrier = signed_in(user), Barrier(6)
    tag = client.get("/api/users/me")["ETag"]

    def run(number: int) -> int:
        try:
            with connection.cursor():  # connect before the start
                pass
            barrier.wait()
            return rename(signed_in(user), f"Name {number}", tag)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(run, range(6))) == [200] + [412] * 5
