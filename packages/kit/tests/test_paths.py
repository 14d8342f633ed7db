"""Grouped patterns: each path finds what it finds among all of them in a row."""

import pytest
from django.urls import NoReverseMatch, Resolver404, URLResolver, path
from django.urls.resolvers import RegexPattern

from marketplace_kit.paths import ByBeginning


def view(request):
    raise AssertionError("only found, never called")


PATTERNS = [
    path("docs", view, name="docs"),
    path("v1/things", view, name="list"),
    path("v1/things/new", view, name="new"),
    path("v1/things/<int:key>", view, name="one"),
    path("v1/things/<slug:key>/parts/<int:part>", view, name="part"),
    path("v1/people", view, name="people"),
    path("v1/<slug:any>", view, name="any"),
    path("v1/things/<path:rest>", view, name="rest"),
    path("", view, name="root"),
]
PATHS = [
    *("", "docs", "doc", "docs/", "v1", "v1/", "v1/things", "v1/things/", "v1/things/new", "v1/things/7"),
    *("v1/things/x", "v1/things/x/parts/7", "v1/things/x/parts/y", "v1/thingsandmore"),
    *("v1/people", "v1/people/7", "v1/else", "v2/things"),
]


def resolver(patterns) -> URLResolver:
    return URLResolver(RegexPattern(r"^/"), [path("api/", (patterns, "api", "api"))])


FLAT, GROUPED = resolver(PATTERNS), resolver([ByBeginning(PATTERNS)])


def found(where: URLResolver, text: str):
    try:
        match = where.resolve(f"/api/{text}")
    except Resolver404:
        return None
    return match.view_name, match.route, match.args, match.kwargs, match.namespaces


def written(where: URLResolver, name: str, **values: object) -> str | None:
    try:
        return where.namespace_dict["api"][1].reverse(name, **values)
    except NoReverseMatch:
        return None


@pytest.mark.parametrize("text", PATHS)
def test_a_path_finds_the_same(text):
    assert found(GROUPED, text) == found(FLAT, text)


def test_all_are_found_by_some_path():
    names = {match[0] for match in (found(GROUPED, text) for text in PATHS) if match}

    assert names == {f"api:{pattern.name}" for pattern in PATTERNS}


@pytest.mark.parametrize("values", [{}, {"key": 7}, {"key": "x", "part": 7}, {"any": "x"}, {"rest": "x/y"}])
def test_a_name_is_written_the_same(values):
    said = {pattern.name: written(GROUPED, pattern.name, **values) for pattern in PATTERNS}

    assert said == {pattern.name: written(FLAT, pattern.name, **values) for pattern in PATTERNS}
    assert any(said.values())


def test_those_that_begin_in_another_way_are_not_tried(monkeypatch):
    tried = []
    for pattern in PATTERNS:
        monkeypatch.setattr(pattern, "resolve", lambda text, pattern=pattern: tried.append(pattern.name))

    with pytest.raises(Resolver404):
        GROUPED.resolve("/api/v1/people")
    assert tried == ["people", "any"]
