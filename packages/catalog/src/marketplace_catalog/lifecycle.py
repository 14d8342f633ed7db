"""The fixed lists of the catalog."""

from datetime import timedelta

from django.db.models import TextChoices


class CancellationPolicy(TextChoices):
    """How much a customer who cancels is refunded."""

    FLEXIBLE = "flexible"
    MODERATE = "moderate"
    STRICT = "strict"


MAX_FILES = 20  # of each kind, for one service
LONGEST_SPAN = timedelta(days=31)  # that is looked for free slots
TOPIC = "catalog"  # what kept public answers show: see kit's public_cache
