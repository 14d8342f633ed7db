"""One sends a picture, and reads it where the answer says."""

from urllib.request import urlopen

from browsing import Visitor, make_person

from marketplace_media.models import File
from marketplace_media.testing import make_upload

mia = make_person("mia")
broken = Visitor(mia).generic("POST", "/api/pictures", b"nonsense", content_type="multipart/form-data")
assert (broken.status_code, broken.json()["code"]) == (400, "malformed_multipart")
answer = Visitor(mia).upload("/api/pictures", make_upload())
assert answer.status_code == 201, answer.content
assert File.objects.get(owner=mia.pk).filename == answer.json()["filename"]
assert urlopen(answer.json()["url"]).headers["Content-Type"] == answer.json()["contentType"]
