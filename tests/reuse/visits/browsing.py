"""A stranger's browser."""

from arriving import make_person

from marketplace_kit.testing import JsonClient

__all__ = ["Visitor", "make_person"]
TOKEN = "a" * 32  # against forged requests; a browser has it as a cookie, and the page's script sends it along


class Visitor(JsonClient):
    """One with a session of Django's, if it is somebody's."""

    def __init__(self, person=None):
        super().__init__(enforce_csrf_checks=True, headers={"host": "localhost", "X-CSRFToken": TOKEN})
        self.cookies["csrftoken"] = TOKEN
        if person is not None:
            self.force_login(person)

    def expect(self, status, method, path, *body):
        """The answer's JSON, if its status is that."""
        answer = getattr(self, method)(path, *body)
        assert answer.status_code == status, (path, answer.status_code, answer.content)
        return answer.json() if answer.content else None
