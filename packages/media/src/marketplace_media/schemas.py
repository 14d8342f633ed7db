"""What goes in and out of media."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from marketplace_kit.schemas import In, Int, Out, clean_line

from .lifecycle import MAX_FILENAME, FileKind

# --- in ---

Filename = Annotated[str, AfterValidator(clean_line), Field(min_length=1, max_length=MAX_FILENAME)]


class StartUpload(In):
    """A file that will be sent to the storage directly."""

    kind: FileKind = Field(description="What it is.")
    filename: Filename = Field(description="Its name; it is made safe.", examples=["kitchen.jpg"])
    content_type: str = Field(max_length=100, description="Its media type, to be sent along.", examples=["image/jpeg"])
    size: Int = Field(ge=1, le=2**53, description="Exactly how many bytes.", examples=[48_213])


# --- out ---


class Thumbnails(Out):
    """Smaller pictures of an image."""

    small: str = Field(description="URL of the picture within 200 by 200 pixels.")
    medium: str = Field(description="URL of the picture within 800 by 800 pixels.")


class File(Out):
    """A stored file. Whoever lists it gives it its `position`."""

    id: UUID = Field(description="The file's id.")
    kind: FileKind = Field(description="What it is.")
    url: str = Field(description="Where to read it: signed, and good for a day at least, or public.")
    filename: str = Field(description="Its name, made safe.")
    content_type: str = Field(description="Its media type, as found by looking into it.", examples=["image/jpeg"])
    size: int = Field(description="Bytes.")
    width: int | None = Field(description="Pixels; null for a document.")
    height: int | None = Field(description="Pixels; null for a document.")
    position: int = Field(0, description="Its place in the list, from 0.")
    thumbnails: Thumbnails | None = Field(description="Null until they are made; a document has none.")
    created_at: datetime = Field(description="When it was stored.")


class Upload(Out):
    """A form to post, as multipart/form-data, to the storage: its fields first, then the file as `file`."""

    upload_id: UUID = Field(validation_alias="id", description="Names it when it is completed.")
    url: str = Field(description="Where to post the form.")
    fields: dict[str, str] = Field(description="The form's fields. They allow this one file, type and size.")
    expires_at: datetime = Field(description="When the form can't be used any more.")
