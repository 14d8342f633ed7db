"""The deployable project's settings, with values where a deployment has secrets."""

import os

for name, value in {
    "SECRET_KEY": "only for tests, and long enough for what is signed with it",
    "JWT_SIGNING_KEY": "another one, only for tests, and long enough as well",
    "MOCK_GATEWAY_WEBHOOK_SECRET": "whsec_b25seSBmb3IgdGVzdHMsIG9ubHkgZm9yIHRlc3Rz",
    # mypy and `makemigrations --check` read settings without a server
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "CACHE_URL": "redis://127.0.0.1:1/0",
    "S3_ENDPOINT_URL": "http://127.0.0.1:1",
    "S3_ACCESS_KEY_ID": "nobody",
    "S3_SECRET_ACCESS_KEY": "nothing",
    "LOG_LEVEL": "WARNING",
    # Tests of the limits turn them on.
    "RATELIMIT_ENABLE": "0",
}.items():
    os.environ.setdefault(name, value)

from marketplace.settings import *  # noqa: E402, F403
