# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From tokens to a query, by recursive descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .errors import SyntaxFault
from .lexer import Token, tokenize
from .syntax import Binary, Call, Expression, Literal, Member, Membership, Name, Named, Order, Pipe, Query, Star, Step

_COMPARISONS: Final = frozenset({"==", "!=", "=~", "!~", "<", ">", "<=", ">="})
_TEXT_OPERATORS: Final = frozenset(
    {"contains", "contains_cs", "has", "has_cs", "hasprefix", "hassuffix", "startswith", "startswith_cs", "endswith", "endswith_cs"}
)
_LIST_OPERATORS: Final = frozenset({"in", "in~", "has_any", "has_all", "between"})
_ALIASES: Final = {"filter": "where", "limit": "take", "sort": "order"}


def parse(text: str) -> Query:
    """Parse a query.

    :raises SyntaxFault: the text is no query of the subset.
    """
    return _Parser(tokenize(text)).query()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.steps: Mapping[str, Callable[[], Step]] = {
            "where": lambda: Step("where", (self.expression(),)),
            "project": lambda: Step("project", self.named_list()),
            "extend": lambda: Step("extend", self.named_list()),
            "project-away": lambda: Step("project-away", self.name_list()),
            "project-keep": lambda: Step("project-keep", self.name_list()),
            "project-rename": lambda: Step("project-rename", self.named_list()),
            "distinct": self.distinct,
            "take": lambda: Step("take", (self.expression(),)),
            "top": self.top,
            "order": self.order,
            "count": lambda: Step("count"),
            "summarize": self.summarize,
            "mv-expand": lambda: Step("mv-expand", self.named_list()),
        }

    # -- tokens ------------------------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self) -> SyntaxFault:
        return SyntaxFault(self.token.text, self.token.line, self.token.column)

    def take(self, *texts: str) -> bool:
        """Go past the token if it is one of these words or symbols."""
        if self.token.kind in ("name", "symbol") and self.token.text in texts:
            self.at += 1
            return True
        return False

    def demand(self, text: str) -> None:
        if not self.take(text):
            raise self.fail()

    def name(self) -> str:
        if self.token.kind != "name":
            if self.token.text == "[" and self.tokens[self.at + 1].type == "string":  # ['a column with blanks']
                self.at += 1
                name = str(self.token.value)
                self.at += 1
                self.demand("]")
                return name
            raise self.fail()
        self.at += 1
        return self.tokens[self.at - 1].text

    # -- statements --------------------------------------------------------------------------------------------------------------

    def query(self) -> Query:
        lets: list[tuple[str, Expression | Pipe]] = []
        while self.take("let"):
            name = self.name()
            self.demand("=")
            lets.append((name, self.pipe_or_expression({known for known, value in lets if isinstance(value, Pipe)})))
            self.demand(";")
        pipe = self.pipe()
        self.take(";")
        if self.token.kind != "end":
            raise self.fail()
        return Query(tuple(lets), pipe)

    def pipe_or_expression(self, pipes: set[str]) -> Expression | Pipe:
        """What ``let`` binds: a pipe when a ``|`` follows the first name, or when that name is bound to a pipe."""
        following = self.tokens[self.at + 1]
        if self.token.kind == "name" and (following.text == "|" or (following.text == ";" and self.token.text in pipes)):
            return self.pipe()
        return self.expression()

    def pipe(self) -> Pipe:
        source: str | Pipe | None
        steps: list[Step] = []
        if self.take("print"):
            source = None
            steps.append(Step("print", self.named_list()))
        elif self.take("("):
            source = self.pipe()
            self.demand(")")
        else:
            source = self.name()
        while self.take("|"):
            steps.append(self.step())
        return Pipe(source, tuple(steps))

    def step(self) -> Step:
        start = self.at
        word = self.name()
        while self.token.text == "-" and self.token.glued and self.tokens[self.at + 1].kind == "name" and word in ("project", "mv"):
            self.at += 1
            word = f"{word}-{self.name()}"
        word = _ALIASES.get(word, word)
        if word not in self.steps:
            self.at = start
            raise self.fail()
        return self.steps[word]()

    def distinct(self) -> Step:
        return Step("distinct", (Star(),)) if self.take("*") else Step("distinct", self.named_list())

    def top(self) -> Step:
        number = self.expression()
        self.demand("by")
        return Step("top", (number,), (self.order_key(),))

    def order(self) -> Step:
        self.demand("by")
        keys = [self.order_key()]
        while self.take(","):
            keys.append(self.order_key())
        return Step("order", by=tuple(keys))

    def order_key(self) -> Order:
        expression = self.expression()
        descending = not self.take("asc")
        if descending:
            self.take("desc")
        nulls_first = not descending
        if self.take("nulls"):
            nulls_first = self.take("first")
            if not nulls_first:
                self.demand("last")
        return Order(expression, descending, nulls_first)

    def summarize(self) -> Step:
        items = () if self.token.text == "by" else self.named_list()
        return Step("summarize", items, self.named_list() if self.take("by") else ())

    def named_list(self) -> tuple[Named, ...]:
        items = [self.named()]
        while self.take(","):
            items.append(self.named())
        return tuple(items)

    def named(self) -> Named:
        if self.token.kind == "name" and self.tokens[self.at + 1].text == "=" and self.tokens[self.at + 1].kind == "symbol":
            name = self.name()
            self.demand("=")
            return Named(name, self.expression())
        return Named(None, self.expression())

    def name_list(self) -> tuple[str, ...]:
        names = [self.pattern()]
        while self.take(","):
            names.append(self.pattern())
        return tuple(names)

    def pattern(self) -> str:
        """A column name that may hold or be a ``*``."""
        text = "*" if self.take("*") else self.name()
        while self.token.glued and (self.token.text == "*" or self.token.kind == "name"):
            text += self.token.text
            self.at += 1
        return text

    # -- expressions -------------------------------------------------------------------------------------------------------------

    def expression(self) -> Expression:
        left = self.conjunction()
        while self.take("or"):
            left = Binary("or", left, self.conjunction())
        return left

    def conjunction(self) -> Expression:
        left = self.comparison()
        while self.take("and"):
            left = Binary("and", left, self.comparison())
        return left

    def comparison(self) -> Expression:
        left = self.sum()
        if self.token.kind == "symbol" and self.token.text in _COMPARISONS:
            operator = self.token.text
            self.at += 1
            return Binary(operator, left, self.sum())
        operator = self.word_operator()
        if operator.lstrip("!") in _LIST_OPERATORS:
            return Membership(operator, left, self.values(operator.lstrip("!")))
        if operator == "matches":
            self.demand("regex")
            return Binary("matches regex", left, self.sum())
        return Binary(operator, left, self.sum()) if operator else left

    def word_operator(self) -> str:
        """Go past ``has``, ``!contains``, ``in~`` and the like; empty when there is none."""
        start = self.at
        negated = "!" if self.take("!") else ""
        word = self.token.text if self.token.kind == "name" else ""
        if word in _TEXT_OPERATORS or word in _LIST_OPERATORS or (word == "matches" and not negated):
            self.at += 1
            if word == "in" and self.take("~"):
                word = "in~"
            return negated + word
        self.at = start
        return ""

    def values(self, operator: str) -> tuple[Expression, ...]:
        self.demand("(")
        first = self.expression()
        items = [first]
        if operator == "between":
            self.demand("..")
            items.append(self.expression())
        else:
            while self.take(","):
                items.append(self.expression())
        self.demand(")")
        return tuple(items)

    def sum(self) -> Expression:
        left = self.product()
        while self.token.text in ("+", "-") and self.token.kind == "symbol":
            operator = self.token.text
            self.at += 1
            left = Binary(operator, left, self.product())
        return left

    def product(self) -> Expression:
        left = self.unary()
        while self.token.text in ("*", "/", "%") and self.token.kind == "symbol":
            operator = self.token.text
            self.at += 1
            left = Binary(operator, left, self.unary())
        return left

    def unary(self) -> Expression:
        if self.take("-"):
            inner = self.unary()
            zero = Literal(0, inner.type if isinstance(inner, Literal) else "long")
            return Binary("-", zero, inner)
        if self.token.kind == "name" and self.token.text == "not" and self.tokens[self.at + 1].text != "(":
            self.at += 1
            return Call("not", (self.comparison(),))
        return self.postfix()

    def postfix(self) -> Expression:
        target = self.primary()
        while True:
            if self.take("."):
                target = Member(target, Literal(self.name(), "string"))
            elif self.token.text == "[" and self.token.kind == "symbol":
                self.at += 1
                target = Member(target, self.expression())
                self.demand("]")
            else:
                return target

    def primary(self) -> Expression:
        token = self.token
        if token.kind == "literal":
            self.at += 1
            return Literal(token.value, token.type)
        if self.take("("):
            inner = self.expression()
            self.demand(")")
            return inner
        if self.take("*"):
            return Star()
        name = self.name()
        if not self.take("("):
            return Name(name)
        arguments: list[Expression] = []
        if not self.take(")"):
            arguments.append(self.expression())
            while self.take(","):
                arguments.append(self.expression())
            self.demand(")")
        return Call(name, tuple(arguments))
