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
    """A file to be uploaded directly to storage."""

    kind: FileKind = Field(description="Image or document.")
    filename: Filename = Field(description="The file's name; it is sanitized.", examples=["kitchen.jpg"])
    content_type: str = Field(max_length=100, description="The file's media type.", examples=["image/jpeg"])
    size: Int = Field(ge=1, le=2**53, description="The exact size in bytes.", examples=[48_213])


# --- out ---


class Thumbnails(Out):
    """Smaller versions of an image."""

    small: str = Field(description="URL of a version that fits 200 by 200 pixels.")
    medium: str = Field(description="URL of a version that fits 800 by 800 pixels.")


class File(Out):
    """A stored file. Whoever lists it gives it its `position`."""

    id: UUID = Field(description="The file's id.")
    kind: FileKind = Field(description="Image or document.")
    url: str = Field(description="Where to download it: public, or signed and valid for at least a day.")
    filename: str = Field(description="The sanitized name.")
    content_type: str = Field(description="The media type, detected from the content.", examples=["image/jpeg"])
    size: int = Field(description="In bytes.")
    width: int | None = Field(description="In pixels; null for a document.")
    height: int | None = Field(description="In pixels; null for a document.")
    position: int = Field(0, description="Its position in the list, from 0.")
    thumbnails: Thumbnails | None = Field(description="Null until they are ready, and for a document.")
    created_at: datetime = Field(description="When it was uploaded.")


class Upload(Out):
    """A form to POST to storage as multipart/form-data: first its fields, then the file as `file`."""

    upload_id: UUID = Field(validation_alias="id", description="The upload's id, needed to complete it.")
    url: str = Field(description="Where to POST the form.")
    fields: dict[str, str] = Field(description="The form's fields. They are valid only for this file, type and size.")
    expires_at: datetime = Field(description="When the form expires.")
