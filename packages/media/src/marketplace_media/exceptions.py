"""Every refusal of media."""

from marketplace_kit.exceptions import DomainError, InvalidField, ServiceUnavailable


class NotAnImage(DomainError):
    """This is not a JPEG, PNG or WebP image that can be read."""

    status = 415
    code = "unsupported_media_type"


class TooManyPixels(InvalidField):
    """A value is not acceptable."""

    def __init__(self) -> None:
        super().__init__("/file", "too_many_pixels", "The image may have 50 megapixels at the most.")


class StorageUnavailable(ServiceUnavailable):
    """The storage of files is down. Try again shortly."""
