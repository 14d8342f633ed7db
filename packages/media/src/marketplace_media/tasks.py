"""What media does in the background."""

import structlog
from django.db.models import Q
from procrastinate.contrib.django import app

from marketplace_kit.clock import now
from marketplace_kit.jobs import PATIENT

from . import actions, storage
from .lifecycle import ABANDONED_AFTER
from .models import File, Upload

log = structlog.get_logger(__name__)


@app.task(name="marketplace_media.make_thumbnails", queue="media", retry=PATIENT)
def make_thumbnails(file_id: str) -> None:
    """Make the thumbnails of an image. Safe to repeat."""
    actions.make_thumbnails(file_id)


@app.task(name="marketplace_media.delete_objects", queue="media", retry=PATIENT)
def delete_objects(keys: list[str]) -> None:
    """Delete the objects of files whose rows are gone. Safe to repeat."""
    for key in keys:
        storage.delete(key)


@app.periodic(cron="41 2 * * *")
@app.task(name="marketplace_media.sweep", queue="media", queueing_lock="marketplace_media.sweep")
def sweep(timestamp: int) -> None:
    """Delete what nobody asked for within a day: uploads never completed, and objects that no row knows.

    Such an object is what a process leaves that dies between storing it and writing its row.
    """
    horizon = now() - ABANDONED_AFTER
    Upload.objects.open().started_before(horizon).delete()
    for page in storage.pages():
        old = {key for key, stored_at in page if stored_at < horizon}
        # Asked after the listing: what has got its row by now, is known.
        for key in sorted(old - known(old)):
            log.info("orphan_deleted", key=key)
            storage.delete(key)


def known(keys: set[str]) -> set[str]:
    """Those of the keys that a file has. What was uploaded directly is never one: it is copied when it is complete."""
    rows = File.objects.filter(Q(key__in=keys) | Q(small_key__in=keys) | Q(medium_key__in=keys))
    return {key for row in rows for key in row.keys}
