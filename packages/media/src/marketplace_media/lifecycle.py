"""The fixed lists of media."""

from datetime import timedelta

from django.db.models import TextChoices

MAX_IMAGE_BYTES = 10_000_000
MAX_DOCUMENT_BYTES = 20_000_000
MAX_PIXELS = 50_000_000
MAX_FILENAME = 255  # characters

# How long a form for a direct upload can be used, and how many of them one owner may leave unused within a day.
FORM_LIFETIME = timedelta(hours=1)
MAX_OPEN_UPLOADS = 100
# What nobody asked for after so long is swept away.
ABANDONED_AFTER = timedelta(days=1)


class FileKind(TextChoices):
    """The kind of a file."""

    IMAGE = "image"
    DOCUMENT = "document"


MAX_BYTES = {FileKind.IMAGE: MAX_IMAGE_BYTES, FileKind.DOCUMENT: MAX_DOCUMENT_BYTES}

# Pillow's name of a format: what we call it, and the endings that its files have, ours first.
FORMATS = {
    "JPEG": ("image/jpeg", (".jpg", ".jpeg")),
    "PNG": ("image/png", (".png",)),
    "WEBP": ("image/webp", (".webp",)),
}
PDF = ("application/pdf", (".pdf",))

# The media types that a client may announce.
CONTENT_TYPES = {
    FileKind.IMAGE: frozenset(content_type for content_type, _ in FORMATS.values()),
    FileKind.DOCUMENT: frozenset({PDF[0]}),
}

# Within how many pixels, each way.
THUMBNAILS = {"small": 200, "medium": 800}
