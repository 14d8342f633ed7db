"""The knobs of billing, in Django's settings as `BILLING = {...}`."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from marketplace_kit.settings import PackageSettings


def everybody(user: Any) -> bool:
    """The default of IS_PROVIDER: whoever is signed in may be paid."""
    return True


class Settings(PackageSettings, name="BILLING"):
    # Dotted path of a class with the Gateway protocol.
    GATEWAY: str = "marketplace_billing.gateways.mock.gateway.MockGateway"
    FEE_PERCENT: Decimal = Decimal(10)  # what the platform keeps of each payment, frozen on it
    GATEWAY_TIMEOUT: float = 10.0  # seconds that the gateway may take to answer
    CHARGE_WITHIN: float = 86_400.0  # seconds after which a charge that never reached the gateway is given up
    # Who has a balance and is paid out: a dotted path to, or itself, a function of the user.
    IS_PROVIDER: str | Callable[[Any], bool] = everybody
    MOCK_WEBHOOK_SECRET: str = ""  # what the mock signs with: `whsec_` and base64; without it no webhook is let in
    MOCK_WEBHOOK_URL: str = ""  # where the mock posts its webhooks; without it, it tells us directly


conf = Settings()
