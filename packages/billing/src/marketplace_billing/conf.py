"""The knobs of billing, in Django's settings as `BILLING = {...}`."""

from decimal import Decimal

from marketplace_kit.settings import PackageSettings


class Settings(PackageSettings, name="BILLING"):
    GATEWAY: str = "marketplace_billing.gateways.mock.MockGateway"  # dotted path of a class with the Gateway protocol
    FEE_PERCENT: Decimal = Decimal(10)  # what the platform keeps of each payment, frozen on it
    GATEWAY_TIMEOUT: float = 10.0  # seconds that the gateway may take to answer


conf = Settings()
