"""What `check` says to a project whose providers have other names."""

import pytest
from django.core.management import call_command

from marketplace_catalog import checks


def test_this_project_lacks_nothing():
    call_command("check")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, [" lacks 'first_name'", " lacks 'last_name'"]),
        ({"first_name": "title", "last_name": "provider__nick"}, ["['last_name']: Cannot resolve keyword 'nick'"]),
        ({"first_name": "title", "last_name": "title", "name": "title"}, ["['name'] is none of first_name, last_name"]),
        ({"first_name": "title", "last_name": "category__name"}, []),
    ],
)
def test_what_is_shown_of_a_provider_must_be_there(settings, fields, told):
    settings.CATALOG = {"PROVIDER_FIELDS": fields}

    found = [problem.msg.removeprefix("CATALOG['PROVIDER_FIELDS']") for problem in checks.check_provider_fields()]

    assert len(found) == len(told), found
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found
