"""The fixed lists of the catalog."""

from django.db.models import TextChoices


class CancellationPolicy(TextChoices):
    """How much of the money a customer who cancels gets back."""

    FLEXIBLE = "flexible"
    MODERATE = "moderate"
    STRICT = "strict"


MAX_FILES = 20  # of each kind, for one service
