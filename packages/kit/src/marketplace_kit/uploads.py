"""One uploaded file of a multipart request, by POST or PUT."""

from collections.abc import Iterable
from typing import cast

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from .exceptions import DomainError, InvalidField, step


class TooLarge(DomainError):
    """The file is too large."""

    status = 413
    code = "too_large"


class MalformedUpload(DomainError):
    """The body is not valid multipart/form-data (RFC 7578)."""

    status = 400
    code = "malformed_multipart"


class InvalidParts(InvalidField):
    """A value is invalid."""

    def __init__(self, files: int, unknown: Iterable[str]) -> None:
        """`files`: how many are named `file`; `unknown`: names of parts that there are none of."""
        super().__init__("/file", "missing" if not files else "too_many", "Send one part named `file`.")
        code, detail = "extra_forbidden", "Extra inputs are not permitted"  # as pydantic says it of JSON
        others = [{"pointer": step(name), "code": code, "detail": detail} for name in sorted(unknown)]
        self.errors = (self.errors if files != 1 else []) + others


def read_one(request: HttpRequest, limit: int) -> "UploadedFile[bytes]":
    """The part named `file`. TooLarge above `limit` bytes; InvalidParts where it is missing or doubled, or not alone.

    Reads the stream itself: Django parses multipart bodies of POST only.
    """
    # The protection of sessions (CSRF) reads a POST: its token may be a part, too.
    was_read = request.method == "POST" and hasattr(request, "_files")
    known = {"file", "csrfmiddlewaretoken"} if was_read else {"file"}
    try:
        if not was_read:
            # Kept on the request, as Django's own parsing does: at its end the temporary files are closed.
            request._post, request._files = request.parse_file_upload(request.META, request)  # type: ignore[attr-defined]
    except (RequestDataTooBig, TooLarge):
        raise
    except (MultiPartParserError, SuspiciousOperation, BadRequest, ValueError) as error:
        raise MalformedUpload from error
    found = request._files.getlist("file")  # type: ignore[attr-defined]
    unknown = {*request._post, *request._files} - known  # type: ignore[attr-defined]
    if len(found) != 1 or unknown:
        raise InvalidParts(len(found), unknown)
    file = cast("UploadedFile[bytes]", found[0])
    if (file.size or 0) > limit:
        raise TooLarge(f"The file can be at most {limit} bytes.")
    return file
