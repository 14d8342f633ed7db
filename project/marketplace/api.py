"""The one API: which package answers below which path."""

from pathlib import Path

from marketplace_billing.exceptions import OpenPayments
from marketplace_booking.exceptions import OpenBookings
from marketplace_kit.api import Api

from . import guide
from .auth import AccessToken
from .health import router as health

DESCRIPTION = """
Find services, book them, pay, and get notified of what happens.

Register or sign in under **Auth**, then send the `access` token as `Authorization: Bearer …`. Errors are
problem documents, `application/problem+json` (RFC 9457), with a stable `code`. Lists are paginated: follow
`nextCursor`. Times are in UTC, and amounts of money are exact JSON numbers next to their `currency`.
"""

api = Api(
    title="marketplace",
    version="1.0.0",
    description=DESCRIPTION,
    auth=AccessToken(),
    urls_namespace="api",
    servers=guide.SERVERS,
    openapi_extra=guide.EXTRA,
    examples=Path(__file__).with_name("examples.json"),
    also_refused={"eraseMe": (OpenBookings, OpenPayments)},  # by the wiring
)
api.add_router("/v1/auth", "marketplace_accounts.auth_api.router")
api.add_router("/v1/users", "marketplace_accounts.api.router")
api.add_router("/v1/services", "marketplace_catalog.api.router")
api.add_router("/v1/bookings", "marketplace_booking.api.router")
api.add_router("/v1/payments", "marketplace_billing.api.router")
# Reviews lie at what they are about: its paths are whole, `/services/{id}/reviews` and the like.
api.add_router("/v1", "marketplace_reviews.api.router")
api.add_router("/v1/notifications", "marketplace_notifications.api.router")
api.add_router("/health", health)
