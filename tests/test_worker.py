"""The worker's jobs: what one of them defers is part of what it does, as in a request."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture(autouse=True)
def _no_other_jobs(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


def work(task):
    """Have a worker of its own process do the task and all that follows from it; the ends of what followed."""
    app.configure_task(task).defer()
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    subprocess.run(
        [sys.executable, "-m", "tests.working"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(("project", "."))},
        check=True,
        timeout=60,
    )
    assert [*ProcrastinateJob.objects.filter(task_name=task).values_list("status", flat=True)] == ["succeeded"]
    return [*ProcrastinateJob.objects.filter(task_name="tests.follow_up").values_list("status", flat=True)]


def test_a_job_that_is_rolled_back_defers_nothing():
    assert work("tests.undone") == []


def test_control_a_job_that_commits_defers():
    assert work("tests.done") == ["succeeded"]
