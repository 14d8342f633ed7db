"""Make an administrator without being asked anything."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from marketplace_accounts.actions import password_faults
from marketplace_accounts.models import User

VARIABLE = "ADMIN_PASSWORD"


class Command(BaseCommand):
    help = f"Make an administrator. The password comes from {VARIABLE}, or with --password-stdin from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--first-name", default="")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--password-stdin", action="store_true", help="read the password's line")

    def handle(self, *, email: str, first_name: str, last_name: str, password_stdin: bool, **_: Any) -> None:
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else os.environ.get(VARIABLE, "")
        self._check(email, password)
        profile = {"first_name": first_name, "last_name": last_name}
        User.objects.create_superuser(email, password, profile=profile)
        self.stdout.write(f"{email} can sign in to the admin.")

    def _check(self, email: str, password: str) -> None:
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email} is not an e-mail address.") from error
        if not password:
            raise CommandError(f"Give the password in {VARIABLE}, or with --password-stdin.")
        if User.objects.with_email(email).exists():
            raise CommandError(f"{email} is taken.")
        faults = password_faults(password)
        if faults:
            raise CommandError(" ".join(sentence for _, sentence in faults))
