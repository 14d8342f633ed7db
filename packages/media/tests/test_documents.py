"""What comes in as a document."""

import zlib
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

from marketplace_media import documents, pdf
from marketplace_media.exceptions import NotADocument
from marketplace_media.testing import make_image_bytes, make_pdf_bytes


def written(writer: PdfWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def made(change: Any) -> bytes:
    """A PDF of one page, after `change(writer)`."""
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    change(writer)
    return written(writer)


def action(kind: str, **more: str) -> DictionaryObject:
    entries = {NameObject("/S"): NameObject(kind)} | {NameObject(f"/{k}"): TextStringObject(v) for k, v in more.items()}
    return DictionaryObject(entries)


def from_objects(*bodies: bytes) -> bytes:
    """A PDF of these numbered objects, the first of them its root."""
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(bodies) + 1, table)
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, len(out))
    return out + head + tail


ROOT = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>"


@pytest.mark.parametrize(
    "content",
    [
        make_pdf_bytes(),
        make_pdf_bytes(0),
        make_pdf_bytes(300),
        from_objects(ROOT, PAGES, PAGE),
        make_pdf_bytes() + b"\n\n",
    ],
)
def test_a_pdf_passes(content: bytes) -> None:
    documents.check(content)


def test_one_with_its_objects_in_streams_passes() -> None:
    reader = PdfReader(BytesIO(in_a_stream()))
    assert reader.xref_objStm
    documents.check(in_a_stream())


def in_a_stream(page: bytes = PAGE, padding: int = 0) -> bytes:
    """A PDF whose objects are deflated within another, as most writers have it now."""
    parts = [ROOT, PAGES, page]
    places = [sum(len(p) + 1 for p in parts[:n]) for n in range(3)]
    head = b" ".join(b"%d %d" % (n + 1, place) for n, place in enumerate(places)) + b" "
    body = zlib.compress(head + b"\n".join(parts) + bytes(padding))
    out = b"%PDF-1.7\n"
    stream = (
        b"4 0 obj\n<< /Type /ObjStm /N 3 /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n"
    )
    at, start = len(out), len(out + stream % (len(head), len(body), body))
    entries = [(0, 0, 0), (2, 4, 0), (2, 4, 1), (2, 4, 2), (1, at, 0), (1, start, 0)]
    rows = [bytes([kind, *number.to_bytes(3), index]) for kind, number, index in entries]
    table = zlib.compress(b"".join(rows))
    xref = b"5 0 obj\n<< /Type /XRef /Size 6 /W [1 3 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\nstream\n%s\n"
    xref += b"endstream\nendobj\nstartxref\n%d\n%%%%EOF\n"
    return out + stream % (len(head), len(body), body) + xref % (len(table), table, start)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-",
        b"%PDF-1.7\n%%EOF",
        b"%PDF-1.7\n" + b"x" * 5000,
        b"<html><script>alert(1)</script></html>",
        b"<html><script>alert(1)</script></html>\n" + make_pdf_bytes(),
        b"MZ" + make_pdf_bytes(),
        b" " + make_pdf_bytes(),
        b"PK\x03\x04" + bytes(100),
        make_image_bytes(),
        make_pdf_bytes()[:200],
        from_objects(ROOT, b"<< /Type /Pages /Kids [] /Count 7 >>"),
        from_objects(b"<< /Type /Catalog >>"),
        from_objects(ROOT, PAGES.replace(b"3 0 R", b"2 0 R")),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(NotADocument):
        documents.check(content)


@pytest.mark.parametrize("password", ["", "secret"])
def test_what_is_encrypted_is_refused(password: str) -> None:
    content = made(lambda w: w.encrypt(password, "owner", algorithm="RC4-128"))
    with pytest.raises(NotADocument, match="Encrypted"):
        documents.check(content)


LAUNCH = PAGE[:-2] + b"/AA << /O << /S /Launch /F (cmd.exe) >> >> >>"
FILM = PAGE[:-2] + b"/Annots [<< /Subtype /RichMedia /RichMediaContent << >> >>] >>"


@pytest.mark.parametrize(
    "content",
    [
        from_objects(ROOT[:-2] + b"/Names << /JavaScript << /Names [(a) 4 0 R] >> >> >>", PAGES, PAGE, b"<< >>"),
        made(lambda w: w.root_object.update({NameObject("/OpenAction"): action("/JavaScript", JS="app.alert(1)")})),
        made(lambda w: w.root_object.update({NameObject("/AcroForm"): action("/None", XFA="<xdp/>")})),
        made(lambda w: w.pages[0].update({NameObject("/AA"): ArrayObject([action("/Launch", F="cmd.exe")])})),
        from_objects(ROOT, PAGES, LAUNCH),
        from_objects(ROOT, PAGES, FILM),
        from_objects(ROOT, PAGES, LAUNCH.replace(b"/Launch", b"/L#61unc#68")),
        from_objects(ROOT, PAGES, LAUNCH.replace(b"/S /Launch", b"/S 4 0 R"), b"/Launch"),
        from_objects(ROOT, PAGES, PAGE, b"<< /S /J#61vaScript /J#53 (app.alert\\(1\\)) >>"),
        in_a_stream(LAUNCH),
    ],
)
def test_what_does_something_when_it_is_opened_is_refused(content: bytes) -> None:
    with pytest.raises(NotADocument, match="scripts"):
        documents.check(content)


@pytest.mark.parametrize(
    "content",
    [in_a_stream(padding=300_000_000), in_a_stream().replace(b"/N 3 ", b"/N 999999999 ")],
)
def test_a_bomb_is_refused(content: bytes) -> None:
    """Objects within a stream that grows a thousandfold, or that says it has a billion of them."""
    assert len(content) < 400_000
    with pytest.raises(NotADocument):
        documents.check(content)


def test_the_reader_is_held_to_its_limits(monkeypatch: Any) -> None:
    """Whatever a file makes it do: here it is one that only loops, and one that only swells."""
    for code in ("while True: pass", "bytes(1 << 31)"):
        body = f"import sys; sys.argv = ['pdf']; sys.path.insert(0, {str(documents.Path(pdf.__file__).parent)!r})\n"
        body += f"import pdf; pdf.SECONDS = 1\ndef verdict(content):\n    {code}\n    return 0\n"
        body += "pdf.verdict = verdict\npdf.main()\n"
        monkeypatch.setattr(documents, "READER", ["-c", body])
        with pytest.raises(NotADocument):
            documents.check(make_pdf_bytes())


def test_a_reader_that_hangs_is_not_waited_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(documents, "READER", ["-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(documents, "PATIENCE", 0.5)
    with pytest.raises(NotADocument):
        documents.check(make_pdf_bytes())
