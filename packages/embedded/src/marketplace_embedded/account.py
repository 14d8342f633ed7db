"""The user under which PostgreSQL runs: it refuses root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from stat import S_IXOTH

from .exceptions import EmbeddedError


@dataclass(frozen=True)
class Account:
    """A user to become; `search` lets it pass through folders that only root may enter."""

    uid: int
    gid: int
    search: bool


def for_data(data: Path, program: Path) -> Account | None:
    """Whom to become in order to run `program` on the folder `data`: nobody else unless we are root.

    A folder that exists keeps its owner. No folder above it is loosened, whoever may enter it.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    user = _by_id(owner) if owner else _unprivileged()
    return Account(user.pw_uid, user.pw_gid, search=not (_reachable(data) and _reachable(program)))


def _by_id(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        # Only initdb wants a name; a folder that exists has seen it already.
        return pwd.struct_passwd(("", "", uid, uid, "", "", ""))


def _unprivileged() -> pwd.struct_passwd:
    users = {user.pw_name: user for user in pwd.getpwall() if user.pw_uid != 0}
    for name in ("postgres", "nobody", *users):
        if name in users:
            return users[name]
    raise EmbeddedError("PostgreSQL refuses to run as root, and this machine has no other user.")


def _reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & S_IXOTH for parent in path.parents if parent.exists())
