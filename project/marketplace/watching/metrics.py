"""What is counted. docs/monitoring/ has the alerts and the dashboard that are made of it.

Each process counts in a file of its own, in a folder that all processes of a machine share: so whichever of them is
asked answers for all of them, and what died is not forgotten.
"""

import os
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import Counter, Gauge, Histogram


def prepare(folder: Path) -> None:
    """Make the folder, for us alone, without what an earlier process of our number left as being the case now."""
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"METRICS_FOLDER {folder} cannot be made: {error.strerror}.") from error
    if folder.stat().st_uid != os.geteuid():
        raise ImproperlyConfigured(f"METRICS_FOLDER {folder} belongs to another user.")
    for left in folder.glob(f"gauge_live*_{os.getpid()}.db"):
        left.unlink(missing_ok=True)


prepare(Path(settings.METRICS_FOLDER))
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
PATIENT = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300)

PROCESSES = Gauge(
    "marketplace_processes", "Processes that live: api, stream, worker.", ["process"], multiprocess_mode="livesum"
)
REQUESTS = Counter("marketplace_http_requests", "Requests that were answered.", ["method", "route", "status"])
LATENCY = Histogram(
    "marketplace_http_request_seconds",
    "Until the answer was made; of the stream, until it was opened.",
    ["method", "route"],
    buckets=QUICK,
)
REFUSALS = Counter("marketplace_refusals", "Problem documents that were answered, by their code.", ["code"])
SUBSCRIBERS = Gauge("marketplace_stream_subscribers", "Streams that are open.", multiprocess_mode="livesum")
JOBS_DONE = Counter("marketplace_jobs_done", "Runs of jobs: succeeded or failed.", ["task", "outcome"])
JOB_TIME = Histogram("marketplace_job_seconds", "How long a run of a job took.", ["task"], buckets=PATIENT)
BOOKINGS = Counter("marketplace_bookings", "What happened to bookings.", ["event"])
PAYMENTS = Counter("marketplace_payments", "Payments, by what became of them.", ["outcome"])
REFUNDS = Counter("marketplace_refunds", "Refunds, by what became of them.", ["outcome"])
PAYOUTS = Counter("marketplace_payouts", "Payouts to providers.")
