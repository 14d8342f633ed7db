"""Files as clients send them."""

from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace_media.testing import make_image_bytes, make_pdf_bytes, send_form

HTML = b"<html><script>alert(1)</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def upload(content=None, name="room.png"):
    content = make_image_bytes() if content is None else content
    return SimpleUploadedFile(name, content, content_type="image/png")


def pdf(name="prices.pdf"):
    return upload(make_pdf_bytes(), name)


def in_a_row(client, path, count):
    """The ids of so many images, uploaded one after the other."""
    return [client.upload(f"{path}/images", upload(name=f"{n}.png")).json()["id"] for n in range(count)]


def listed(client, path, what="images"):
    return client.get(f"{path}/{what}").json()["items"]


def announced(content, kind="image", content_type="image/png", **more):
    return {"kind": kind, "filename": "room.png", "contentType": content_type, "size": len(content)} | more


def sent(client, path, content, *args):
    """The path of an upload whose form was sent."""
    answer = client.post(f"{path}/uploads", announced(content, *args))
    assert answer.status_code == 201, answer.content
    form = answer.json()
    assert send_form(form["url"], form["fields"], content) == 204
    return f"{path}/uploads/{form['uploadId']}"
