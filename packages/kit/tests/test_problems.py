"""Every error is a problem document, wherever it comes from."""

import pytest
from django.http import HttpResponse
from django.test import Client

from marketplace_kit.api import Api

MEMBERS = {"type", "title", "status", "detail", "code", "requestId"}


def problem_of(answer, status, code):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() >= MEMBERS
    assert (body["status"], body["code"]) == (status, code)
    assert body["requestId"] == answer["X-Request-ID"]
    return body


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("domain", 409, "teapot"),
        ("forbidden", 403, "forbidden"),
        ("missing", 404, "not_found"),
        ("data", 422, "validation_error"),
        ("away", 503, "service_unavailable"),
        ("defect", 500, "internal_error"),
    ],
)
def test_what_an_endpoint_raises(anybody, kind, status, code):
    body = problem_of(anybody.get(f"/api/raise/{kind}"), status, code)

    assert "secret" not in str(body)


def test_a_refusal_says_its_sentence_and_its_more(anybody):
    body = problem_of(anybody.get("/api/raise/domain"), 409, "teapot")

    assert (body["detail"], body["spoutLength"], body["title"]) == ("Short and stout.", 3, "Teapot")


def test_an_unavailable_part_tells_when_to_come_back(anybody):
    assert anybody.get("/api/raise/away")["Retry-After"] == "5"


@pytest.mark.django_db
def test_a_standby_that_does_not_write_is_a_part_that_is_away(anybody):
    problem_of(anybody.post("/api/standby"), 503, "service_unavailable")


@pytest.mark.parametrize("path", ["/api/nothing", "/api/things/", "/api/raise/", "/api/%00", "/api/"])
def test_unknown_paths(anybody, path):
    problem_of(anybody.get(path), 404, "not_found")


def test_a_method_that_is_not_there(anybody):
    answer = anybody.delete("/api/orders")

    problem_of(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "POST"


def test_where_get_is_head_is_and_both_are_told(anybody):
    answer = anybody.post("/api/things")

    problem_of(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/docs"])
def test_the_document_and_its_page_are_read_and_nothing_else(anybody, path):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = anybody.generic(method, path)
        problem_of(answer, 405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD"


def test_the_document_is_read(anybody):
    assert (anybody.get("/api/openapi.json").status_code, anybody.head("/api/openapi.json").status_code) == (200, 200)


def test_a_host_may_decorate_the_document_all_the_same(rf):
    api = Api(urls_namespace="decorated", docs_decorator=lambda view: lambda request: HttpResponse("kept"))
    document, page = (p.callback for p in api.urls[0][0].url_patterns if p.name in ("openapi-json", "openapi-view"))

    assert document(rf.get("/")).content == page(rf.get("/")).content == b"kept"
    assert document(rf.post("/")).status_code == 405


def test_no_sign_in(anybody, db):
    answer = anybody.post("/api/orders", {"name": "Tea"})

    problem_of(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b'{"name":"Tea","name":"Tea"}', "application/json", 400, "malformed_json"),
        (b'{"name":"Tea"}', "text/plain", 415, "unsupported_media_type"),
        (b"name=Tea", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"name":"' + b"x" * 1_000_000 + b'"}', "application/json", 413, "too_large"),
        (b'{"name":"Tea"}', "application/json; charset=utf-8", 200, None),
    ],
)
def test_bodies_by_type_and_size(member, body, media_type, status, code):
    answer = member.generic("POST", "/api/orders", body, content_type=media_type)

    if code is None:
        assert answer.status_code == status
    else:
        problem_of(answer, status, code)


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x-nothing"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/orders"), ("PUT", "/api/file")])
def test_an_encoded_body_is_of_another_type(member, method, path, encoding):
    media_type = "application/json" if method == "POST" else "multipart/form-data; boundary=x"
    answer = member.generic(method, path, b"x", content_type=media_type, headers={"Content-Encoding": encoding})

    problem_of(answer, 415, "unsupported_media_type")
    assert answer["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [(b'{"name":"Tea"}', "Identity", 200), (b'{"name":"Tea"}', "", 200), (b"", "gzip", 422)],
)
def test_a_body_that_is_not_encoded_may_say_so(member, body, encoding, status):
    headers = {"Content-Encoding": encoding}
    answer = member.generic("POST", "/api/orders", body, content_type="application/json", headers=headers)

    assert answer.status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/things", "/api/kept-things", "/api/me/7"])
def test_more_parameters_than_are_counted_are_a_bad_request_and_no_defect(anybody, path, caplog):
    some, many = ("&".join(f"a{n}=1" for n in range(count)) for count in (1000, 1001))

    assert anybody.get(f"{path}?{some}").status_code == 200
    problem_of(anybody.get(f"{path}?{many}"), 400, "bad_request")
    assert not [record for record in caplog.records if record.exc_info]


def test_size_and_type_are_looked_at_before_who_it_is(anybody, db):
    answer = anybody.generic("POST", "/api/orders", b"x", content_type="text/plain")

    problem_of(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_Z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("é", False)]
)
def test_a_request_id_is_taken_where_it_is_one(anybody, given, kept):
    answer = anybody.get("/api/nothing", headers={"X-Request-ID": given})

    assert (answer["X-Request-ID"] == given) is kept
    assert answer.json()["requestId"] == answer["X-Request-ID"]


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("1.2.3.4", "", "1.2.3.4"),
        ("1.2.3.4", "6.6.6.6", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "7.7.7.7, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "7.7.7.7, 6.6.6.6, 10.9.9.9", "6.6.6.6"),
        ("::1", "::ffff:6.6.6.6", "6.6.6.6"),
        ("10.0.0.1", "nonsense:80", "0.0.0.0"),
        ("", "6.6.6.6", "0.0.0.0"),
    ],
)
def test_the_client_address_is_believed_from_trusted_proxies_only(rf, remote, forwarded, address):
    from marketplace_kit.middleware import client_address

    request = rf.get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)

    assert client_address(request) == address


def test_outside_of_the_api_django_answers_as_it_does(client: Client):
    answer = client.get("/elsewhere")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_user_id_is_of_the_users_kind(anybody):
    assert anybody.get("/api/me/7").json()["given"] == {"id": 7, "at": "2027-01-01T00:00:00Z"}
    assert anybody.get("/api/me/x").json()["errors"][0]["pointer"] == "path/userId"


@pytest.mark.django_db
def test_head_asks_for_what_get_does(anybody):
    got, asked = anybody.get("/api/things"), anybody.head("/api/things")

    assert asked.status_code == 200
    assert asked.content == b""
    assert asked["Content-Length"] == got["Content-Length"] == str(len(got.content))
    assert anybody.head("/api/orders").status_code == 405
    assert anybody.head("/api/nothing").status_code == 404
