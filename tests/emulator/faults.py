# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault injection: rules that match requests, and what happens to those they match.

A rule is a mapping. Matching keys, all optional: `family` (login, graph, defender), `method`, `path` (regular expression, searched),
`query` (regular expression), `tenant` (GUID or domain), `client_id`, `operation` (as in the request log; only for rules that act on the
response), `skip` (let the first n matches pass), `times` (then stop after n), `probability` (0..1, from the seed).
The action is one of the keys of `ACTIONS`, or several for the response.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MATCHING = ("id", "family", "method", "path", "query", "tenant", "client_id", "skip", "times", "probability")
ACTIONS = {
    "status": "answer with this status instead of serving; `code`, `message`, `body`, `headers` shape the answer",
    "aadsts": "refuse with this AADSTS code (login family)",
    "throttle": "answer 429; the value is Retry-After in seconds, or null for none; `code` and `message` as for status",
    "unavailable": "answer 503; the value is Retry-After in seconds, or null for none",
    "reset": "drop the connection before any byte of the answer",
    "delay": "serve after this many seconds",
    "truncate": "send the right headers and only this fraction (0..1) of the body, then drop the connection",
    "non_json": "serve the status, but with an HTML body",
    "empty": "serve the status, without a body",
    "redirect": "answer 302 (or `status`) to this URL",
    "foreign_next_link": "let `@odata.nextLink` of the answer point to this origin",
    "set": "overwrite members of the JSON answer (a mapping, top level)",
    "headers": "add these headers to the answer",
}
BEFORE = ("reset", "redirect", "aadsts", "throttle", "unavailable", "status")
AFTER = ("truncate", "non_json", "empty", "foreign_next_link", "set")


@dataclass(slots=True)
class FaultRule:
    """One rule with its counters."""

    id: str
    match: dict[str, Any]
    action: dict[str, Any]
    path: re.Pattern[str] | None = None
    query: re.Pattern[str] | None = None
    seen: int = 0
    applied: int = 0

    def describe(self) -> dict[str, Any]:
        """The rule as the admin API shows it."""
        return {"id": self.id, "seen": self.seen, "applied": self.applied} | self.match | self.action

    @property
    def answers(self) -> bool:
        """Whether the rule answers instead of the service."""
        return any(name in self.action for name in BEFORE)

    @property
    def changes(self) -> bool:
        """Whether the rule needs the complete answer of the service."""
        return any(name in self.action for name in AFTER)


@dataclass(slots=True)
class Subject:
    """What a rule looks at."""

    family: str
    method: str
    path: str
    query: str
    tenants: tuple[str, ...] = ()
    client_id: str | None = None


@dataclass
class Faults:
    """All rules, tried in order; the first that applies wins."""

    rng: random.Random
    rules: list[FaultRule] = field(default_factory=list)
    _made: int = 0

    def add(self, raw: Mapping[str, Any]) -> FaultRule:
        """Add a rule. Raises ValueError for one that names nothing known."""
        unknown = sorted(set(raw) - set(MATCHING) - set(ACTIONS) - {"code", "message", "body"})
        actions = {name: value for name, value in raw.items() if name not in MATCHING}
        if unknown or not set(actions) & set(ACTIONS):
            raise ValueError(f"fault rule {dict(raw)!r}: unknown {unknown}; an action is one of {sorted(ACTIONS)}")
        try:
            path = re.compile(str(raw["path"])) if raw.get("path") else None
            query = re.compile(str(raw["query"])) if raw.get("query") else None
        except re.error as exc:
            raise ValueError(f"fault rule: {exc}") from exc
        self._made += 1
        match = {name: raw[name] for name in MATCHING if name in raw and name != "id"}
        rule = FaultRule(str(raw.get("id") or f"fault-{self._made}"), match, actions, path, query)
        self.rules.append(rule)
        return rule

    def remove(self, rule_id: str | None = None) -> int:
        """Remove one rule, or all; returns how many."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if rule_id is not None and rule.id != rule_id]
        return before - len(self.rules)

    def pick(self, subject: Subject) -> FaultRule | None:
        """The first rule that applies to this request; counts it."""
        for rule in self.rules:
            if not _matches(rule, subject):
                continue
            rule.seen += 1
            if rule.seen <= int(rule.match.get("skip", 0)):
                continue
            if rule.match.get("times") is not None and rule.applied >= int(rule.match["times"]):
                continue
            if self.rng.random() >= float(rule.match.get("probability", 1.0)):
                continue
            rule.applied += 1
            return rule
        return None


def _matches(rule: FaultRule, subject: Subject) -> bool:
    match = rule.match
    if match.get("family") not in (None, subject.family) or str(match.get("method", subject.method)).upper() != subject.method:
        return False
    if rule.path is not None and not rule.path.search(subject.path):
        return False
    if rule.query is not None and not rule.query.search(subject.query):
        return False
    if "tenant" in match and str(match["tenant"]).lower() not in subject.tenants:
        return False
    return "client_id" not in match or str(match["client_id"]).lower() == (subject.client_id or "").lower()
