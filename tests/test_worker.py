"""The worker's jobs: what one of them defers is part of what it does, as in a request; and none waits for strangers."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from marketplace.running import lanes
from marketplace_embedded.process import until

PATIENCE = 60.0  # seconds
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture(autouse=True)
def _no_other_jobs(transactional_db):
    """Nor ours for others, who don't know these tasks."""
    forget_jobs()
    yield
    forget_jobs()


def forget_jobs():
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE procrastinate_jobs CASCADE")


def work(task, **arguments):
    """Have a worker of its own process do the task and all that follows from it; the ends of what followed."""
    app.configure_task(task).defer(**arguments)
    with worker() as process:
        assert process.wait(60) == 0
    assert set(ends(task)) == {"succeeded"}  # a periodic one may have been due as well
    return ends("tests.follow_up")


def worker(*arguments):
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.working", *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(("project", "."))},
    )


def ends(task):
    return [*ProcrastinateJob.objects.filter(task_name=task).values_list("status", flat=True)]


def test_a_job_that_is_rolled_back_defers_nothing():
    assert work("tests.undone") == []


def test_control_a_job_that_commits_defers():
    assert work("tests.done") == ["succeeded"]


def test_jobs_that_are_long_over_are_deleted():
    work("tests.done")
    with connection.cursor() as cursor:
        follow_up = "(SELECT id FROM procrastinate_jobs WHERE task_name = 'tests.follow_up')"
        cursor.execute(f"UPDATE procrastinate_events SET at = at - interval '4 days' WHERE job_id = {follow_up}")

    assert work("marketplace.forget_jobs", timestamp=0) == []
    assert ends("tests.done") == ["succeeded"]


@pytest.mark.parametrize("queue", [lanes.WEBHOOKS, lanes.MAIL])
def test_what_hangs_holds_up_nothing_else(tmp_path, queue):
    flag = tmp_path / "over"
    for _ in range(12):
        app.configure_task("tests.hang", queue=queue).defer()
    with worker(flag) as process:
        try:
            assert until(lambda: ends("tests.hang").count("doing") == 4, PATIENCE)
            for _ in range(12):
                app.configure_task("tests.done").defer()
            assert until(lambda: ends("tests.follow_up") == ["succeeded"] * 12, PATIENCE)
            assert ends("tests.hang").count("doing") == 4
            # What is under way may finish.
            process.send_signal(signal.SIGTERM)
            flag.touch()
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert "doing" not in ends("tests.hang")


# --- a long queue ---

WAITING = 300
FETCH = "SELECT id FROM procrastinate_fetch_job_v2('{default}', NULL)"
FILL = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name)"
    f" SELECT 'default', 'tests.done' FROM generate_series(1, {WAITING})"
)
READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'procrastinate_jobs'"


@pytest.fixture
def queue():
    """A connection by which the worker asks for jobs, of a queue that is new, and analysed by nobody else."""
    told("TRUNCATE procrastinate_jobs CASCADE")
    told("ALTER TABLE procrastinate_jobs SET (autovacuum_enabled = false)")
    connector = lanes.connector().get_sync_connector()
    connector.open()
    with connector.pool.connection() as opened:
        yield opened
    connector.close()
    told("ALTER TABLE procrastinate_jobs RESET (autovacuum_enabled)")


def test_a_queue_that_was_empty_for_long_is_not_compared_with_itself(queue):
    told("VACUUM ANALYZE procrastinate_jobs")
    for _ in range(10):
        assert queue.execute(FETCH).fetchone() == (None,)
    queue.execute(FILL)
    queue.commit()

    assert 0 < rows_read_for_one_job(queue) < 10 * WAITING


def test_a_queue_that_was_analysed_while_it_was_filled_is_not_compared_with_itself(queue):
    queue.execute(FILL)
    told("ANALYZE procrastinate_jobs")  # as autovacuum does by itself
    queue.commit()

    assert 0 < rows_read_for_one_job(queue) < 10 * WAITING


def test_control_a_plan_that_compares_each_with_each_is_seen(queue):
    """Which plan PostgreSQL makes of its own accord depends on what it has seen before: here it has no other."""
    queue.execute("SET enable_sort = on")
    for way in ("indexscan", "indexonlyscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize"):
        queue.execute(f"SET enable_{way} = off")
    queue.execute(FILL)
    queue.commit()

    assert rows_read_for_one_job(queue) > WAITING * WAITING / 2


def told(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def rows_read_for_one_job(queue):
    assert queue.execute(FETCH).fetchone() != (None,)
    return queue.execute(READ).fetchone()[0]
