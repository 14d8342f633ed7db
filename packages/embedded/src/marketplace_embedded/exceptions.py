"""What can go wrong, in one sentence that a person can act on."""


class EmbeddedError(Exception):
    """A server could not be started or found; the message is one clear sentence."""
