"""What is swept away, and what never is."""

from datetime import timedelta
from typing import Any

import pytest
from tests.people.models import Person

from marketplace_kit.clock import shifted
from marketplace_media import actions, storage, tasks
from marketplace_media.exceptions import StorageUnavailable
from marketplace_media.lifecycle import FileKind
from marketplace_media.models import File, Upload
from marketplace_media.testing import make_file, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]
ORPHANS = {"images/a.png", "documents/a.pdf", "thumbnails/a.webp", "uploads/a"}


def put(*keys: str) -> None:
    for key in keys:
        storage.put(key, b"x", "text/plain", "x")


def start(owner: Person) -> Upload:
    upload = actions.start_upload(owner.pk, 1, FileKind.IMAGE, "x", "image/png", 1)
    put(upload.key)
    return upload


def sweep(later: timedelta) -> None:
    with shifted(later):
        tasks.sweep(0)


def test_what_no_row_knows_goes_after_a_day(owner: Person, keys: Any) -> None:
    file = actions.store_image(owner.pk, make_upload())
    actions.make_thumbnails(file.pk)
    put(*ORPHANS)

    sweep(timedelta(hours=23))
    assert keys() > ORPHANS

    sweep(timedelta(hours=25))
    file.refresh_from_db()
    assert keys() == set(file.keys)
    assert len(file.keys) == 3


def test_an_upload_that_nobody_completes_goes_with_its_row(owner: Person, keys: Any) -> None:
    start(owner)
    sweep(timedelta(hours=23))
    assert len(keys()) == Upload.objects.count() == 1
    sweep(timedelta(hours=25))
    assert not keys()
    assert not Upload.objects.exists()


def test_a_completed_one_stays_as_long_as_its_file(owner: Person) -> None:
    file, upload = make_file(owner.pk), start(owner)
    Upload.objects.update(file=file)
    sweep(timedelta(days=400))
    assert Upload.objects.get() == upload


def test_what_is_not_ours_stays(keys: Any) -> None:
    put("exports/2026.csv", "image.png", "imagesque/a.png")
    sweep(timedelta(days=400))
    assert keys() == {"exports/2026.csv", "image.png", "imagesque/a.png"}


def test_a_row_that_is_written_while_the_bucket_is_listed_counts(owner: Person, keys: Any, monkeypatch: Any) -> None:
    put("images/slow.png")
    listed = storage.pages

    def and_then(*_: Any) -> Any:
        for page in listed():
            if not File.objects.exists():
                make_file(owner.pk, key="images/slow.png")
            yield page

    monkeypatch.setattr(storage, "pages", and_then)
    sweep(timedelta(days=2))
    assert keys() == {"images/slow.png"}


def test_more_than_a_page(owner: Person, keys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(storage, "PAGE_SIZE", 10)
    put(*(f"images/{n}.png" for n in range(25)))
    kept = {f"images/{n}.png" for n in (0, 13, 24)}
    for key in kept:
        make_file(owner.pk, key=key)
    assert [len(page) for page in storage.pages() if page] == [10, 10, 5]
    sweep(timedelta(days=2))
    assert keys() == kept


def test_without_the_storage_it_says_so(with_media: Any) -> None:
    with with_media(ENDPOINT_URL="http://127.0.0.1:1"), pytest.raises(StorageUnavailable):
        sweep(timedelta(days=2))
