"""Jobs of the system itself."""

import structlog
from procrastinate import JobContext
from procrastinate.contrib.django import app

log = structlog.get_logger(__name__)


@app.periodic(cron="* * * * *")
@app.task(name="marketplace.retry_stalled_jobs", queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Give back the jobs whose worker died: procrastinate leaves them `doing` for ever."""
    # The worker's own manager: its connector is open, and not Django's.
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs():
        log.warning("job_stalled", job=job.id, task=job.task_name)
        await manager.retry_job(job)
