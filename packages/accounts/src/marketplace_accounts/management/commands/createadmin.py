"""Make an administrator without being asked anything."""

import os
import sys
from argparse import ArgumentParser
from typing import Annotated, Any

from django.core.management.base import CommandError
from pydantic import AfterValidator, Field, ValidationError

from marketplace_accounts.actions import password_faults
from marketplace_accounts.models import User
from marketplace_accounts.schemas import Email, Password
from marketplace_kit.commands import MigratedCommand
from marketplace_kit.schemas import In, clean_line

VARIABLE = "ADMIN_PASSWORD"
Name = Annotated[str, AfterValidator(clean_line), Field(max_length=100)]


class Administrator(In, alias_generator=None):
    """What may be given: what the API takes from who registers, but for names, which need not be given."""

    email: Email
    password: Password
    first_name: Name
    last_name: Name


class Command(MigratedCommand):
    help = f"Make an administrator. The password comes from {VARIABLE}, or with --password-stdin from standard input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--first-name", default="")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--password-stdin", action="store_true", help="read the password's line")

    def handle(self, *, email: str, first_name: str, last_name: str, password_stdin: bool, **_: Any) -> None:
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else os.environ.get(VARIABLE, "")
        admin = self._checked(email=email, password=password, first_name=first_name, last_name=last_name)
        profile = {"first_name": admin.first_name, "last_name": admin.last_name}
        User.objects.create_superuser(admin.email, admin.password, profile=profile)
        self.stdout.write(f"{admin.email} can sign in to the admin.")

    def _checked(self, **given: str) -> Administrator:
        if not given["password"]:
            raise CommandError(f"Set the password in {VARIABLE}, or pass it with --password-stdin.")
        try:
            admin = Administrator.model_validate(given)
        except ValidationError as error:
            raise CommandError(" ".join(_sentence(str(e["loc"][0]), e["msg"]) for e in error.errors())) from None
        if User.objects.with_email(admin.email).exists():
            raise CommandError(f"{admin.email} is already registered.")
        faults = password_faults(admin.password)
        if faults:
            raise CommandError(" ".join(sentence for _, sentence in faults))
        return admin


def _sentence(name: str, fault: str) -> str:
    # Not the value itself: it may be the password, or what no terminal can show.
    return f"{name.replace('_', ' ').capitalize()}: {fault}."
