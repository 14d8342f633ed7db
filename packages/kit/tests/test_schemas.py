"""What a body may be: the whole table of values, and how wrong ones are told."""

import json

import pytest

ORDER = {"name": "Tea"}


def wrong_places(answer):
    assert answer.status_code == 422, answer.content
    return {e["pointer"] for e in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ('{"name":"Tea","count":true}', "/count"),
        ('{"name":"Tea","count":"1"}', "/count"),
        ('{"name":"Tea","count":1.5}', "/count"),
        ('{"name":"Tea","count":5.00000000000000000000000000000000000000001}', "/count"),
        ('{"name":"Tea","count":6.0}', "/count"),
        ('{"name":"Tea","count":1e999999}', "/count"),
        ('{"name":"Tea","count":1e-999999}', "/count"),
        ('{"name":"Tea","count":6}', "/count"),
        ('{"name":"Tea","count":99999999999999999999999999}', "/count"),
        ('{"name":"Tea","count":null}', "/count"),
        ('{"name":7}', "/name"),
        ('{"name":""}', "/name"),
        ('{"name":"\\u0000"}', "/name"),
        ('{"name":"a\\u0000b"}', "/name"),
        ('{"name":"\\ud800"}', "/name"),
        ('{"name":"ab\\ud800"}', "/name"),
        ('{"name":"\\udfffab"}', "/name"),
        ('{"name":"\\ude00\\ud83d"}', "/name"),
        ('{"name":"Tea","note":"a\\ud800b"}', "/note"),
        ('{"name":"Tea","note":"a\\u0000b"}', "/note"),
        ('{"name":"Tea","at":"2027-01-01T00:00:00Z\\ud800"}', "/at"),
        ('{"name":"' + "x" * 101 + '"}', "/name"),
        ("{}", "/name"),
        ('{"name":"Tea","isGift":1}', "/isGift"),
        ('{"name":"Tea","isGift":"true"}', "/isGift"),
        ('{"name":"Tea","is_gift":true}', "/is_gift"),
        ('{"name":"Tea","price":"1"}', "/price"),
        ('{"name":"Tea","price":false}', "/price"),
        ('{"name":"Tea","price":-0.01}', "/price"),
        ('{"name":"Tea","price":1e999}', "/price"),
        ('{"name":"Tea","price":1e-5,"currency":"USD"}', "/price"),
        ('{"name":"Tea","price":1000000000}', "/price"),
        ('{"name":"Tea","price":0.001,"currency":"USD"}', "/price"),
        ('{"name":"Tea","price":0.5,"currency":"JPY"}', "/price"),
        ('{"name":"Tea","currency":"XXX"}', "/currency"),
        ('{"name":"Tea","currency":null}', "/currency"),
        ('{"name":"Tea","at":"2027-01-01T00:00:00"}', "/at"),
        ('{"name":"Tea","at":"2027-01-01"}', "/at"),
        ('{"name":"Tea","at":1800000000}', "/at"),
        ('{"name":"Tea","at":"1800000000"}', "/at"),
        ('{"name":"Tea","at":"2027-02-30T00:00:00Z"}', "/at"),
        ('{"name":"Tea","at":"0001-01-01T00:00:00+14:00"}', "/at"),
        ('{"name":"Tea","at":"9999-12-31T23:59:59-14:00"}', "/at"),
        ('{"name":"Tea","size":{"innerWidth":11}}', "/size/innerWidth"),
        ('{"name":"Tea","size":{"innerWidth":1,"x":1}}', "/size/x"),
        ('{"name":"Tea","tags":["a",1]}', "/tags/1"),
        ('{"name":"Tea","a/b~c":1}', "/a~1b~0c"),
        ('{"name":"Tea","\\ud800":1}', ""),
        ("[]", ""),
        ("null", ""),
        ('"Tea"', ""),
        ("", ""),
    ],
)
def test_what_is_wrong_is_told_at_its_place(member, raw, pointer):
    answer = member.generic("POST", "/api/orders", raw, content_type="application/json")

    assert wrong_places(answer) == {pointer}


