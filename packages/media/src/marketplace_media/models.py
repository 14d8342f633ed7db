"""Files: a row here, its bytes in the bucket."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from marketplace_kit.clock import now
from marketplace_kit.ids import uuid7

from .conf import conf
from .lifecycle import FORM_LIFETIME, FileKind
from .signing import signed_form, signed_url


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
    kind = models.CharField(max_length=20, choices=FileKind.choices)
    key = models.CharField(max_length=200, unique=True)
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField(help_text="bytes")
    width = models.PositiveIntegerField(null=True, help_text="pixels, of an image")
    height = models.PositiveIntegerField(null=True, help_text="pixels, of an image")
    # The keys of its thumbnails, once they are made.
    small_key = models.CharField(max_length=200, unique=True, null=True, editable=False)  # noqa: DJ001
    medium_key = models.CharField(max_length=200, unique=True, null=True, editable=False)  # noqa: DJ001
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(kind__in=FileKind.values), name="media_file_known_kind"),
            models.CheckConstraint(
                condition=Q(kind=FileKind.IMAGE, width__gt=0, height__gt=0)
                | Q(kind=FileKind.DOCUMENT, width=None, height=None),
                name="media_file_image_has_size",
            ),
            models.CheckConstraint(
                condition=Q(small_key=None, medium_key=None)
                | Q(kind=FileKind.IMAGE, small_key__isnull=False, medium_key__isnull=False),
                name="media_file_both_thumbnails",
            ),
        )

    def __str__(self) -> str:
        return self.filename

    @property
    def url(self) -> str:
        """Where a client reads it."""
        return url_of(self.key)

    @property
    def thumbnails(self) -> dict[str, str] | None:
        """Where a client reads its thumbnails; None until they are made."""
        if self.small_key is None or self.medium_key is None:
            return None
        return {"small": url_of(self.small_key), "medium": url_of(self.medium_key)}

    @property
    def keys(self) -> list[str]:
        """The keys of all its objects."""
        return [key for key in (self.key, self.small_key, self.medium_key) if key is not None]


class UploadQuerySet(models.QuerySet["Upload"]):
    def open(self) -> Self:
        """Those whose file is not there yet."""
        return self.filter(file=None)

    def started_before(self, moment: datetime) -> Self:
        return self.filter(created_at__lt=moment)


def form_expires() -> datetime:
    """When the form of an upload that starts now can't be used any more."""
    return now() + FORM_LIFETIME


class Upload(models.Model):
    """A form, good for one direct upload to the storage, and in the end the file that came of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    # The key of what the file is for. Whose key that is, is the affair of who started the upload.
    target = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=FileKind.choices)
    key = models.CharField(max_length=200, unique=True)
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100, help_text="as announced")
    size = models.PositiveIntegerField(help_text="bytes, as announced")
    file = models.OneToOneField(File, models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(default=form_expires, editable=False)

    objects = UploadQuerySet.as_manager()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(kind__in=FileKind.values), name="media_upload_known_kind"),)
        indexes = (models.Index(fields=("created_at",), name="media_upload_open", condition=Q(file=None)),)

    def __str__(self) -> str:
        return self.filename

    @property
    def url(self) -> str:
        """Where a client posts the form."""
        return f"{conf.public_endpoint}/{conf.BUCKET}"

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the form, to stand before the field `file`."""
        return signed_form(
            conf.BUCKET,
            self.key,
            content_type=self.content_type,
            size=self.size,
            region=conf.REGION,
            access_key=conf.ACCESS_KEY_ID,
            secret=conf.SECRET_ACCESS_KEY,
            at=self.created_at,
            until=self.expires_at,
        )
