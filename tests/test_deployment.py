"""What a stranger deploys with: `.env.example`, docker-compose.yml, the Dockerfile, held against the code they run."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command, load_command_class

from marketplace import probe, variables
from marketplace.running.datadir import DEPLOYED, SECRETS

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "project" / "marketplace"
EXAMPLE = (ROOT / ".env.example").read_text()
COMPOSE_FILE = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_FILE)
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OURS = ("migrate", "api", "stream", "worker")
# What reads a variable: its name comes first, and its default next, if it has one.
ASKING = {name for name, of in vars(variables).items() if getattr(of, "__module__", "") == variables.__name__}
ASKING |= {"needed", "needed_address", "cache_urls", "database", "signing_key", "webhook_secret", "rate"}
OWN_AFFAIR = {"MARKETPLACE_PROCESS"}  # a process tells its settings with it what it is


def reads():
    """What the project takes from the environment, and the default, where that stands there as it is."""
    found = {}
    for file in PROJECT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            called, name, *default = ast.unparse(node.func), *node.args[:2]
            if called in ASKING and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(name.value)):
                variable = f"RATELIMIT_{name.value}" if called == "rate" else name.value
                is_told = default and isinstance(default[0], ast.Constant)
                found[variable] = default[0].value if is_told else None
    return found


READS = reads()
LISTED = dict(re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE, re.MULTILINE))
ASKED_BY_COMPOSE = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_FILE))


# --- .env.example ---


def test_it_lists_whatever_is_read_and_nothing_else():
    elsewhere = ASKED_BY_COMPOSE | {"MARKETPLACE_DATA_DIR"}

    assert READS.keys() - OWN_AFFAIR <= LISTED.keys()
    assert LISTED.keys() <= READS.keys() | elsewhere
    assert ASKED_BY_COMPOSE - {"MARKETPLACE_VERSION"} <= LISTED.keys()


def test_a_default_that_it_tells_is_the_codes():
    told = {name: value for name, value in LISTED.items() if f"\n#{name}=" in EXAMPLE and value}
    numbers = {name: READS[name] for name in told if isinstance(READS.get(name), int | float | bool)}
    compared = {name: float(told[name]) for name in numbers if numbers[name]}

    assert len(compared) >= 7
    assert compared == {name: float(numbers[name]) for name in compared}
    rates = [name for name in READS if name.startswith("RATELIMIT_") and READS[name] is not True]
    assert {name: told[name] for name in rates} == {name: READS[name] for name in rates}


def test_each_group_is_explained():
    for group in EXAMPLE.split("\n# ---")[1:]:
        first = group.splitlines()[1]
        assert first.startswith("# ") or first == "#S3_BUCKET=marketplace", first


# --- docker-compose.yml ---


def filled_in(text, values):
    """A value of the compose file with its variables replaced, as compose does it."""

    def value(match):
        name, default = match["name"], match["default"]
        return values.get(name) or default or ""

    pattern = r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}"
    return re.sub(pattern, value, str(text)).replace("$$", "$")


def secrets():
    return {name: make() for name, make in (SECRETS | DEPLOYED).items()}


def test_it_refuses_to_start_without_what_only_the_deployer_knows():
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE))

    assert required == {*SECRETS, *DEPLOYED, "PUBLIC_URL"}
    printed = StringIO()
    call_command("secrets", stdout=printed)
    assert set(re.findall(r"^(\w+)=\S{16,}$", printed.getvalue(), re.MULTILINE)) == required - {"PUBLIC_URL"}


def test_ours_are_given_what_is_read_and_all_that_is_needed():
    needed = {name for name, default in READS.items() if name in SECRETS or default == ""} & {*SECRETS}
    for name in OURS:
        given = COMPOSE["services"][name]["environment"]
        assert given.keys() <= READS.keys() | {"MARKETPLACE_DATA_DIR"}
        assert given.keys() >= needed | {
            "DATABASE_URL",
            "CACHE_URL",
            "S3_ENDPOINT_URL",
            "PUBLIC_URL",
            "TRUSTED_PROXIES",
        }


@pytest.mark.parametrize("name", OURS)
def test_ours_can_do_little_harm(name):
    service = COMPOSE["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "tmpfs", "init"} <= service.keys()
    assert "ports" not in service


def test_one_door_leads_in():
    open_to_all = {name for name, service in COMPOSE["services"].items() if "ports" in service}

    assert open_to_all == {"front"}
    for name, service in COMPOSE["services"].items():
        assert {"mem_limit", "pids_limit", "logging", "security_opt", "restart"} <= service.keys(), name
        assert name == "migrate" or "healthcheck" in service, name
    # The front's address is believed, so it has one way to the API only, on which nobody else is.
    shared = set(COMPOSE["services"]["front"]["networks"]) & set(COMPOSE["services"]["api"]["networks"])
    assert shared == {"front"}
    assert COMPOSE["networks"]["front"]["internal"] is True
    assert COMPOSE["networks"]["back"]["internal"] is True


@pytest.mark.parametrize("name", ["api", "stream", "worker"])
def test_the_commands_are_there_and_nothing_starts_before_the_migrations_are_done(name):
    command_name, *arguments = COMPOSE["services"][name]["command"]
    parser = load_command_class("marketplace", command_name).create_parser("marketplace", command_name)
    options = parser.parse_args(arguments)
    upstreams = COMPOSE["services"]["front"]["environment"]

    assert COMPOSE["services"][name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    if name != "worker":
        assert upstreams[f"{name.upper()}_UPSTREAM"] == f"{name}:{options.port}"
        assert f" {options.port} " in re.search(r"^EXPOSE (.*)", DOCKERFILE, re.MULTILINE)[0] + " "


def test_the_front_is_told_what_its_file_asks():
    asked = set(re.findall(r"\{(?:\$|env\.)(\w+)", (PROJECT / "Caddyfile").read_text()))

    assert COMPOSE["services"]["front"]["environment"].keys() == asked - {"BIND_ADDRESSES"}
    mounted = COMPOSE["services"]["front"]["volumes"][0]
    assert (ROOT / mounted.partition(":")[0]).samefile(PROJECT / "Caddyfile")


LOOK = """
from marketplace.cli import main
try:
    main()
