"""What the documents say is true of the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/architecture.md").read_text()
PATH = re.compile(r"`((?:packages|project|tests|docs)/[\w./-]+)`")
NAMED = re.compile(r"`((?:packages|project)/[\w./-]+\.py)`:((?:\s*`[\w.]+`,?)+)")
# What may be imported of a package from outside of it.
FACE = {"models", "actions", "exceptions", "signals", "schemas", "lifecycle", "testing"}
PACKAGES = {p.name for p in (ROOT / "packages").iterdir() if p.is_dir()}


def named_functions():
    return [(path, name) for path, names in NAMED.findall(PAGE) for name in re.findall(r"`([\w.]+)`", names)]


@pytest.mark.parametrize("path", sorted(set(PATH.findall(PAGE))))
def test_every_path_that_the_page_names_is_there(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "name"), named_functions())
def test_every_function_that_the_page_names_is_there(path, name):
    source = (ROOT / path).read_text()

    for part in name.split("."):
        assert re.search(rf"^\s*(?:class|(?:async )?def) {part}\b|^{part}\b.* = ", source, re.MULTILINE), part


def test_the_page_names_many():
    assert len(named_functions()) > 20


@pytest.mark.parametrize("package", sorted(PACKAGES - {"kit", "embedded"}))
def test_packages_are_imported_by_their_face_only(package):
    """`marketplace_media.storage` is media's own affair; so is everything that is not in FACE."""
    pattern = re.compile(rf"^\s*from marketplace_{package}(?:\.(\w+))? import (\w+)", re.MULTILINE)
    sources = [p for p in (ROOT / "packages").glob("*/src/**/*.py") if f"marketplace_{package}" not in p.parts]

    found = {(str(p.relative_to(ROOT)), m[1] or m[2]) for p in sources for m in pattern.finditer(p.read_text())}

    assert not {(path, module) for path, module in found if module not in FACE}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_package_has_what_a_package_needs(package):
    folder = ROOT / "packages" / package

    for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", f"src/marketplace_{package}/py.typed"):
        assert (folder / name).is_file(), name
