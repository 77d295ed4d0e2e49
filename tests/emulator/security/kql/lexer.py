# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From text to tokens, with Kusto's literals: escapes, verbatim and multi-line strings, timespans, datetime() and dynamic()."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..times import DAY, HOUR, MINUTE, TICKS_PER_SECOND, parse_iso
from .errors import SyntaxFault

Kind = Literal["name", "literal", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token; for a literal ``value`` and ``type`` say what it stands for."""

    kind: Kind
    text: str
    line: int
    column: int
    value: Any = None
    type: str = ""
    glued: bool = False
    """Whether it follows the previous token without a blank."""


_UNITS: Final[Mapping[str, int]] = {
    "d": DAY, "day": DAY, "days": DAY, "h": HOUR, "hr": HOUR, "hrs": HOUR, "hour": HOUR, "hours": HOUR, "m": MINUTE, "min": MINUTE,
    "minute": MINUTE, "minutes": MINUTE, "s": TICKS_PER_SECOND, "sec": TICKS_PER_SECOND, "second": TICKS_PER_SECOND,
    "seconds": TICKS_PER_SECOND, "ms": 10_000, "milli": 10_000, "milliseconds": 10_000, "microsecond": 10, "microseconds": 10, "tick": 1,
    "ticks": 1,
}  # fmt: skip
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_BLANK: Final = re.compile(r"(?:\s+|//[^\n]*)+")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING: Final = re.compile(r"[hH]?(@?[\"']|```)")
_CODED: Final = re.compile(r"u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})")
_BRACKETS: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[()]")
_QUOTED: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'((?:\\.|[^'\\])*)'")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_SYMBOLS: Final = (
    "==", "!=", "=~", "!~", "<=", ">=", "..", "|", ",", ";", "(", ")", "[", "]", "{", "}", "=", "<", ">", "+", "-", "*", "/", "%", ".",
    "!", "~", ":",
)  # fmt: skip
_TYPED: Final = re.compile(r"(datetime|date|timespan|time|guid|dynamic|long|int|real|double|bool)\s*\(")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a query, the last one of kind ``end``.

    :raises SyntaxFault: a character or literal that no query can contain.
    """
    return _Lexer(text).tokens()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def tokens(self) -> list[Token]:
        found: list[Token] = []
        while True:
            blank = _BLANK.match(self.text, self.at)
            if blank:
                self.at = blank.end()
            if self.at >= len(self.text):
                found.append(Token("end", "", *self._where(self.at)))
                return found
            start = self.at
            kind, value, type_ = self._next()
            found.append(Token(kind, self.text[start : self.at], *self._where(start), value, type_, glued=blank is None))

    def _where(self, offset: int) -> tuple[int, int]:
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1)

    def _fail(self, offset: int | None = None) -> SyntaxFault:
        place = self.at if offset is None else offset
        return SyntaxFault(self.text[place : place + 1], *self._where(place))

    def _next(self) -> tuple[Kind, Any, str]:
        text, at = self.text, self.at
        string = _STRING.match(text, at)
        if string:
            self.at = string.end()
            return "literal", self._string(string[1]), "string"
        typed = _TYPED.match(text, at)
        if typed:
            literal = self._typed(typed)
            if literal is not None:
                return literal
        word = _WORD.match(text, at)
        if word:
            self.at = word.end()
            if word[0] in ("true", "false"):
                return "literal", word[0] == "true", "bool"
            return "name", None, ""
        number = _NUMBER.match(text, at)
        if number:
            return self._number(number)
        for symbol in _SYMBOLS:
            if text.startswith(symbol, at):
                self.at += len(symbol)
                return "symbol", None, ""
        raise self._fail()

    def _number(self, match: re.Match[str]) -> tuple[Kind, Any, str]:
        digits = match[0]
        # In "1..5" the number ends before the dots of a range.
        if "." not in digits and self.text.startswith("..", match.end()):
            self.at = match.end()
            return "literal", int(digits, 0), "long"
        self.at = match.end()
        unit = _WORD.match(self.text, self.at)
        if unit:
            if unit[0] not in _UNITS or digits[:2] in ("0x", "0X"):
                raise self._fail()
            self.at = unit.end()
            return "literal", round(float(digits) * _UNITS[unit[0]]), "timespan"
        if digits[:2] in ("0x", "0X"):
            return "literal", int(digits, 16), "long"
        return ("literal", int(digits), "long") if digits.isdigit() else ("literal", float(digits), "real")

    def _string(self, opening: str) -> str:
        if opening == "```":
            end = self.text.find("```", self.at)
            if end < 0:
                raise self._fail(self.at - 3)
            found, self.at = self.text[self.at : end], end + 3
            return found
        return self._verbatim(opening[1]) if opening[0] == "@" else self._escaped(opening)

    def _verbatim(self, quote: str) -> str:
        start = self.at
        while True:
            end = self.text.find(quote, self.at)
            if end < 0 or "\n" in self.text[start:end]:
                raise self._fail(start - 2)
            if not self.text.startswith(quote * 2, end):
                found = self.text[start:end].replace(quote * 2, quote)
                self.at = end + 1
                return found
            self.at = end + 2

    def _escaped(self, quote: str) -> str:
        start = self.at
        parts: list[str] = []
        while True:
            if self.at >= len(self.text) or self.text[self.at] == "\n":
                raise self._fail(start - 1)
            character = self.text[self.at]
            self.at += 1
            if character == quote:
                return "".join(parts)
            parts.append(self._escape() if character == "\\" else character)

    def _escape(self) -> str:
        coded = _CODED.match(self.text, self.at)
        if coded:
            self.at = coded.end()
            return chr(int(coded[1] or coded[2] or coded[3], 16))
        letter = self.text[self.at : self.at + 1]
        if letter not in _ESCAPES:
            raise self._fail(self.at - 1)
        self.at += 1
        return _ESCAPES[letter]

    def _typed(self, match: re.Match[str]) -> tuple[Kind, Any, str] | None:
        """``datetime(2026-01-01)`` and its kin; None when the brackets hold an expression, so that it is a call."""
        end = _closing(self.text, match.end())
        if end is None:
            raise self._fail(match.end() - 1)
        inner = self.text[match.end() : end].strip()
        type_ = {"date": "datetime", "time": "timespan", "double": "real"}.get(match[1], match[1])
        if inner == "null":
            self.at = end + 1
            return "literal", None, type_
        try:
            value = _READERS[type_](inner)
        except ValueError:
            if type_ in ("datetime", "dynamic", "guid"):
                raise self._fail(match.end()) from None
            return None
        self.at = end + 1
        return "literal", value, type_


