"""The worker's jobs in lanes: what waits for strangers has slots of its own, and holds up nothing else."""

import asyncio
import signal
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django.utils import connector_params

# The queues whose jobs wait, for seconds, for whatever a user names, or for a mail server.
WEBHOOKS, MAIL = "webhooks", "mail"
LOOK_EVERY = 1.0  # seconds, for jobs whose time has come; of those that are due at once the database tells


def connector() -> PsycopgConnector:
    """How the worker asks for its jobs: PostgreSQL takes them in the order of their index, and sorts none.

    Where it has seen an empty queue last, or one that was being filled, it would first compare each that waits with
    each, for every job that it gives out, until the table is analysed again.
    """
    params = connector_params()
    params["options"] = f"{params.get('options', '')} -c enable_sort=off"
    return PsycopgConnector(kwargs=params)


async def work(worker_app: App, lanes: Mapping[str, int], **options: Any) -> None:
    """Run these lanes, with so many jobs at once in each, until we are told to stop or one of them ends.

    A lane is called by its queue; `""` is that of all the others.
    """
    named = {name for name in lanes if name}
    others = {task.queue for task in worker_app.tasks.values()} - named
    loop = asyncio.get_running_loop()
    # Python's own size goes by the cores: the lanes would wait for each other's threads.
    loop.set_default_executor(ThreadPoolExecutor(sum(lanes.values()) + 2))
    async with worker_app.open_async():
        running = [
            asyncio.create_task(
                worker_app.run_worker_async(
                    queues=[name] if name else sorted(others),
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    fetch_job_polling_interval=LOOK_EVERY,
                    **options,
                )
            )
            for name, concurrency in lanes.items()
        ]
        _stop_all_by_signal(loop, running)
        await _until_one_ends(running)


def _stop_all_by_signal(loop: asyncio.AbstractEventLoop, running: list[asyncio.Task[None]]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, running)


def _stop(running: Iterable[asyncio.Task[None]]) -> None:
    for task in running:
        # Which lets its jobs come to their end; a second time would not.
        if not task.cancelling():
            task.cancel()


async def _until_one_ends(running: list[asyncio.Task[None]]) -> None:
    done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    _stop(left)
    await asyncio.gather(*left, return_exceptions=True)
    for task in done:
        if not task.cancelled():
            task.result()
