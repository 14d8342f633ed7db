"""`python -m marketplace.probe URL`: whether something answers there, for a container that has no curl."""

import sys
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 4.0  # seconds


def answers(url: str) -> bool:
    """Whether it answers, and well."""
    try:
        with urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310  (whoever calls it names it)
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
