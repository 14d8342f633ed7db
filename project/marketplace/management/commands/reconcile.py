import sys
from collections.abc import Iterable
from typing import Any

from marketplace_billing import reconciliation
from marketplace_kit.commands import MigratedCommand

COLUMNS = ("currency", "paid", "refunded", "ledger", "gateway")
SHOWN = 100  # differences


class Command(MigratedCommand):
    help = (
        "Prove that ledger = payments - refunds = gateway: print the sums of each currency, and every difference. "
        "Exit status 1 where there is one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        found = reconciliation.report()
        self._line(COLUMNS)
        for line in found.totals:
            self._line(getattr(line, name) for name in COLUMNS)
        if found.unsettled:
            self.stdout.write(f"Not settled yet: {found.unsettled}.")
        for difference in found.differences[:SHOWN]:
            self.stderr.write(difference)
        if found.differences:
            self.stderr.write(f"Differences: {len(found.differences)}.")
            sys.exit(1)
        self.stdout.write("Ledger = payments - refunds = gateway.")

    def _line(self, values: Iterable[object]) -> None:
        self.stdout.write("".join(f"{value!s:>18}" for value in values))
