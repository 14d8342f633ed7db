"""What every visit begins with: the stranger's project, checked, and migrated into an empty database."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")
django.setup()
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)

from django.contrib.auth import get_user_model  # noqa: E402


def make_person(name, **fields):
    """A user of the stranger's own kind: his key is an integer."""
    person = get_user_model().objects.create_user(name, f"{name}@example.org", **fields)
    assert isinstance(person.pk, int)
    return person
