"""Compiled modules are kept somewhere: without them each process of ours compiles 2,000 modules, for seconds."""

import os
import sys
from importlib.util import cache_from_source, find_spec
from pathlib import Path

PREFIX, FORBIDDEN = "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"


def is_lost() -> bool:
    """Whether what is compiled can't be kept beside its source: not allowed, or not wanted there."""
    spec = find_spec("django")
    if spec is None or spec.origin is None or PREFIX in os.environ:
        return False
    kept = Path(cache_from_source(spec.origin)).exists()
    return not kept and (sys.dont_write_bytecode or not os.access(Path(spec.origin).parent, os.W_OK))


def keep_in(folder: Path) -> None:
    """Keep it in `folder` from now on, in this process and in those that inherit its environment."""
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(folder)
    os.environ.pop(FORBIDDEN, None)
    os.environ[PREFIX] = str(folder)