@pytest.mark.parametrize(
    ("body", "given"),
    [
        ({"price": 50}, {"price": 50}),
        ({"price": 50.5}, {"price": 50.5}),
        ({"price": 1.25, "currency": "KWD"}, {"price": 1.25, "currency": "KWD"}),
        ({"price": 0}, {"price": 0}),
        ({"at": "2027-01-01T01:00:00+02:00"}, {"at": "2026-12-31T23:00:00Z"}),
        ({"at": "2027-01-01t01:00:00.5z"}, {"at": "2027-01-01T01:00:00.500000Z"}),
        ({"note": " a\r\nb\x07\u2028c "}, {"note": "a\nb\nc"}),
        ({"name": " two\n words\t"}, {"name": "two words"}),
        ({"note": "<b>&amp;</b>"}, {"note": "<b>&amp;</b>"}),
        ({"name": "e\u0301"}, {"name": "\u00e9"}),
        ({"size": None}, {"size": None}),
    ],
)
def test_what_is_right_comes_through(member, body, given):
    answer = member.post("/api/orders", ORDER | body)

    assert answer.status_code == 200, answer.content
    assert answer.json()["given"] == ORDER | given


@pytest.mark.parametrize(("character", "code"), [("\0", "nul_character"), ("\ud800", "lone_surrogate")])
@pytest.mark.parametrize("name", ["name", "note", "currency"])
def test_text_that_can_not_be_stored_is_refused_for_that(member, name, character, code):
    raw = json.dumps(ORDER | {name: f"ab{character}"})  # the client's own encoder refuses to write them
    answer = member.generic("POST", "/api/orders", raw, content_type="application/json")

    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [(f"/{name}", code)]


def test_a_pair_of_surrogates_is_a_character(member):
    raw = r'{"name":"Tea \ud83c\udf75"}'
    answer = member.generic("POST", "/api/orders", raw, content_type="application/json")

    assert answer.json()["given"] == {"name": "Tea \U0001f375"}


def test_all_that_is_wrong_is_told_at_once(member):
    answer = member.post(
        "/api/orders", {"count": 9, "price": 0.001, "currency": "USD", "size": {"innerWidth": 0}, "role": "staff"}
    )

    assert wrong_places(answer) == {"/name", "/count", "/price", "/size/innerWidth", "/role"}


def test_a_message_with_braces_is_told_as_it_is(member):
    answer = member.post("/api/orders", {"price": 0.001, "currency": "USD", "{x}": 1})

    assert wrong_places(answer) == {"/name", "/price", "/{x}"}


def test_a_patch_has_what_was_sent_and_no_nulls_where_there_are_none(member):
    path = "/api/orders/01900000-0000-7000-8000-000000000000"

    assert member.patch(path, {}).json()["given"] == {}
    assert member.patch(path, {"count": 2, "size": None}).json()["given"] == {"count": 2, "size": None}
    assert wrong_places(member.patch(path, {"name": None})) == {"/name"}
    assert wrong_places(member.patch(path, {"price": 0.5, "currency": "JPY"})) == {"/price"}
    assert wrong_places(member.patch("/api/orders/7", {})) == {"path/orderId"}


@pytest.mark.parametrize("count", ["3", "3.0", "3.000", "0.3e1", "30E-1"])
def test_a_whole_number_is_one_however_it_is_written(member, count):
    body = f'{{"name":"Tea","count":{count}}}'
    answer = member.generic("POST", "/api/orders", body, content_type="application/json")

    assert answer.status_code == 200, answer.content
    assert repr(answer.json()["given"]["count"]) == "3"


FORMS = ["urn:uuid:{}", "{{{}}}", "{} ", "{}0", "{}%0a"]
KEY = "019b8d3c-6a00-7000-8000-00000000000a"


@pytest.mark.parametrize("key", [KEY, KEY.upper()])
def test_an_id_is_written_plainly_in_any_case(member, key):
    assert member.patch(f"/api/orders/{key}", {}).status_code == 200


@pytest.mark.parametrize("key", [KEY.replace("-", ""), *(form.format(KEY) for form in FORMS)])
def test_and_in_no_other_way(member, key):
    answer = member.patch(f"/api/orders/{key}", {})

    assert wrong_places(answer) == {"path/orderId"}
    assert [e["code"] for e in answer.json()["errors"]] == ["uuid_parsing"]
