"""What happens to the files of a service at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from tests.files import sent, upload

from marketplace_catalog import actions
from marketplace_catalog.models import Service, ServiceFile
from marketplace_kit.exceptions import DomainError
from marketplace_kit.testing import run_jobs
from marketplace_media import storage
from marketplace_media.lifecycle import FileKind
from marketplace_media.models import File
from marketplace_media.testing import make_file, make_image_bytes

pytestmark = [
    pytest.mark.usefixtures("bucket"),
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
]


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


def test_however_many_add_at_once_there_is_never_one_too_many(provider, service, monkeypatch):
    monkeypatch.setattr(actions, "MAX_FILES", 3)

    outcomes = add_at_once(provider, service, 8)

    assert outcomes.count("too_many_files") == 5
    assert [item.position for item in ServiceFile.objects.all()] == [0, 1, 2]


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


def test_adding_ordering_and_deleting_at_once_leaves_a_whole_list(provider, service):
    files = [make_file(provider.pk) for _ in range(12)]
    for file in files[:8]:
        actions.add_file(provider, service, file)
    ids = [file.pk for file in files[:8]]

    at_once(
        *[lambda file=file: actions.add_file(provider, service, file) for file in files[8:]],
        *[lambda n=n: actions.remove_file(provider, service, FileKind.IMAGE, ids[n]) for n in (0, 3, 7)],
        lambda: actions.order_images(provider, service, ids[::-1]),
    )

    assert [item.position for item in ServiceFile.objects.of(service.pk, FileKind.IMAGE)] == list(range(9))


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


def test_a_file_that_comes_while_its_service_goes_does_not_stay(provider, service, path, sign_in, keys, monkeypatch):
    client, put = sign_in(provider), storage.put

    def meanwhile(*args, **kwargs):
        put(*args, **kwargs)
        actions.delete_service(provider, service)

    monkeypatch.setattr(storage, "put", meanwhile)

    assert client.upload(f"{path}/images", upload()).status_code == 404
    assert not keys()
    assert not File.objects.exists()
