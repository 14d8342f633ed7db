from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser

from marketplace.management.turns import one_at_a_time
from marketplace.seeding import PASSWORD, seed_demo
from marketplace.seeding.bulk import seed
from marketplace.seeding.plan import Plan, PlanRefused
from marketplace.seeding.progress import shown
from marketplace_kit.clock import now
from marketplace_kit.commands import MigratedCommand

SIZES = ("services", "providers", "customers", "bookings")


def a_size(text: str) -> int:
    """`100000`, `100_000` or `100,000`."""
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdigit():
        raise ArgumentTypeError(f"{text} is not a number of rows.")
    return int(digits)


class Command(MigratedCommand):
    help = (
        "Put the demo data in place; with a size, realistic data of that size beside what is there. "
        "The same numbers and seed make the same rows, once: a run that was broken off goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        for size in SIZES:
            parser.add_argument(f"--{size}", type=a_size, metavar="N", help=f"so many {size}")
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="other rows for another number (1)")
        parser.add_argument(
            "--today",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="the day that all times are relative to (today)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sizes = {name: options[name] for name in SIZES}
        if all(size is None for size in sizes.values()):
            with one_at_a_time("seed"):
                seed_demo()
            self.stdout.write("The demo data is in place.")
            return
        try:
            plan = Plan.of(**sizes, seed=options["seed"], today=options["today"] or now().date())
        except PlanRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        with one_at_a_time("seed"), shown(self.stdout) as show:
            seed(plan, PASSWORD, show)
        self.stdout.write(f"In place. All of them sign in with the password {PASSWORD}, as …@{plan.tag}.example.com.")
