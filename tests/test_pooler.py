"""What each process says when it connects, with a pooler before the database and without."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

PROJECT = Path(__file__).parents[1] / "project"
POOLER = "postgresql://marketplace@pooler:6432/marketplace"
DIRECT = "postgresql://marketplace@database:5432/marketplace"
TOLD = """
import orjson
from django.conf import settings
database = settings.DATABASES["default"]
said = [database["HOST"], database["OPTIONS"].get("options", ""), database["DISABLE_SERVER_SIDE_CURSORS"]]
print(orjson.dumps(said).decode())
"""
PLANS = "-c plan_cache_mode=force_generic_plan"
LOCKS = f"-c lock_timeout=10000 {PLANS}"
ALL = f"-c lock_timeout=10000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000 {PLANS}"


@pytest.mark.parametrize(
    ("process", "direct", "told"),
    [
        ("api", "", ["pooler", ALL, False]),
        ("worker", "", ["pooler", ALL, False]),
        ("", "", ["pooler", LOCKS, False]),
        # A pooler in transaction mode takes no options, and has a cursor's other half on another connection.
        ("api", DIRECT, ["pooler", "", True]),
        ("stream", DIRECT, ["pooler", "", True]),
        # LISTEN, migrations: past it, with the limits as ever.
        ("worker", DIRECT, ["database", ALL, False]),
        ("", DIRECT, ["database", LOCKS, False]),
    ],
)
def test_who_goes_through_the_pooler_and_with_what(process, direct, told):
    env = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    env |= {"DATABASE_URL": POOLER, "DATABASE_DIRECT_URL": direct, "MARKETPLACE_PROCESS": process}
    env |= {"PYTHONPATH": str(PROJECT), "DJANGO_SETTINGS_MODULE": "marketplace.settings"}
    said = subprocess.run([sys.executable, "-c", TOLD], env=env, capture_output=True, check=True).stdout

    assert orjson.loads(said) == told
