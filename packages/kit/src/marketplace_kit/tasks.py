"""Kit's background tasks."""

from procrastinate.contrib.django import app

from .models import IdempotencyKey


@app.periodic(cron="23 * * * *")
@app.task(name="marketplace_kit.forget_keys", queue="kit", queueing_lock="marketplace_kit.forget_keys")
def forget_keys(timestamp: int) -> None:
    """Delete expired idempotency keys."""
    IdempotencyKey.objects.all().expired().delete()
