"""What the mock plays: two tables."""

from dataclasses import dataclass

from ..protocol import Outcome


@dataclass(frozen=True, slots=True)
class Play:
    """What the mock says at once, what becomes of it in the end, and whether it answers the first call."""

    at_once: Outcome
    in_the_end: Outcome
    failure_code: str | None = None
    answers: bool = True


SUCCESS = Play(Outcome.SUCCEEDED, Outcome.SUCCEEDED)
LATER = Play(Outcome.PENDING, Outcome.SUCCEEDED)
SILENCE = Play(Outcome.SUCCEEDED, Outcome.SUCCEEDED, answers=False)

# Charges, by the payment method.
CHARGES: dict[str, Play] = {
    "mock_success": SUCCESS,
    "mock_declined": Play(Outcome.FAILED, Outcome.FAILED, "card_declined"),
    "mock_insufficient_funds": Play(Outcome.FAILED, Outcome.FAILED, "insufficient_funds"),
    "mock_pending": LATER,
    "mock_pending_failure": Play(Outcome.PENDING, Outcome.FAILED, "card_declined"),
    "mock_timeout": SILENCE,
}

# Refunds, by the reason that is given for them; any other one succeeds at once.
REFUNDS: dict[str, Play] = {
    "mock_failure": Play(Outcome.FAILED, Outcome.FAILED, "refund_failed"),
    "mock_pending": LATER,
    "mock_pending_failure": Play(Outcome.PENDING, Outcome.FAILED, "refund_failed"),
    "mock_timeout": SILENCE,
}
