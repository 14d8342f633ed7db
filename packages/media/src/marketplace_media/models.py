"""Files: a row here, its bytes in the bucket."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7

from .conf import conf
from .lifecycle import Kind
from .signing import signed_url


def url_of(key: str) -> str:
    """Where a client reads the object with this key: below the public base, else signed, the same for a day."""
    if conf.PUBLIC_BASE_URL:
        return f"{conf.PUBLIC_BASE_URL.rstrip('/')}/{key}"
    return signed_url(
        conf.public_endpoint,
        conf.BUCKET,
        key,
        region=conf.REGION,
        access_key=conf.ACCESS_KEY_ID,
        secret=conf.SECRET_ACCESS_KEY,
        at=now(),
    )


class File(models.Model):
    """One stored file. Its row is written after its object, and deleted before it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.CharField(max_length=200, unique=True)
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="bytes")
    width = models.PositiveIntegerField(null=True, help_text="pixels, of an image")
    height = models.PositiveIntegerField(null=True, help_text="pixels, of an image")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="media_file_known_kind"),
            models.CheckConstraint(
                condition=Q(kind=Kind.IMAGE, width__gt=0, height__gt=0)
                | Q(kind=Kind.DOCUMENT, width=None, height=None),
                name="media_file_image_has_size",
            ),
        )

    def __str__(self) -> str:
        return self.filename

    @property
    def url(self) -> str:
        """Where a client reads it."""
        return url_of(self.key)
