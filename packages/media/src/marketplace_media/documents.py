"""Documents as they come in: PDF, and nothing that runs. They stay byte for byte what they were: some are signed."""

import subprocess
import sys
from pathlib import Path

import structlog

from .crowding import AtOnce
from .exceptions import NotADocument
from .pdf import ACTIVE, ENCRYPTED, FINE, UNREADABLE

log = structlog.get_logger(__name__)

HEADER = b"%PDF-"
READER = [str(Path(__file__).with_name("pdf.py"))]
PATIENCE = 40.0  # seconds; the processor time of the reader is limited further
REASONS = {
    ENCRYPTED: "Encrypted PDFs aren't accepted.",
    ACTIVE: "PDFs that run scripts, start programs or play media aren't accepted.",
}
# Each is a process with up to a gigabyte.
_at_once = AtOnce(2)


def check(content: bytes) -> None:
    """NotADocument unless `content` is a PDF from its first byte on, that opens without a password, pages and all."""
    if not content.startswith(HEADER):
        raise NotADocument
    verdict = _looked_into(content)
    if verdict != FINE:
        raise NotADocument(REASONS.get(verdict))


def _looked_into(content: bytes) -> int:
    """What the reader said."""
    with _at_once.turn():
        try:
            done = subprocess.run(  # noqa: S603  (our own interpreter and file)
                [sys.executable, "-I", *READER],
                input=content,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            log.warning("document_reader_too_slow", size=len(content))
            return UNREADABLE
    if done.returncode:
        log.info("document_refused", status=done.returncode, error=done.stderr[-500:].decode(errors="replace"))
    return done.returncode
