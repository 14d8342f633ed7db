"""Traces: one span for each request or job, and within it one for each SQL statement. Enabled by OpenTelemetry's own
variables; the packages for it are the extra `marketplace[traces]`.

Spans hold routes, request ids, and statements without their parameters, but no paths, queries, headers or bodies.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from procrastinate import JobContext
from procrastinate.middleware import AsyncCallNext, SyncCallNext
from procrastinate.worker import Worker

from .requests import METHODS, route_of

try:
    from opentelemetry import propagate, trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ImportError as error:
    raise ImproperlyConfigured("Tracing is enabled, but marketplace[traces] is not installed.") from error

LONGEST_STATEMENT = 2_000  # characters
tracer = trace.get_tracer("marketplace")


def begin(process: str) -> None:
    """Send what is traced to where OTEL_EXPORTER_OTLP_ENDPOINT says, from a thread, in batches."""
    named = Resource.create({SERVICE_NAME: f"marketplace-{process}"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def trace_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware of the API."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with _request(request) as span, connection.execute_wrapper(_statement):
            response = get_response(request)
            _describe(span, request, response)
        return response

    return middleware


def trace_openings(
    respond: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Middleware of the stream: its opening, as it goes on for as long as somebody listens."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        with _request(request) as span:
            response = await respond(request)
            _describe(span, request, response)
        return response

    return middleware


async def trace_job(call_next: AsyncCallNext, context: JobContext, worker: Worker) -> Any:
    """The worker's middleware."""
    with tracer.start_as_current_span(context.job.task_name, kind=trace.SpanKind.CONSUMER) as span:
        span.set_attributes(
            {"messaging.destination.name": context.job.queue, "messaging.message.id": str(context.job.id)}
        )
        return await call_next()


def trace_statements(call_next: SyncCallNext, context: JobContext, worker: Worker) -> Any:
    """The middleware of the worker's tasks, in their threads."""
    with connection.execute_wrapper(_statement):
        return call_next()


@contextmanager
def _request(request: HttpRequest) -> Iterator[trace.Span]:
    came_from = propagate.extract(request.headers)
    with tracer.start_as_current_span("request", came_from, kind=trace.SpanKind.SERVER) as span:
        yield span


def _describe(span: trace.Span, request: HttpRequest, response: HttpResponseBase) -> None:
    method = request.method if request.method in METHODS else "other"
    route = route_of(request)
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method or "",
            "http.route": route,
            "http.response.status_code": response.status_code,
            "marketplace.request_id": getattr(request, "id", ""),
        }
    )
    if response.status_code >= 500:
        span.set_status(trace.StatusCode.ERROR)


def _statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    verb = sql.lstrip().partition(" ")[0].upper()[:20]
    with tracer.start_as_current_span(verb, kind=trace.SpanKind.CLIENT) as span:
        span.set_attributes({"db.system.name": "postgresql", "db.query.text": sql[:LONGEST_STATEMENT]})
        return execute(sql, params, many, context)
