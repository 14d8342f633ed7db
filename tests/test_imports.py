"""What serves does not load what it seldom uses: each process would start later, and hold it for ever."""

import subprocess
import sys

import pytest
from tests.test_up import environment

from marketplace.running.servers import NOWHERE

# What is for files, for clients of ours, for other processes, and for development.
ELSEWHERE = {
    *("boto3", "botocore", "s3transfer", "storages", "PIL"),
    *("httpx", "marketplace.demo", "marketplace.seeding.bulk"),
    *("granian", "marketplace_embedded", "moto", "pytest"),
}
LOADED = """
import sys
import django
from importlib import import_module
import_module(sys.argv[1])
from django.conf import settings
from django.urls import get_resolver
get_resolver(getattr(settings, sys.argv[2], "marketplace.stream_urls")).url_patterns
print(*sys.modules)
"""


@pytest.mark.parametrize(
    ("application", "urls", "not_loaded"),
    [
        ("marketplace.wsgi", "ROOT_URLCONF", ELSEWHERE | {"django_eventstream", "uvicorn"}),
        ("marketplace.asgi", "STREAM_URLCONF", ELSEWHERE),
    ],
)
def test_a_process_that_serves_does_not_load(application, urls, not_loaded):
    made = {
        "DEBUG": "1",
        "SECRET_KEY": "s" * 50,
        "JWT_SIGNING_KEY": "j" * 50,
        "MOCK_GATEWAY_WEBHOOK_SECRET": "whsec_cw==",
    }
    done = subprocess.run(
        [sys.executable, "-c", LOADED, application, urls],
        capture_output=True,
        text=True,
        env=environment() | NOWHERE | made,
        cwd="project",
    )

    loaded = set(done.stdout.split())
    assert "marketplace.urls" in loaded or "marketplace.stream_urls" in loaded, done.stderr
    assert loaded & not_loaded == set()
