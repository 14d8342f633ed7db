"""Clients that others' generators make of the document: they compile, and the journey goes through them."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from marketplace.running.system import System
from marketplace.seeding import CUSTOMER
from marketplace.seeding import PASSWORD as SEEDED
from marketplace.wsgi import application
from marketplace_accounts.testing import PASSWORD, make_provider, make_user
from marketplace_catalog.testing import make_service

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "openapi.json"
JOURNEY = HERE / "clients" / "journey.py"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python_client(tmp_path_factory):
    """The folder that the generated package lies in."""
    folder = tmp_path_factory.mktemp("client")
    config = folder / "config.json"
    config.write_text('{"post_hooks": []}')
    told = ("--path", DOCUMENT, "--config", config, "--meta", "none", "--output-path", folder / "marketplace_client")
    said = run(sys.executable, "-m", "openapi_python_client", "generate", *told, "--fail-on-warning")
    assert "Unable to parse" not in said
    return folder


def test_the_python_client_type_checks(python_client):
    environment = os.environ | {"MYPYPATH": str(python_client), "DJANGO_SETTINGS_MODULE": ""}
    options = ("--strict", "--config-file=", "--follow-imports=silent", "--cache-dir", python_client / "cache")
    run(sys.executable, "-m", "mypy", *options, JOURNEY, env=environment, cwd=python_client)


@pytest.fixture
def connection_kept():
    """A request would close the connection, and the test's transaction with it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
def test_the_journey_goes_through_the_python_client(python_client, monkeypatch, connection_kept):
    make_service(make_provider(), price=Decimal(50))
    customer = make_user(password=PASSWORD)
    monkeypatch.syspath_prepend(python_client)
    monkeypatch.syspath_prepend(JOURNEY.parent)
    journey = importlib.import_module("journey")

    payment = journey.play("http://testserver", httpx.WSGITransport(application), customer.email, PASSWORD)

    assert payment.amount == 50


# --- TypeScript, with the tools of npm ---


@pytest.fixture(scope="module")
def typescript(tmp_path_factory):
    """The folder that the journey is compiled in."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "tsconfig.json", "journey.ts"):
        shutil.copy(HERE / "clients" / name, folder)
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    run("npx", "openapi-typescript", DOCUMENT, "-o", "api.d.ts", cwd=folder)
    return folder


@pytest.mark.external
def test_spectral_has_nothing_to_say(typescript):
    rules = typescript / "rules.yaml"
    rules.write_text("extends: ['spectral:oas']\n")
    run("npx", "spectral", "lint", "--fail-severity=hint", "--ruleset", rules, DOCUMENT, cwd=typescript)


@pytest.mark.external
def test_the_journey_goes_through_the_typescript_client(typescript):
    """Compiled by `tsc --strict`, and run against a system of its own."""
    run("npx", "tsc", "--project", ".", cwd=typescript)
    with System() as system:
        paid = json.loads(run("node", "journey.js", system.url, CUSTOMER, SEEDED, cwd=typescript))

    assert paid["status"] == "succeeded"
