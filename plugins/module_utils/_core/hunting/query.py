# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What has to be known about a query without being the engine: its statements, its first table, whether it works row by row.

The reading is lexical and cautious. What is not understood is sent as it is, and never divided.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from ..errors import OptionError
from .windows import Window

START_NAME = "window_start"
END_NAME = "window_end"
TIME_COLUMN = "Timestamp"

# Comments, and the string literals of the language: escaped, verbatim, over several lines; `h` hides one from the logs.
_OPAQUE = re.compile(
    r"//[^\n]*"
    r"|(?:\b[hH])?@\"(?:\"\"|[^\"])*\"|(?:\b[hH])?@'(?:''|[^'])*'"
    r"|```.*?```|~~~.*?~~~"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LET = re.compile(r"\s*let\s+([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)
_OPERATOR = re.compile(r"\|\s*([A-Za-z][A-Za-z0-9-]*)")
_SOURCE = re.compile(r"\s*([A-Za-z_]\w*)\s*(?=\||$)")
# Operators whose result for some rows does not depend on other rows.
_ROW_WISE = frozenset(
    {
        *("where", "filter", "extend", "parse", "parse-where", "parse-kv", "mv-expand"),
        *("project", "project-away", "project-keep", "project-rename", "project-reorder"),
    }
)
_TIME_ORDER = re.compile(rf"\|\s*(?:sort|order)\s+by\s+{TIME_COLUMN}(?:\s+(asc|desc))?\s*$")
_LOOKS_AROUND = re.compile(
    r"\b(?:prev|next|row_number|row_cumsum|row_rank_dense|row_rank_min|row_window_session|toscalar|materialize)\s*\("
)
_SUBQUERY = re.compile(r"(?:\bin~?|\bhas_any|\bhas_all)\s*\(\s*([A-Za-z_]\w*)\s*\)")
_REASSIGNED = re.compile(rf"\b{TIME_COLUMN}\s*=(?![=~])")
_NO_ROWS_BEHIND = frozenset({"render", "as", "consume", "getschema", "fork", "facet"})


@dataclass(frozen=True)
class Query:
    """A query as the user wrote it.

    :param text: the KQL, without the statements that bind its parameters.
    :param parameters: the names of its parameters.
    """

    text: str
    parameters: Collection[str] = ()

    @cached_property
    def code(self) -> str:
        """The text with comments and the insides of strings blanked out, character by character."""
        return _OPAQUE.sub(_blank, self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """All names and words of the code."""
        return frozenset(_WORD.findall(self.code))

    @property
    def uses_window(self) -> bool:
        """Whether the query limits itself by the names of the window."""
        return START_NAME in self.words

    def check(self) -> None:
        """Find what is wrong with the query as far as it can be known here.

        :raises OptionError: for an empty query, a parameter that is not used or is bound again, and half a window.
        """
        if not self.code.strip(" \t\r\n;"):
            raise OptionError("The query is empty.", next_step="Give a query in KQL, such as AlertInfo | take 10.")
        unused = sorted(set(self.parameters) - self.words)
        if unused:
            raise OptionError(
                f"The query does not use the parameter {unused[0]}.",
                next_step="Write the name of the parameter, without quotes, where its value has to stand.",
            )
        bound = [name for name in self._let_names if name in self.parameters or name in (START_NAME, END_NAME)]
        if bound:
            raise OptionError(f"The query binds the name {bound[0]} with let, which is a parameter.", next_step="Rename one of them.")
        taken = [name for name in (START_NAME, END_NAME) if name in self.parameters]
        if taken:
            raise OptionError(f"{taken[0]} is the name of a bound of the window.", next_step="Rename the parameter, or use timespan.")
        if (START_NAME in self.words) != (END_NAME in self.words):
            raise OptionError(f"A query uses both {START_NAME} and {END_NAME}, or neither.", next_step="Add the other bound.")

    # -- dividing ----------------------------------------------------------------------------------------------------------------

    def why_not_row_wise(self) -> str | None:
        """Return why the results of parts of the window would not add up to the result of the whole, None where they do."""
        if self._binds_rows:
            return "a statement before the query proper may bind rows"
        final = self._final_code
        if "|" in _nested(final):
            return "it holds a query within the query"
        if _LOOKS_AROUND.search(final):
            return "it looks at other rows"
        if self._lists_of_rows:
            return "it compares with a list that may be rows"
        body = final[: order.start()] if (order := _TIME_ORDER.search(final)) else final
        if order and _REASSIGNED.search(body):
            return f"it sorts by a {TIME_COLUMN} of its own"
        others = [name for name in _OPERATOR.findall(body) if name not in _ROW_WISE]
        return f"it uses {others[0]}, which needs all rows at once" if others else None

    @property
    def newest_first(self) -> bool:
        """Whether the rows come in descending order of time, which is the default of the language where it sorts."""
        order = _TIME_ORDER.search(self._final_code)
        return order is not None and order[1] != "asc"

    def why_not_limited(self) -> str | None:
        """Return why the query cannot be limited to a window from here, None where it can."""
        return None if self.uses_window or self._source_end is not None else "it does not begin with the name of a table"

    @property
    def is_single_table(self) -> bool:
        """Whether limiting the first table limits all that the query reads."""
        others = {"join", "lookup", "union", "search", "find", "externaldata", "materialize", "table", "toscalar"}
        simple = "|" not in _nested(self._final_code) and not self._lists_of_rows and not self._binds_rows
        return self._source_end is not None and simple and not others & self.words

    # -- writing -----------------------------------------------------------------------------------------------------------------

    def within(self, window: Window) -> Query:
        """Return the query limited to a window: after its first table, unless the query does it by itself.

        A query that cannot be limited, see `why_not_limited()`, comes back as it is.
        """
        condition = None if self.uses_window else window.condition(TIME_COLUMN)
        place = self._source_end
        if condition is None or place is None:
            return self
        return Query(f"{self.text[:place]} | where {condition} {self.text[place:]}", self.parameters)

    def limited_to(self, rows: int) -> Query:
        """Return the query with at most this many rows, as far as an operator can be appended."""
        last = _OPERATOR.findall(self._final_code)[-1:]
        if last and last[0] in _NO_ROWS_BEHIND:
            return self
        _start, end = self._statements[-1]
        return Query(f"{self.text[:end]}\n| take {rows}{self.text[end:]}", self.parameters)

    # -- reading -----------------------------------------------------------------------------------------------------------------

    @cached_property
    def _statements(self) -> list[tuple[int, int]]:
        """Where the statements are; without blanks and comments behind them."""
        found = []
        begin = 0
        for end in [*_top_level(self.code, ";"), len(self.code)]:
            length = len(self.code[begin:end].rstrip())
            if self.code[begin:end].strip():
                found.append((begin, begin + length))
            begin = end + 1
        return found or [(0, len(self.code.rstrip()))]

    @property
    def _final_code(self) -> str:
        start, end = self._statements[-1]
        return self.code[start:end]

    @property
    def _binds_rows(self) -> bool:
        """Whether a statement before the query proper may bind rows to a name."""
        lets = (_LET.match(self.code, start, end) for start, end in self._statements[:-1])
        return any(match is None or _may_be_rows(match[2]) for match in lets)

    @property
    def _lists_of_rows(self) -> bool:
        """Whether a value is compared with a list that may be rows; parameters are not."""
        return any(name not in self.parameters for name in _SUBQUERY.findall(self._final_code))

    @property
    def _let_names(self) -> list[str]:
        matches = (_LET.match(self.code, start, end) for start, end in self._statements)
        return [match[1] for match in matches if match]

    @property
    def _source_end(self) -> int | None:
        """Where the name of the first table ends, None where the query begins otherwise."""
        start, end = self._statements[-1]
        match = _SOURCE.match(self.code[start:end])
        if not match or match[1] in self._let_names or match[1] in self.parameters:
            return None
        return start + match.end(1)


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    blanks = "".join(character if character == "\n" else " " for character in found)
    return blanks if found.startswith("//") else f'"{blanks[1:-1]}"'


def _depths(code: str) -> Iterator[tuple[int, str, int]]:
    depth = 0
    for place, character in enumerate(code):
        if character in ")]}":
            depth -= 1
        yield place, character, depth
        if character in "([{":
            depth += 1


def _top_level(code: str, wanted: str) -> list[int]:
    return [place for place, character, depth in _depths(code) if character == wanted and depth <= 0]


def _nested(code: str) -> str:
    """Return what stands in brackets."""
    return "".join(character for _place, character, depth in _depths(code) if depth > 0)


def _may_be_rows(code: str) -> bool:
    """Whether what `let` binds may be rows: it names something that is neither a function nor a constant, or has a body."""
    if "|" in code or "{" in code or _LOOKS_AROUND.search(code) or re.search(r"\btable\s*\(", code):
        return True
    plain = re.sub(r"\b(?:datetime|date|timespan|time|guid|dynamic)\s*\([^()]*\)", " ", code)
    names = re.findall(r"(?<![\w.])[A-Za-z_]\w*(?!\w)(?!\s*\()", plain)
    return any(name not in ("true", "false", "null") for name in names)
