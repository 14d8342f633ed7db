"""Look into the PDF on standard input. Run as a program, which knows neither Django nor the package.

A process of its own, because a hostile file may keep any reader busy for ever or make it swell: here that ends with
the limits below, and takes nobody else along. Exit status: one of those below, anything else where it is unreadable.
"""

import resource
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

FINE, UNREADABLE, ENCRYPTED, ACTIVE = 0, 1, 70, 71
SECONDS = 20  # of processor time
MEMORY = 1 << 30  # bytes

# A dictionary with one of these keys, or an action of one of these kinds, does something when a reader opens it.
ACTIVE_KEYS = {"/JS", "/JavaScript", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
ACTIVE_ACTIONS = ("/JavaScript", "/Launch", "/Rendition", "/RichMediaExecute")


def verdict(content: bytes) -> int:
    """What is to be said of a PDF. Raises whatever pypdf raises where it can't be read."""
    from pypdf import PdfReader

    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted:
        return ENCRYPTED
    tree: Any = reader.root_object["/Pages"]
    if not len(reader.pages) and tree.get("/Count"):  # a PDF may be empty, but then it says so
        return UNREADABLE
    return ACTIVE if any(is_active(found) for found in dictionaries(reader)) else FINE


def is_active(dictionary: Any) -> bool:
    """Whether a reader would run, start or play something for this dictionary."""
    return not ACTIVE_KEYS.isdisjoint(dictionary) or ("/S" in dictionary and dictionary["/S"] in ACTIVE_ACTIONS)


def dictionaries(reader: Any) -> Iterator[Any]:
    """All dictionaries of the file, whether or not anything refers to them."""
    waiting = [reader.trailer, *objects(reader)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += [*value.values()]
        elif isinstance(value, list):
            waiting += list(value)


def objects(reader: Any) -> Iterator[Any]:
    """All numbered objects of the file."""
    from pypdf.generic import IndirectObject

    numbers = {(number, generation) for generation, entries in reader.xref.items() for number in entries}
    for number, generation in sorted(numbers | {(number, 0) for number in reader.xref_objStm}):
        yield reader.get_object(IndirectObject(number, generation, reader))


def main() -> None:
    """Limit this process, then look."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.exit(verdict(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
