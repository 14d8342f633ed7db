"""Where the wheels put their programs."""

from importlib import metadata
from pathlib import Path

from .exceptions import EmbeddedError


def find(dist: str, suffix: str) -> Path:
    """The file of the wheel `dist` whose path ends in `suffix`; raises EmbeddedError where there is none.

    Asks the installed wheel, not PATH: another `postgres` or `caddy` of this machine is none of ours.
    """
    try:
        files = metadata.distribution(dist).files or []
    except metadata.PackageNotFoundError:
        raise EmbeddedError(f"The wheel {dist} is not installed: there is no {Path(suffix).name} to start.") from None
    for file in files:
        if file.as_posix().endswith(suffix):
            return Path(str(file.locate())).resolve()
    raise EmbeddedError(f"The wheel {dist} holds no {Path(suffix).name} for this platform.")


def version(dist: str) -> str:
    """The version of an installed wheel."""
    return metadata.version(dist)
