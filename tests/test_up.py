"""`marketplace up` and the command, for real: processes, signals, ports and data dirs."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import boto3
import httpx
import psutil
import psycopg
import pytest

from marketplace.running.datadir import CannotStartError
from marketplace.running.system import System, environment
from marketplace_embedded.account import Account
from marketplace_embedded.process import until

NOBODY = Account(65534, 65534, search=True)
PATIENCE = 60.0  # seconds
# A command that would start servers of its own is told of some that it never asks.
ELSEWHERE = "from marketplace.running import servers, datadir; servers.placeholders(datadir.DataDir('nowhere'))"


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Whatever runs in or on the data dir: by its folder, its command line, or the mark in its environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            traces = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(data_dir) in trace for trace in traces):
                found.append(process)
    return found


def named(data_dir: Path, *words: str) -> list[psutil.Process]:
    """The processes whose command line has these words, oldest first."""
    found = [one for one in processes_of(data_dir) if all(word in " ".join(one.cmdline()) for word in words)]
    return sorted(found, key=psutil.Process.create_time)


def children(process: psutil.Process, name: str) -> list[psutil.Process]:
    """Its own children of that name."""
    found = []
    for child in process.children():
        with suppress(psutil.NoSuchProcess):
            if child.name().startswith(name):
                found.append(child)
    return found


def is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/health/live", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def query(system: System, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(system.servers["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def storage(system: System, endpoint: str = "S3_ENDPOINT_URL"):
    servers = system.servers
    return boto3.client(
        "s3",
        endpoint_url=servers[endpoint],
        aws_access_key_id=servers["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=servers["S3_SECRET_ACCESS_KEY"],
        region_name=servers["S3_REGION"],
    )


def command(*arguments: str, cwd: Path, prelude: str = "pass") -> subprocess.CompletedProcess[str]:
    """Run `marketplace`, which finds its servers by itself."""
    code = f"import sys; {prelude}; from marketplace.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=cwd,
        timeout=120,
    )


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Systems that are stopped whatever happens. Without demo data unless asked for, as it takes a while."""
    made: list[System] = []

    def factory(name: str = "data", **options: object) -> System:
        made.append(System(tmp_path / name, **{"demo_data": False, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield factory
    for system in made:
        system.close()


APP, OTHER = "https://app.example.com", "https://other.example.com"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for the tests that leave it as they found it."""
    with System(tmp_path_factory.mktemp("shared") / "data", env={"CORS_ALLOWED_ORIGINS": f"{APP}, {OTHER}"}) as system:
        yield system


# --- what it serves ---


def test_it_serves_api_docs_admin_stream_and_files_on_one_port(shared: System) -> None:
    with httpx.Client(base_url=shared.url, timeout=20) as client:
        assert client.get("/api/health/ready").json()["status"] == "ok"
        assert client.get("/api/v1/services").status_code == 200
        assert client.get("/api/docs").status_code == 200
        assert client.get("/admin/", follow_redirects=True).status_code == 200
        assert client.get("/api/v1/notifications/stream").status_code == 401


def test_it_is_reached_as_localhost_too(shared: System) -> None:
    assert is_live(shared.url.replace("127.0.0.1", "localhost"))


def test_demo_users_can_sign_in(shared: System) -> None:
    for who in ("customer", "provider", "admin"):
        body = {"email": f"{who}@example.com", "password": "marketplace-demo"}
        assert httpx.post(f"{shared.url}/api/v1/auth/login", json=body, timeout=20).status_code == 200


def test_it_says_what_it_does_and_where_it_is(shared: System) -> None:
    said = shared.log.read_text()
    for words in ("Migrations", "Demo data", shared.url, "customer@example.com", "marketplace-demo", "logs"):
        assert words in said


def test_a_signed_url_works_through_the_front_and_an_unsigned_one_does_not(shared: System) -> None:
    bucket = shared.servers["S3_BUCKET"]
    storage(shared).put_object(Bucket=bucket, Key="tests/a file", Body=b"here")
    front = storage(shared, "S3_PUBLIC_ENDPOINT_URL")
    url = front.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "tests/a file"})
    assert url.startswith(shared.url)
    answer = httpx.get(url)
    assert answer.content == b"here"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert httpx.get(f"{shared.url}/{bucket}/tests/a%20file").status_code == 403


@pytest.mark.parametrize(
    ("origin", "told"), [(APP, APP), (OTHER, OTHER), ("https://evil.example", None), ("null", None)]
)
def test_pages_of_our_origins_alone_read_files_and_refusals(shared: System, origin: str, told: str | None) -> None:
    """The storage would let in every origin, with credentials; what the front refuses Django never sees."""
    bucket, headers = shared.servers["S3_BUCKET"], {"Origin": origin}
    storage(shared).put_object(Bucket=bucket, Key="tests/a file", Body=b"here")
    front = storage(shared, "S3_PUBLIC_ENDPOINT_URL")
    url = front.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "tests/a file"})
    large = {**headers, "Content-Type": "application/json"}
    answers = [
        httpx.get(url, headers=headers),
        httpx.options(f"{shared.url}/{bucket}", headers={**headers, "Access-Control-Request-Method": "POST"}),
        httpx.post(f"{shared.url}/api/v1/services", headers=large, content=bytes(2_100_000), timeout=20),
        httpx.get(f"{shared.url}/api/v1/services", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 413, 200]
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [told] * 4
    assert not any("Access-Control-Allow-Credentials" in answer.headers for answer in answers)


def test_a_signed_form_uploads_through_the_front(shared: System) -> None:
    bucket = shared.servers["S3_BUCKET"]
    post = storage(shared, "S3_PUBLIC_ENDPOINT_URL").generate_presigned_post(bucket, "tests/posted")
    answer = httpx.post(post["url"], data=post["fields"], files={"file": ("name", b"posted")}, timeout=20)
    assert answer.is_success
    assert storage(shared).get_object(Bucket=bucket, Key="tests/posted")["Body"].read() == b"posted"


def test_nothing_is_served_to_other_machines(shared: System) -> None:
    up = psutil.Process(shared.pid)
    listening = {
        connection.laddr.ip
        for process in (up, *up.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}


def test_secrets_are_for_their_owner_alone(shared: System) -> None:
    for name in ("env", "run.json"):
        assert stat.S_IMODE((shared.data_dir / name).stat().st_mode) == 0o600
    secrets = shared.servers["S3_SECRET_ACCESS_KEY"], shared.servers["DATABASE_URL"].split(":")[2].split("@")[0]
    lines = [" ".join(process.cmdline()) for process in processes_of(shared.data_dir)]
    assert not any(secret in line for line in lines for secret in secrets)


# --- what the front says by itself ---


def problem(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert body["requestId"] == answer.headers["X-Request-ID"]
    assert body["status"] == answer.status_code
    assert set(body) >= {"type", "title", "detail"}
    return answer.status_code, body["code"]


def test_metrics_are_not_on_the_main_port(shared: System) -> None:
    assert problem(httpx.get(f"{shared.url}/metrics")) == (404, "not_found")


@pytest.mark.parametrize(
    ("size", "media_type"), [(2_000_001, "application/json"), (22_000_001, "multipart/form-data; boundary=x")]
)
def test_a_body_that_is_too_large_is_refused_at_the_front(shared: System, size: int, media_type: str) -> None:
    headers = {"Content-Type": media_type, "X-Request-ID": "mine"}
    answer = httpx.post(f"{shared.url}/api/v1/auth/login", content=b"x" * size, headers=headers, timeout=20)
    assert problem(answer) == (413, "too_large")
    assert answer.json()["requestId"] == "mine"


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcXX0\r\n\r\n", b"f" * 18 + b"\r\n"])
def test_a_body_in_bad_chunks_is_the_clients_fault(shared: System, body: bytes) -> None:
    head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert told(shared, head + body) == (400, "bad_request")


def test_too_many_headers_are_refused_in_the_words_of_the_api(shared: System) -> None:
    headers = b"".join(b"X-%d: a\r\n" % number for number in range(120))
    assert told(shared, b"GET /api/v1/services HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % headers) == (431, "too_large")


def test_a_target_that_is_no_ascii_is_refused_in_the_words_of_the_api(shared: System) -> None:
    request = b"GET /api/v1/services?q=caf\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert told(shared, request) == (400, "bad_request")


def told(system: System, request: bytes) -> tuple[int, str]:
    """Status and code of the answer to what no client would send."""
    with closing(socket.create_connection(("127.0.0.1", int(system.url.rpartition(":")[2])), timeout=20)) as front:
        front.sendall(request)
        answer = HTTPResponse(front)
        answer.begin()
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.status, json.load(answer)["code"]


@pytest.mark.parametrize("path", ["users/me/avatar", "nowhere"])
def test_who_is_refused_before_his_body_is_read_keeps_the_connection(shared: System, path: str) -> None:
    port = int(named(shared.data_dir, "cli api")[0].cmdline()[-1])
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as api:  # which opens a new one only if told to
        for _ in range(3):
            api.request("PUT", f"/api/v1/{path}", b"x" * 5_000_000, {"Content-Type": "multipart/form-data; boundary=x"})
            with api.getresponse() as answer:
                assert answer.status in {401, 404}
                assert answer.read()


@pytest.mark.parametrize("given", ["no good", "x" * 129, 'quote"', ""])
def test_a_bad_request_id_is_replaced_at_the_front(shared: System, given: str) -> None:
    answer = httpx.get(f"{shared.url}/metrics", headers={"X-Request-ID": given})
    assert problem(answer) == (404, "not_found")
    assert answer.headers["X-Request-ID"] != given


# --- other commands beside it ---


def test_other_commands_use_its_servers(shared: System, tmp_path: Path) -> None:
    done = command("migrate", "--check", "--data-dir", str(shared.data_dir), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert is_live(shared.url)


def test_a_second_one_on_the_same_data_dir_is_refused_in_a_sentence(shared: System, tmp_path: Path) -> None:
    done = command("up", "--port", "0", "--data-dir", str(shared.data_dir), cwd=tmp_path)
    assert done.returncode == 2
    assert f"is in use: process {shared.pid} runs the system at {shared.url}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert is_live(shared.url)


def test_a_taken_port_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = command("up", "--port", str(port), "--data-dir", "data", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        done.stderr == f"Port {port} of 127.0.0.1 is taken: stop what listens there, or choose another with --port.\n"
    )
    assert processes_of(tmp_path / "data") == []


@pytest.mark.parametrize(("name", "port"), [("up", "-1"), ("api", "65536"), ("stream", "0")])
def test_what_is_no_port_is_refused_in_a_sentence(tmp_path: Path, name: str, port: str) -> None:
    done = command(name, f"--port={port}", "--data-dir=data", cwd=tmp_path, prelude=ELSEWHERE)
    assert done.returncode == 2
    assert f"argument --port: {port} is not a port number from " in done.stderr.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_a_level_of_log_lines_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    loud = "import os; os.environ['LOG_LEVEL'] = 'loud'"
    done = command("up", "--port=0", "--data-dir=data", cwd=tmp_path, prelude=loud)
    assert done.returncode == 2
    assert done.stderr == "The environment variable LOG_LEVEL: It may be INFO, DEBUG, WARNING, ERROR, CRITICAL.\n"
    assert not (tmp_path / "data").exists()


def test_two_side_by_side(shared: System, make: Callable[..., System]) -> None:
    other = make()
    other.start()
    assert is_live(shared.url)
    assert is_live(other.url)
    query(other, "CREATE TABLE only_here (id int)")
    assert query(shared, "SELECT to_regclass('only_here')") == [(None,)]


# --- what dies is started again ---


@pytest.mark.parametrize("words", [("cli api",), ("cli stream",), ("cli worker",), ("caddy", "run")])
def test_a_process_that_dies_is_started_again(shared: System, words: tuple[str, ...]) -> None:
    before, said = named(shared.data_dir, *words), shared.log.read_text()
    before[0].kill()
    assert until(lambda: "ended by itself" in shared.log.read_text().removeprefix(said), PATIENCE)
    assert until(lambda: not any(process.is_running() for process in before), PATIENCE)
    assert until(lambda: len(named(shared.data_dir, *words)) == len(before), PATIENCE)
    assert until(lambda: is_live(shared.url), PATIENCE)


@pytest.mark.parametrize("name", ["postgres", "valkey", "weed"])
def test_a_server_that_dies_is_started_again_where_it_was(shared: System, name: str) -> None:
    before = shared.servers
    up = psutil.Process(shared.pid)
    victim = children(up, name)[0]
    victim.kill()
    assert until(lambda: children(up, name) not in ([], [victim]), PATIENCE)
    ready = f"{shared.url}/api/health/ready"
    assert until(lambda: httpx.get(ready, timeout=20).status_code == 200, PATIENCE)
    assert shared.servers == before


# --- how it ends ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_leaving_no_process(make: Callable[..., System], number: signal.Signals) -> None:
    system = make()
    system.start()
    process = psutil.Process(system.pid)
    children = process.children(recursive=True)
    with httpx.stream("GET", f"{system.url}/api/v1/notifications/stream"):  # even with a connection open
        process.send_signal(number)
        assert until(lambda: not system.alive, PATIENCE)
    assert system.stop() == 0
    assert processes_of(system.data_dir) == []
    assert not any(child.is_running() for child in children)
    assert not (system.data_dir / "run.json").exists()


def test_it_ends_cleanly_while_it_is_starting(make: Callable[..., System], tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    arguments = ["-P", "-m", "marketplace.cli", "up", "--port", "0", "--data-dir", str(data_dir)]
    starting = subprocess.Popen(
        [sys.executable, *arguments], env=environment(), stdout=subprocess.PIPE, start_new_session=True
    )
    assert starting.stdout
    starting.stdout.readline()  # it has begun
    starting.send_signal(signal.SIGINT)
    starting.stdout.read()
    starting.stdout.close()
    assert starting.wait(PATIENCE) == 0
    assert processes_of(data_dir) == []
    make().start()


def test_killed_it_takes_all_with_it_and_loses_nothing(make: Callable[..., System]) -> None:
    system = make()
    system.start()
    query(system, "CREATE TABLE kept AS SELECT 1 AS one")
    storage(system).put_object(Bucket=system.servers["S3_BUCKET"], Key="kept", Body=b"kept")
    url, secrets = system.url, (system.data_dir / "env").read_text()
    system.kill()
    assert until(lambda: processes_of(system.data_dir) == [], PATIENCE)
    system.start()
    assert system.url == url
    assert (system.data_dir / "env").read_text() == secrets
    assert query(system, "SELECT one FROM kept") == [(1,)]
    assert storage(system).get_object(Bucket=system.servers["S3_BUCKET"], Key="kept")["Body"].read() == b"kept"


def test_it_starts_at_once_over_what_a_killed_one_left_running(make: Callable[..., System]) -> None:
    system = make()
    system.start()
    query(system, "CREATE TABLE kept AS SELECT 1 AS one")
    for process in processes_of(system.data_dir):
        if process.pid != system.pid:
            process.suspend()  # so that none can heed its parent's death
    left = [process for process in processes_of(system.data_dir) if process.pid != system.pid]
    system.kill()
    try:
        system.start()
        assert query(system, "SELECT one FROM kept") == [(1,)]
        assert until(lambda: not any(process.is_running() for process in left), PATIENCE)
    finally:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_as_a_plain_user(make: Callable[..., System], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", NOBODY.uid, NOBODY.gid)
    system = make(account=NOBODY)
    system.start()
    assert is_live(system.url)
    assert {process.uids().effective for process in processes_of(system.data_dir)} == {NOBODY.uid}


def test_what_keeps_dying_shows_the_end_of_its_log(make: Callable[..., System]) -> None:
    system = make(env={"DJANGO_SETTINGS_MODULE": "no.such.settings"})
    with pytest.raises(CannotStartError, match="no"):
        system.start()
    assert processes_of(system.data_dir) == []


# --- commands without it ---


def test_a_command_starts_its_own_servers_and_stops_them(tmp_path: Path) -> None:
    began = time.monotonic()
    assert command("migrate", "--data-dir=data", cwd=tmp_path).returncode == 0
    done = command("migrate", "--check", cwd=tmp_path, prelude="import os; os.environ['MARKETPLACE_DATA_DIR'] = 'data'")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() > began
    assert processes_of(tmp_path / "data") == []


@pytest.mark.parametrize("arguments", [("check",), ("help",), ("--version",), ("migrate", "--help"), ("openapi",)])
def test_commands_that_need_no_server_leave_no_trace(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["migrate", "up"])
def test_without_the_wheels_a_missing_server_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    done = command(name, cwd=tmp_path, prelude="sys.modules['marketplace_embedded'] = None")
    assert done.returncode == 2
    assert done.stderr.startswith("The environment names no PostgreSQL (DATABASE_URL), no Valkey (CACHE_URL), no S3")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
