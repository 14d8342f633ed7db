"""What media does in the background."""

from procrastinate.contrib.django import app

from marketplace_kit.jobs import PATIENT

from . import storage


@app.task(name="marketplace_media.delete_object", queue="media", retry=PATIENT)
def delete_object(key: str) -> None:
    """Delete the object of a file whose row is gone. Safe to repeat."""
    storage.delete(key)
