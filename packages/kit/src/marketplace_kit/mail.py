"""E-mail: one file per message, named by its Message-ID, so that a message sent twice is one file."""

import email.policy
import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.policy import Policy
from pathlib import Path
from typing import Any, NamedTuple, override

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

# A link with its token stays on one line, so that it can be copied out of the file.
LONG_LINES = email.policy.default.clone(max_line_length=900, cte_type="8bit")


class _OneLine(UnstructuredHeader, BaseHeader):
    """A header of one long word. Folded at 78 characters it would become encoded words, which no program reads."""

    @override
    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


HEADERS = HeaderRegistry()
HEADERS.map_to_type("list-unsubscribe", _OneLine)


class Message(EmailMultiAlternatives):
    """Django's, with headers that are left unchanged."""

    @override
    def message(self, *, policy: Any = email.policy.default) -> Any:
        return super().message(policy=policy.clone(header_factory=HEADERS))


class Part(NamedTuple):
    """A further part of an e-mail: a file or, without a name, an alternative form of the text."""

    content: str | bytes
    media_type: str  # with its parameters: text/calendar; method=REQUEST
    filename: str = ""


def send(
    key: str,
    to: str,
    subject: str,
    text: str,
    html: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    parts: Iterable[Part] = (),
) -> None:
    """Send one message. `key` names it: the same key is the same Message-ID, and with files the same file.

    For jobs: raises what the backend raises, and is safe to repeat.
    """
    # No automatic replies (RFC 3834), and no second line in the subject that could start a header.
    named = {"Message-ID": message_id(key), "Auto-Submitted": "auto-generated", **(headers or {})}
    message = Message(subject=" ".join(subject.split()), body=text, to=[to], headers=named)
    if html is not None:
        message.attach_alternative(html, "text/html")
    for part in parts:
        if part.filename:
            message.attach(part.filename, part.content, part.media_type)
        else:
            message.attach_alternative(part.content, part.media_type)
    message.send()


def message_id(key: str) -> str:
    """The Message-ID of the message that `key` names."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
    return f"<{key}@{domain}>"


class FileBackend(BaseEmailBackend):
    """Writes each message to `<file_path>/<hash of its Message-ID>.eml`, whole or not at all, and once."""

    def __init__(self, *, file_path: str, **options: Any) -> None:
        super().__init__(**options)
        self.folder = Path(file_path)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            self._write(message)
        return len(email_messages)

    def _write(self, message: EmailMessage) -> None:
        content = message.message(policy=LONG_LINES)
        name = hashlib.sha256(content["Message-ID"].encode()).hexdigest()[:40]
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", delete=False) as file:
            file.write(content.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        try:
            # A hard link is exclusive and atomic: readers never see half a message, and retries add no second one.
            os.link(file.name, self.folder / f"{name}.eml")
        except FileExistsError:
            pass
        finally:
            Path(file.name).unlink()