finally:
    from django.conf import settings
    print(settings.ALLOWED_HOSTS, settings.TRUSTED_PROXIES, settings.BILLING["MOCK_WEBHOOK_URL"])
"""


def test_with_what_it_gives_the_settings_load_and_check_has_nothing_to_say():
    values = {**secrets(), "PUBLIC_URL": "https://marketplace.example.com"}
    given = {k: filled_in(v, values) for k, v in COMPOSE["services"]["api"]["environment"].items()}
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"]} | given,
        capture_output=True,
        text=True,
        cwd=ROOT / "docs",
    )

    assert done.returncode == 0, done.stderr
    # The worker, as the gateway, reaches the API by a name that this lets in.
    assert "'api'" in done.stdout
    assert "'172.30.83.0/24', '192.0.2.0/32'" in done.stdout
    assert "http://api:8001/api/v1/payments/webhooks/mock" in done.stdout


@pytest.mark.external
def test_compose_itself_is_content(tmp_path):
    assert shutil.which("docker-compose"), "docker-compose is not installed: apt-get install docker-compose"
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    config = ["docker-compose", "config", "--quiet"]
    bare = {"PATH": os.environ["PATH"]}
    refused = subprocess.run(config, cwd=tmp_path, env=bare, capture_output=True, text=True)
    lines = [f"{name}={shlex.quote(value)}" for name, value in secrets().items()]
    (tmp_path / ".env").write_text("\n".join([*lines, "PUBLIC_URL=http://localhost"]))
    accepted = subprocess.run(config, cwd=tmp_path, env=bare, capture_output=True, text=True)

    assert "is missing in .env" in refused.stderr
    assert (accepted.returncode, accepted.stderr) == (0, "")


# --- the Dockerfile ---


def test_the_image_holds_what_is_locked_and_nothing_for_developers():
    synced = re.findall(r"uv sync (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text().splitlines()

    assert len(synced) == 2
    assert all({"--frozen", "--no-default-groups"} <= set(line.split()) for line in synced)
    assert "--no-editable" in synced[-1]
    # The context begins with nothing, so that no secret gets into it by chance.
    assert next(line for line in sent if not line.startswith("#")) == "*"
    assert not any(".env" in line or "shared" in line for line in sent)


def test_it_runs_as_nobody_who_may_anything():
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["marketplace"]
    assert "HEALTHCHECK" in last
    variables = set(re.findall(r"(?:^ENV| {4})\s*([A-Z_]+)=", last, re.MULTILINE))
    assert variables - {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"} <= READS.keys() | {
        "MARKETPLACE_DATA_DIR"
    }


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_the_probe_knows_life_from_death(live_server):
    assert probe.answers(f"{live_server.url}/api/health/live")
    assert not probe.answers(f"{live_server.url}/api/nothing")
    assert not probe.answers("http://127.0.0.1:1/")
