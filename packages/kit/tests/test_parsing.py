"""JSON as RFC 8259 has it, and nothing beyond."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace_kit.parsing import MalformedJson, parse_json
from marketplace_kit.renderer import to_json

numbers = st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False, places=4)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(values.filter(lambda v: not isinstance(v, int) or abs(v) < 2**63))
def test_what_we_write_we_read_exactly(value):
    try:
        written = to_json(value)
    except TypeError:
        return  # an integer beyond 64 bits, which no answer has
    assert parse_json(written) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nope", b"NaN", b"[Infinity]", b"-Infinity", b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b"[1,]"]
    + [
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'"\x01"',
        b"{}{}",
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 65 + b"1" + b"}" * 65,
    ]
    + [b"1" * 5000, '{"a": 1}'.encode("utf-16")],
)
def test_what_is_not_json_is_refused(body):
    with pytest.raises(MalformedJson):
        parse_json(body)


def test_64_levels_are_allowed():
    assert parse_json(b"[" * 64 + b"]" * 64) is not None


def test_numbers_are_exact():
    assert parse_json(b"0.1") == Decimal("0.1")
    assert (
        to_json({"a": Decimal("50.00"), "b": Decimal("1E+2"), "c": Decimal("0E-3")}) == b'{"a":50.00,"b":100,"c":0.000}'
    )
