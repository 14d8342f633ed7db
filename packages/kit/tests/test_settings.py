"""A package's settings: typed, read lazily, and held against what they may be by Django's `check`."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from marketplace_kit.conf import conf
from marketplace_kit.settings import PackageSettings


class Knobs(PackageSettings, name="KNOBS"):
    FEE: Decimal = Decimal(10)
    HOOK: str = "marketplace_kit.money.unit"


def test_settings_are_read_lazily_and_checked(settings):
    knobs = Knobs()

    assert (knobs.FEE, knobs.call("HOOK", "JPY")) == (10, 1)
    settings.KNOBS = {"FEE": Decimal(5), "HOOK": str.upper}
    assert (knobs.FEE, knobs.call("HOOK", "x")) == (5, "X")
    settings.KNOBS = {"FEE": "5", "TYPO": 1}
    assert [p.id for p in knobs.problems()] == ["marketplace_kit.E001", "marketplace_kit.E002"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, []),
        ({"TRUSTED_PROXIES": ["10.0.0.1", "10.0.0.0/8", "::1"], "RATE_LIMITS": {"read": {"user": "5/m"}}}, []),
        ({"MAX_JSON_BYTES": "5"}, ["KIT['MAX_JSON_BYTES']: Input should be a valid integer."]),
        ({"TRUSTED_PROXIES": "10.0.0.1"}, ["KIT['TRUSTED_PROXIES']: Input should be a valid list."]),
        ({"TRUSTED_PROXIES": ["::1", "us"]}, ["KIT['TRUSTED_PROXIES'][1]: 'us' does not appear to be an"]),
        ({"RATE_LIMITS": "x"}, ["KIT['RATE_LIMITS']: Input should be a valid dictionary."]),
        ({"RATE_LIMITS": {"write": "5/m"}}, ["KIT['RATE_LIMITS']['write']: Input should be a valid dictionary."]),
        (
            {"RATE_LIMITS": {"write": {"user": "often"}}},
            ["KIT['RATE_LIMITS']['write']['user']: 'often' is"],
        ),
    ],
)
def test_whatever_is_wrong_with_a_setting_is_told_with_its_place(settings, given, told):
    settings.KIT = given

    found = [problem.msg for problem in conf.problems()]

    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found


class Hooked(PackageSettings, name="HOOKED"):
    HOOK: str | Callable[[int], str] = str


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (str, []),
        ("marketplace_kit.money.unit", []),
        (5, ["HOOKED['HOOK']: It is neither a function nor the dotted path of one."]),
        ("marketplace_kit.money.unitless", ["HOOKED['HOOK']: Module \"marketplace_kit.money\" does not define a"]),
        ("nothing", ["HOOKED['HOOK']: nothing doesn't look like a module path."]),
    ],
)
def test_a_function_is_named_by_a_path_that_leads_somewhere(settings, hook, told):
    settings.HOOKED = {"HOOK": hook}

    found = [problem.msg for problem in Hooked().problems()]

    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found


def test_settings_of_django_under_which_nothing_holds_are_refused(settings, monkeypatch):
    from marketplace_kit.apps import _check_django

    assert _check_django() == []
    settings.USE_TZ = False
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    assert [problem.id for problem in _check_django()] == ["marketplace_kit.E003", "marketplace_kit.E004"]


def test_the_check_looks_at_every_package(settings):
    from marketplace_kit.apps import _check_settings

    settings.KIT = {"TYPO": 1}
    assert "KIT['TYPO'] is not a setting." in [p.msg for p in _check_settings()]
