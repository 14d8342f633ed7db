"""What goes out of media."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from marketplace_kit.schemas import Out

from .lifecycle import Kind


class Thumbnails(Out):
    """Smaller pictures of an image."""

    small: str = Field(description="URL of the picture within 200 by 200 pixels.")
    medium: str = Field(description="URL of the picture within 800 by 800 pixels.")


class File(Out):
    """A stored file. Whoever lists it gives it its `position`."""

    id: UUID = Field(description="The file's id.")
    kind: Kind = Field(description="What it is.")
    url: str = Field(description="Where to read it: signed, and good for a day at least, or public.")
    filename: str = Field(description="Its name, made safe.")
    content_type: str = Field(description="Its media type, as found by looking into it.", examples=["image/jpeg"])
    size: int = Field(description="Bytes.")
    width: int | None = Field(description="Pixels; null for a document.")
    height: int | None = Field(description="Pixels; null for a document.")
    position: int = Field(0, description="Its place in the list, from 0.")
    thumbnails: Thumbnails | None = Field(None, description="Null until they are made.")
    created_at: datetime = Field(description="When it was stored.")
