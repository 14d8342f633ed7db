"""Keys of rows."""

import uuid

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> uuid.UUID:
    """A new time-ordered UUID (RFC 9562, version 7): rows made one after the other lie together in an index."""
    return _uuid7()
