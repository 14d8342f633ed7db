"""Every refusal of media."""

from marketplace_kit.exceptions import DomainError, InvalidField, ServiceUnavailable


class NotAnImage(DomainError):
    """This is not a readable JPEG, PNG or WebP image."""

    status = 415
    code = "unsupported_media_type"


class NotADocument(DomainError):
    """This is not a readable PDF."""

    status = 415
    code = "unsupported_media_type"


class TooManyPixels(InvalidField):
    """A value is invalid."""

    def __init__(self) -> None:
        super().__init__("/file", "too_many_pixels", "The image can have at most 50 megapixels.")


class WrongSize(InvalidField):
    """A value is invalid."""

    def __init__(self, declared: int, arrived: int) -> None:
        super().__init__("", "wrong_size", f"The upload was declared as {declared} bytes, but {arrived} arrived.")


class UploadMissing(DomainError):
    """No file has been uploaded with this form yet."""

    code = "upload_missing"


class TooManyUploads(DomainError):
    """You have started too many uploads without completing them. Complete some, or wait a day."""

    code = "too_many_uploads"


class StorageUnavailable(ServiceUnavailable):
    """File storage is temporarily unavailable. Try again shortly."""
