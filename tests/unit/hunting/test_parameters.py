# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters become literals that nothing inside them can end; the emulator's own reader of the language is the judge."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.parameters import prologue
from emulator.security.kql.lexer import tokenize
from emulator.security.times import DAY, HOUR, parse_iso
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.hunting.support import NOW_TEXT

# Whatever could end a literal or begin a comment, more often than chance would have it.
_NASTY = st.sampled_from(
    ['"', "'", "\\", '\\"', "//", "\n", "\r\n", ";", "|", "```", "~~~", '@"', '""', "\0", "\u2028", "\x85", "{{", ")", "]"]
)
TEXTS = st.lists(st.one_of(_NASTY, st.text(st.characters(exclude_categories=("Cs",)), max_size=4)), max_size=12).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _bound(parameters: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Return (name, type, value) of what a prologue binds, as the emulator reads it; fail where it is anything else."""
    text = prologue(parameters, now=NOW_TEXT)
    assert text.count("\n") == 1
    tokens = tokenize(text + "T | take 1")
    found = []
    while tokens[0].text == "let":
        _let, name, equals, value, end, *tokens = tokens
        assert (equals.text, value.kind, end.text) == ("=", "literal", ";")
        found.append((name.text, value.type, value.value))
    assert [token.text for token in tokens] == ["T", "|", "take", "1", ""]
    return found


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_is_one_string_of_the_same_characters(text: str) -> None:
    assert _bound({"first": text, "second": {"string": text}}) == [("first", "string", text), ("second", "string", text)]


@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, max_size=4) | st.dictionaries(TEXTS, JSON, max_size=3))
def test_any_list_or_object_is_one_dynamic_value(value: Any) -> None:
    assert _bound({"p": {"dynamic": value}, "q": 1}) == [("p", "dynamic", value), ("q", "long", 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_any_number_and_boolean_keeps_its_value_and_type(number: int, real: float, flag: bool) -> None:
    assert _bound({"a": number, "b": real, "c": flag}) == [("a", "long", number), ("b", "real", real), ("c", "bool", flag)]


@settings(max_examples=60, deadline=None)
@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc)), st.integers(0, 10**8))
def test_any_instant_and_duration_keeps_its_value(moment: datetime, seconds: int) -> None:
    iso = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    expected = [("a", "datetime", parse_iso(iso)), ("b", "datetime", parse_iso(iso)), ("c", "timespan", seconds * 10_000_000)]
    assert _bound({"a": moment, "b": {"datetime": iso}, "c": {"timespan": f"PT{seconds}S"}}) == expected


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("plain", "string", "plain"),
        ({"string": ""}, "string", ""),
        ({"long": "42"}, "long", 42),
        ({"int": -7}, "int", -7),
        ({"real": "0.5"}, "real", 0.5),
        ({"real": 3}, "real", 3.0),
        ({"real": math.inf}, "real", math.inf),
        ({"bool": "yes"}, "bool", True),
        ({"datetime": "2026-01-31"}, "datetime", parse_iso("2026-01-31T00:00:00Z")),
        ({"datetime": "24h"}, "datetime", parse_iso("2026-10-31T12:00:00Z")),
        ({"timespan": "P1DT2H"}, "timespan", DAY + 2 * HOUR),
        ({"timespan": "90m"}, "timespan", HOUR * 3 // 2),
        ({"timespan": "PT0.0000001S"}, "timespan", 1),
        ({"guid": "AAAAAAAA-1111-4111-8111-000000000001"}, "guid", "aaaaaaaa-1111-4111-8111-000000000001"),
        ({"long": None}, "long", None),
        ({"datetime": None}, "datetime", None),
        (["a", 1, None, ["b"]], "dynamic", ["a", 1, None, ["b"]]),
    ],
)
def test_each_type_can_be_asked_for(value: Any, kind: str, expected: Any) -> None:
    assert _bound({"p": value}) == [("p", kind, expected)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "it has no value"),
        ({"a": 1}, "has to name one type"),
        ({}, "has to name one type"),
        ({"long": 1, "int": 1}, "has to name one type"),
        ({"long": 2**63}, "no integer that the type long holds"),
        ({"int": 2**31}, "no integer that the type int holds"),
        ({"long": "1); drop"}, "no integer"),
        ({"long": True}, "no integer"),
        ({"real": "1)"}, "is no number"),
        ({"real": True}, "is no number"),
        ({"bool": "1) or (true"}, "is no boolean"),
        ({"datetime": "now()"}, "neither an instant nor a duration"),
        ({"datetime": "2026-01-01) or (true"}, "neither an instant nor a duration"),
        ({"timespan": "1d) or (1d"}, "is not a duration"),
        ({"timespan": "P900000D"}, "longer than ten years"),
        ({"guid": "x"}, "is no GUID"),
        ({"string": 5}, "must be a string"),
        ({"dynamic": [math.nan]}, "cannot be written as JSON"),
        ("\ud800", "half of a surrogate pair"),
        (["\ud800"], "half of a surrogate pair"),
        (object(), "has no literal"),
    ],
)
def test_what_is_no_value_of_its_type_is_refused(value: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text.replace("(", r"\(").replace(")", r"\)")):
        prologue({"p": value}, now=NOW_TEXT)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a;b", "a-b", "let", "Where", "in", "true", "a" * 65, 5, "ä"])
def test_a_name_that_is_no_name_of_the_language_is_refused(name: Any) -> None:
    with pytest.raises(OptionError, match="a name that a query cannot use"):
        prologue({name: 1}, now=NOW_TEXT)


def test_without_parameters_nothing_is_put_before_the_query() -> None:
    assert prologue({}, now=NOW_TEXT) == ""
