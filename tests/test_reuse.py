"""Each package, built and installed where nobody knows the others: what the documents promise to strangers."""

import json
import os
import re
import tarfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from zipfile import ZipFile

import psycopg
import pytest
from psycopg import sql
from tests.reuse.strangers import (
    HOWTO,
    NAMES,
    PACKAGES,
    PAGE,
    ROOT,
    UV,
    Home,
    lock,
    mounting,
    output,
    project_with,
    sections,
    typed,
)

VISIT = "PYTHONPATH=. python ~/marketplace/tests/reuse/visits/{}.py\n"
TWINE = "twine>=6.2,<7"
# Sections of the page.
INSTALLED, MOUNTS = 3, 5
ALONE = {"embedded": 3, "accounts": 4}  # how far: servers know no Django, and accounts brings the users
AT_A_TIME = 2  # they compute, and so do the tests beside them


# --- what is built ---


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the source distribution of each."""
    folder = tmp_path_factory.mktemp("dist")
    output(UV, "build", "--quiet", "--directory", str(ROOT), "--all-packages", "--out-dir", str(folder))
    return folder


@pytest.mark.parametrize("package", NAMES)
def test_the_wheel_holds_the_package_and_its_licence(built, package):
    (path,) = built.glob(f"marketplace_{package}-*.whl")
    source = PACKAGES / package / "src"
    written = {str(p.relative_to(source)) for p in source.rglob("*") if p.is_file() and p.suffix != ".pyc"}

    with ZipFile(path) as wheel:
        (info,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        held = {name for name in wheel.namelist() if not name.startswith(info) and not name.endswith("/")}
        licence = wheel.read(f"{info}/licenses/LICENSE")
        told = message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert held == written
    assert f"marketplace_{package}/py.typed" in held
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert (told["License-Expression"], told["Requires-Python"]) == ("MIT", ">=3.13")
    assert "Typing :: Typed" in told.get_all("Classifier")
    assert told.get_payload().startswith(f"# marketplace-{package}\n")


@pytest.mark.parametrize("package", NAMES)
def test_the_source_distribution_tells_what_changed(built, package):
    (path,) = built.glob(f"marketplace_{package}-*.tar.gz")

    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"} <= held


@pytest.mark.external
def test_twine_has_nothing_to_say(built):
    files = sorted(str(path) for path in built.glob("marketplace_*"))
    checked = output(UV, "tool", "run", "--from", TWINE, "twine", "--no-color", "check", "--strict", *files)

    assert len(files) == 2 * len(NAMES)
    assert checked.count("PASSED") == len(files)


# --- what the documents say ---


PATH = re.compile(r"`((?:packages|project|tests|docs|\.ci)/[\w./-]+)`|\]\((?!https?:)([\w./-]+)\)")


@pytest.mark.parametrize("page", sorted(page.name for page in HOWTO.glob("*.md")))
def test_every_path_that_a_page_names_is_there(page):
    named = [ROOT / path if path else HOWTO / link for path, link in PATH.findall((HOWTO / page).read_text())]

    assert named
    assert [path for path in named if not path.exists()] == []


# --- what is done with it ---


@pytest.fixture(scope="module")
def move_in(tmp_path_factory):
    """Makes homes, each with an empty database."""
    houses = tmp_path_factory.mktemp("homes")
    lock(houses)

    def home(name):
        moved = Home(houses / name)
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(moved.database)))
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(moved.database)))
        return moved

    return home


@pytest.fixture(scope="module")
def maker(move_in):
    """The home of somebody who made the wheels, and has a project that mounts nothing yet."""
    home = move_in("maker")
    home.follow(typed(sections(1, 2)) + project_with("kit", MOUNTS))
    return home


@pytest.fixture(scope="module")
def homes(request, move_in, maker):
    """By package, the home of somebody who mounts it, and visits it; begun in the background, all at once."""

    def settle(package):
        home = move_in(package)
        home.take_wheels(maker)
        if package not in ALONE:
            home.take_project(maker)
        visit = "python servers.py" if package == "embedded" else VISIT.format(package)
        home.follow(project_with(package, ALONE.get(package, INSTALLED)) + mounting(package) + visit)
        return home

    items = [item for item in request.session.items if "homes" in getattr(item, "fixturenames", ())]
    chosen = sorted({item.callspec.params["package"] for item in items})
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {package: pool.submit(settle, package) for package in chosen}
        pool.shutdown(cancel_futures=True)


@pytest.mark.external
def test_the_page_can_be_followed_to_the_letter(move_in):
    told = move_in("salon").follow(typed(PAGE))

    assert "Ran 3 tests" in told


@pytest.mark.external
@pytest.mark.parametrize("package", NAMES)
def test_a_stranger_mounts_it_as_its_readme_says(homes, package):
    home = homes[package].result()

    python = home.folder / "example/.venv/bin/python"
    there = {one["name"] for one in json.loads(output(UV, "pip", "list", "--format=json", "--python", str(python)))}
    assert {name for name in there if name.startswith("marketplace")} == needed(f"marketplace-{package}")


@pytest.fixture(scope="module")
def author(move_in):
    """The home of somebody who works on ours, in a copy."""
    home = move_in("author")
    home.copy_clone()
    return home


@pytest.mark.external
@pytest.mark.parametrize(("page", "passed"), [("add-an-endpoint.md", 3), ("add-a-package.md", 2)])
def test_an_author_can_follow_the_pages_to_the_letter(author, page, passed):
    told = author.follow(typed((HOWTO / page).read_text()))

    assert f"{passed} passed" in told


@pytest.mark.external
@pytest.mark.parametrize("package", ["billing"])
def test_a_gateway_can_be_added_to_the_letter(homes, package):
    told = homes[package].result().follow(typed((HOWTO / "add-a-gateway.md").read_text()))

    assert "Ran 3 tests" in told


def needed(name):
    """A package and those of ours that it declares, with all that they declare."""
    project = tomllib.loads((PACKAGES / name.removeprefix("marketplace-") / "pyproject.toml").read_text())["project"]
    declared = [re.match(r"[\w-]+", line)[0] for line in project["dependencies"]]
    return {name}.union(*(needed(one) for one in declared if one.startswith("marketplace-")))
