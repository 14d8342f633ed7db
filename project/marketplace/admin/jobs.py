"""The worker's jobs: procrastinate's pages, that hold for many jobs, and act only for whoever has the right to."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.jobs import Status

from marketplace_kit import audit
from marketplace_kit.admin_pages import CappedPaginator, one_of

from .replacing import in_place_of_the_package


def _queues() -> list[str]:
    return sorted({task.queue for task in app.tasks.values()})


@in_place_of_the_package(ProcrastinateJob)
class JobPages(ProcrastinateJobAdmin):
    list_filter = [
        one_of("status", lambda: [status.value for status in Status]),
        one_of("queue_name", _queues),
        one_of("task_name", lambda: sorted(app.tasks)),
    ]
    search_fields = ("id__exact",)
    search_help_text = "The number of a job."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = CappedPaginator
    list_per_page = 50
    ordering = ("-id",)
    sortable_by = ()
    actions = ["try_again", "call_off"]

    @admin.action(description="Try the selected failed jobs again", permissions=["operate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[ProcrastinateJob]) -> None:
        self._told(request, "jobs_retried", queryset)
        self.retry(request, queryset)

    @admin.action(description="Call off the selected jobs that wait", permissions=["operate"])
    def call_off(self, request: HttpRequest, queryset: QuerySet[ProcrastinateJob]) -> None:
        self._told(request, "jobs_cancelled", queryset)
        self.cancel(request, queryset)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Nobody changes a job by hand: the right to change one is that to have it run, or not."""
        return request.user.has_perm("procrastinate.change_procrastinatejob")

    def _told(self, request: HttpRequest, action: str, jobs: QuerySet[Any]) -> None:
        audit.record(action, by_user_id=str(request.user.pk), job_ids=list(jobs.values_list("pk", flat=True)))
