"""The project's settings for a system that looks each second which sessions are over."""

from marketplace.settings import *  # noqa: F403
from marketplace.settings import NOTIFICATIONS as USUAL

NOTIFICATIONS = USUAL | {"SESSION_CHECK_SECONDS": 1}
