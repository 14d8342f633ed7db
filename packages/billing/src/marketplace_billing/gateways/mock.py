"""The mock gateway: a table says what each payment method does."""

from decimal import Decimal

from .protocol import GatewayError, Outcome, Result

# method -> what becomes of the charge, and why not
OUTCOMES: dict[str, tuple[Outcome, str | None]] = {
    "mock_success": (Outcome.SUCCEEDED, None),
    "mock_declined": (Outcome.FAILED, "card_declined"),
    "mock_insufficient_funds": (Outcome.FAILED, "insufficient_funds"),
}


class MockGateway:
    """Answers at once, and the same for the same key: what it says is a function of what it is asked."""

    def charge(self, *, key: str, amount: Decimal, currency: str, method: str) -> Result:
        if method not in OUTCOMES:
            raise GatewayError(f"The mock gateway does not know {method}.")
        outcome, failure = OUTCOMES[method]
        return Result(outcome, f"mock_ch_{key}", failure)

    def refund(self, *, key: str, charge: str, amount: Decimal, currency: str) -> Result:
        return Result(Outcome.SUCCEEDED, f"mock_re_{key}")
