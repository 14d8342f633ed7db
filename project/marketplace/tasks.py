"""Jobs of the system itself."""

import structlog
from procrastinate import JobContext
from procrastinate.contrib.django import app

log = structlog.get_logger(__name__)

KEPT = 3 * 24  # hours for which jobs that succeeded are kept, for whoever looks into what happened
FAILED_KEPT = 30 * 24  # those that did not


@app.periodic(cron="* * * * *")
@app.task(name="marketplace.retry_stalled_jobs", queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Give back the jobs whose worker died: procrastinate leaves them `doing` for ever."""
    # The worker's own manager: its connector is open, and not Django's.
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs():
        log.warning("job_stalled", job=job.id, task=job.task_name)
        await manager.retry_job(job)


@app.periodic(cron="41 * * * *")
@app.task(name="marketplace.forget_jobs", queueing_lock="forget_jobs", pass_context=True)
async def forget_jobs(context: JobContext, timestamp: int) -> None:
    """Delete the jobs that are long over: nobody else does, and the worker looks for its next one among them."""
    manager = context.app.job_manager
    await manager.delete_old_jobs(KEPT)
    await manager.delete_old_jobs(FAILED_KEPT, include_failed=True, include_cancelled=True, include_aborted=True)