def _closing(text: str, at: int) -> int | None:
    """Where the bracket that was opened before ``at`` closes, strings left out."""
    depth = 1
    for match in _BRACKETS.finditer(text, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.start()
    return None


def _timespan(text: str) -> int:
    short = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]+)", text)
    if short and short[2] in _UNITS:
        return round(float(short[1]) * _UNITS[short[2]])
    clock = re.fullmatch(r"(-)?(?:(\d+)\.)?(\d+):(\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?", text)
    if clock is None:
        raise ValueError(text)
    ticks = int(clock[2] or 0) * DAY + int(clock[3]) * HOUR + int(clock[4]) * MINUTE + int(clock[5] or 0) * TICKS_PER_SECOND
    return (-1 if clock[1] else 1) * (ticks + int((clock[6] or "").ljust(7, "0")))


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _dynamic(text: str) -> Any:
    # Kusto takes JSON, and strings in single quotes besides.
    def normal(match: re.Match[str]) -> str:
        return match[0] if match[1] is None else json.dumps(match[1].replace("\\'", "'"))

    return json.loads(_QUOTED.sub(normal, text))


def _guid(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text):
        raise ValueError(text)
    return text.lower()


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "datetime": parse_iso, "timespan": _timespan, "guid": _guid, "dynamic": _dynamic, "long": int, "int": int, "real": float, "bool": _bool,
}  # fmt: skip
