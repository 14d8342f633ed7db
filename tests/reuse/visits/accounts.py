"""One registers, signs in, is known by his token, and unknown after the session's end."""

from browsing import Visitor

CREDENTIALS = {"email": "tom@example.org", "password": "long-hair-no-care"}
tom = Visitor()
who = {"role": "customer", "profile": {"firstName": "Tom", "lastName": "Ate"}}
tom.expect(201, "post", "/api/auth/register", {**CREDENTIALS, **who})
session = tom.expect(200, "post", "/api/auth/login", CREDENTIALS)
tom.defaults["HTTP_AUTHORIZATION"] = f"Bearer {session['access']}"
assert tom.expect(200, "get", "/api/users/me")["email"] == "tom@example.org"
tom.expect(204, "post", "/api/auth/logout", {"refresh": session["refresh"]})
tom.expect(401, "get", "/api/users/me")
