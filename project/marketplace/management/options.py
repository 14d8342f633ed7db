"""Values of options that several commands take."""

from argparse import ArgumentTypeError

LAST = 65535


def a_port(text: str) -> int:
    """A port to listen on."""
    return _port(text, 1)


def a_port_or_0(text: str) -> int:
    """A port to listen on; 0 is whichever is free."""
    return _port(text, 0)


def a_number(text: str) -> int:
    """So many of something, of which there must be one."""
    if not (text.isdecimal() and int(text) >= 1):
        raise ArgumentTypeError(f"{text} is not a number of at least 1.")
    return int(text)


def _port(text: str, first: int) -> int:
    if not (text.isdecimal() and first <= int(text) <= LAST):
        raise ArgumentTypeError(f"{text} is not a port number from {first} to {LAST}.")
    return int(text)
