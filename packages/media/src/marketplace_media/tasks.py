"""What media does in the background."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from . import storage


@app.task(
    name="marketplace_media.delete_object",
    queue="media",
    retry=RetryStrategy(max_attempts=10, exponential_wait=4),
)
def delete_object(key: str) -> None:
    """Delete the object of a file whose row is gone. Safe to repeat."""
    storage.delete(key)
