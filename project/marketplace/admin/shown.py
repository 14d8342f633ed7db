"""How moments and money stand on the pages of the support."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marketplace_kit.money import rounded


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below their columns; what is safe HTML in a cell stays so."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = field(default=())


def moment(at: datetime | None) -> str:
    """A moment, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def wall_clock(at: datetime, timezone: str) -> str:
    """A moment as clocks in a zone show it, and in UTC."""
    return f"{at.astimezone(ZoneInfo(timezone)):%A %Y-%m-%d %H:%M} {timezone} ({at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"


def money(amount: Decimal, currency: str) -> str:
    return f"{rounded(amount, currency)} {currency}"
