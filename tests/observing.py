"""Those who watch a system from outside, and whom it talks to: Prometheus, a collector of traces, a gateway."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from marketplace.running.system import System

MONITORING = Path(__file__).parent.parent / "docs" / "monitoring"


def promtool(*arguments: str | Path, text: str = "") -> str:
    """What Prometheus's tool says if it is not content, given `text` to read."""
    program = shutil.which("promtool")
    assert program, "promtool is not installed: apt-get install prometheus"
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=MONITORING)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def metrics_url(system: System) -> str:
    return f"http://127.0.0.1:{system.servers['METRICS_PORT']}/metrics"


def told(system: System) -> str:
    """All that is told, in a second try if need be: a process that ends hangs up on who asks it just then."""
    with suppress(httpx.TransportError):
        return httpx.get(metrics_url(system), timeout=20).text
    return httpx.get(metrics_url(system), timeout=20).text


def samples(system: System, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
    """The samples of that name whose labels are, or include, these."""
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(told(system))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def running(system: System, name: str) -> list[psutil.Process]:
    """The processes of one kind, oldest first: api, stream, worker."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = process.cmdline()
            if ["marketplace.cli", name] == line[3:5] and str(system.data_dir) in process.environ().values():
                found.append((process.create_time(), process))
    return [process for _, process in sorted(found, key=lambda one: one[0])]


def ended(process: psutil.Process) -> bool:
    """Whether it is over, though nobody may have taken notice yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@dataclass
class Stranger:
    """Takes what is posted to it, and answers when it may."""

    status: int = 204
    bodies: list[bytes] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @contextmanager
    def listening(self) -> Iterator["Stranger"]:
        stranger = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                stranger.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                stranger.may_answer.wait(60)
                self.send_response(stranger.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.may_answer.set()
            server.shutdown()
            server.server_close()


def spans_of(collector: Stranger) -> dict[str, list[Span]]:
    """What was traced, by the service that did."""
    found: dict[str, list[Span]] = {}
    for body in list(collector.bodies):
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            found.setdefault(service, []).extend(span for scope in resource.scope_spans for span in scope.spans)
    return found


def attributes(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
