"""Every refusal of media."""

from marketplace_kit.exceptions import DomainError, InvalidField, ServiceUnavailable


class NotAnImage(DomainError):
    """This is not a JPEG, PNG or WebP image that can be read."""

    status = 415
    code = "unsupported_media_type"


class NotADocument(DomainError):
    """This is not a PDF that can be read."""

    status = 415
    code = "unsupported_media_type"


class TooManyPixels(InvalidField):
    """A value is not acceptable."""

    def __init__(self) -> None:
        super().__init__("/file", "too_many_pixels", "The image may have 50 megapixels at the most.")


class WrongSize(InvalidField):
    """A value is not acceptable."""

    def __init__(self, declared: int, arrived: int) -> None:
        super().__init__("", "wrong_size", f"{declared} bytes were announced, and {arrived} arrived.")


class UploadMissing(DomainError):
    """Nothing has arrived by this upload's form yet."""

    code = "upload_missing"


class TooManyUploads(DomainError):
    """Too many uploads were started and not completed. Complete some, or wait a day."""

    code = "too_many_uploads"


class StorageUnavailable(ServiceUnavailable):
    """The storage of files is down. Try again shortly."""
