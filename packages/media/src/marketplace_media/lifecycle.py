"""The fixed lists of media."""

from django.db.models import TextChoices

MAX_IMAGE_BYTES = 10_000_000
MAX_PIXELS = 50_000_000
MAX_FILENAME = 255  # characters


class Kind(TextChoices):
    """What a file is."""

    IMAGE = "image"
    DOCUMENT = "document"


# Pillow's name of a format: what we call it, and the endings that its files have, ours first.
FORMATS = {
    "JPEG": ("image/jpeg", (".jpg", ".jpeg")),
    "PNG": ("image/png", (".png",)),
    "WEBP": ("image/webp", (".webp",)),
}
