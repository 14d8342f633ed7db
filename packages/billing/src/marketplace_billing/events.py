"""What the gateway tells by itself."""

from collections.abc import Callable
from uuid import UUID

from marketplace_kit.transactions import action

from .actions import record_charge, record_refund
from .gateways.protocol import Event, Kind, Result, gateway
from .models import GatewayEvent, Payment, Refund


@action
def receive_event(event_id: str, event: Event) -> bool:
    """Write down what the gateway tells; False where this event has counted already, or is about nothing of ours.

    The event's id is stored with its effect: both are there, or neither is.
    """
    values = {"kind": event.kind, "key": event.key, "outcome": event.result.outcome}
    _, is_new = GatewayEvent.objects.get_or_create(gateway=gateway().name, event_id=event_id, defaults=values)
    rows, record = RECORDS[event.kind]
    key = _as_uuid(event.key)
    if not is_new or key is None or not rows.objects.filter(pk=key).exists():
        return False
    record(key, event.result)
    return True


RECORDS: dict[Kind, tuple[type[Payment] | type[Refund], Callable[[UUID, Result], Payment | Refund]]] = {
    Kind.CHARGE: (Payment, record_charge),
    Kind.REFUND: (Refund, record_refund),
}


def _as_uuid(key: str) -> UUID | None:
    """Its own spelling only: under another one the gateway's books have nothing."""
    try:
        found = UUID(key)
    except ValueError:
        return None
    return found if str(found) == key else None
