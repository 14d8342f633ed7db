"""One uploaded file of a multipart request, by POST or PUT."""

from typing import cast

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from .exceptions import DomainError, InvalidField


class TooLarge(DomainError):
    """The file is too large."""

    status = 413
    code = "too_large"


class MalformedUpload(DomainError):
    """The body is not multipart/form-data as RFC 7578 has it."""

    status = 400
    code = "malformed_multipart"


def read_one(request: HttpRequest, limit: int) -> "UploadedFile[bytes]":
    """The part named `file`. TooLarge above `limit` bytes, InvalidField at `/file` where it is missing or doubled.

    Reads the stream itself: Django parses multipart bodies of POST only.
    """
    try:
        if request.method != "POST" or not hasattr(request, "_files"):  # the protection of sessions (CSRF) reads a POST
            # Kept on the request, as Django's own parsing does: at its end the temporary files are closed.
            request._post, request._files = request.parse_file_upload(request.META, request)  # type: ignore[attr-defined]
    except (RequestDataTooBig, TooLarge):
        raise
    except (MultiPartParserError, SuspiciousOperation, BadRequest, ValueError) as error:
        raise MalformedUpload from error
    found = request._files.getlist("file")  # type: ignore[attr-defined]
    if len(found) != 1:
        raise InvalidField("/file", "missing" if not found else "too_many", "Send one part named `file`.")
    file = cast("UploadedFile[bytes]", found[0])
    if (file.size or 0) > limit:
        raise TooLarge(f"The file may have {limit} bytes at the most.")
    return file
