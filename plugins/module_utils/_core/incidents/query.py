# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Typed filters: what a service can apply is pushed to it as `$filter`, the rest is applied here, and the plan says which.

What each service filters on: the Graph security API on assignedTo, classification, createdDateTime, determination,
lastUpdateDateTime, severity and status; the Defender XDR API on assignedTo, createdTime, lastUpdateTime and status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError
from .vocabulary import defender_knows_status, defender_spelling, member

Predicate = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class IncidentQuery:
    """What incidents are wanted. Lists match any of their members, filters add up; empty ones are off.

    Members of enumerations are given in any spelling that `vocabulary.member()` reads. Instants are canonical.

    :param tags: custom or system tags, any of them, in any case.
    :param service_sources: products, any of which raised one of the incident's alerts.
    :param raw_filter: a `$filter` text in the service's own terms, passed on as it is.
    """

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    classification: tuple[str, ...] = ()
    determination: tuple[str, ...] = ()
    assigned_to: str | None = None
    unassigned: bool = False
    tags: tuple[str, ...] = ()
    service_sources: tuple[str, ...] = ()
    created_since: str | None = None
    created_until: str | None = None
    updated_since: str | None = None
    updated_until: str | None = None
    raw_filter: str | None = None


@dataclass(frozen=True)
class Filter:
    """One filter of a plan.

    :param option: the option it comes from.
    :param odata: its text for the service, or None where it is applied here.
    :param accepts: says whether a normalised incident passes.
    :param needs_alerts: whether `accepts` looks at the alerts.
    """

    option: str
    odata: str | None
    accepts: Predicate
    needs_alerts: bool = False


@dataclass(frozen=True)
class Plan:
    """How a query is carried out with one service."""

    filters: tuple[Filter, ...]

    @property
    def odata(self) -> str | None:
        """The `$filter` for the service, or None where there is nothing to push."""
        return conjunction(*(entry.odata for entry in self.filters))

    @property
    def pushed(self) -> list[str]:
        """The options that the service applies."""
        return [entry.option for entry in self.filters if entry.odata is not None]

    @property
    def local(self) -> list[str]:
        """The options that are applied here."""
        return [entry.option for entry in self.filters if entry.odata is None]

    @property
    def needs_alerts(self) -> bool:
        """Whether a filter that is applied here looks at the alerts."""
        return any(entry.needs_alerts for entry in self.filters if entry.odata is None)

    def accepts(self, incident: Mapping[str, Any], *, alerts_known: bool = True) -> bool:
        """Whether a normalised incident passes the filters that are applied here.

        :param alerts_known: False leaves out the filters that look at the alerts, to be asked again when those are there.
        """
        return all(entry.accepts(incident) for entry in self.filters if entry.odata is None and (alerts_known or not entry.needs_alerts))


@dataclass(frozen=True)
class ServiceTerms:
    """How one service names and writes what is filtered on.

    :param properties: our key → the service's property; a key that is missing cannot be filtered on there.
    :param spelling: (enumeration, member) → the service's literal, or None where it has no such member.
    """

    properties: Mapping[str, str]
    spelling: Callable[[str, str], str | None] = field(default=lambda _enum, name: name)


def _defender_literal(enum: str, name: str) -> str | None:
    if enum == "incident_status" and not defender_knows_status(name):
        return None
    return defender_spelling(enum, name)


TERMS: Mapping[str, ServiceTerms] = {
    "graph": ServiceTerms(
        properties={
            "status": "status",
            "severity": "severity",
            "classification": "classification",
            "determination": "determination",
            "assigned_to": "assignedTo",
            "created_date_time": "createdDateTime",
            "last_update_date_time": "lastUpdateDateTime",
        },
    ),
    "defender": ServiceTerms(
        properties={
            "status": "status",
            "assigned_to": "assignedTo",
            "created_date_time": "createdTime",
            "last_update_date_time": "lastUpdateTime",
        },
        spelling=_defender_literal,
    ),
}

_ENUM_FILTERS = (
    ("status", "incident_status"),
    ("severity", "severity"),
    ("classification", "classification"),
    ("determination", "determination"),
)
_TIME_FILTERS = (
    ("created_since", "created_date_time", "ge"),
    ("created_until", "created_date_time", "le"),
    ("updated_since", "last_update_date_time", "ge"),
    ("updated_until", "last_update_date_time", "le"),
)


def plan_query(query: IncidentQuery, *, api: str) -> Plan:
    """Return how `query` is carried out with the service `graph` or `defender`.

    :raises OptionError: for a value that cannot be written as an OData literal.
    """
    terms = TERMS[api]
    filters = [enum_filter(option, enum, getattr(query, option), terms) for option, enum in _ENUM_FILTERS if getattr(query, option)]
    filters += [*time_filters(query, terms), *owner_filters(query.assigned_to, terms, unassigned=query.unassigned)]
    if query.tags:
        filters.append(_tags_filter(query.tags))
    if query.service_sources:
        filters.append(_source_filter(query.service_sources))
    if query.raw_filter:
        filters.append(raw_filter(query.raw_filter))
    return Plan(tuple(filters))


def conjunction(*parts: str | None) -> str | None:
    """Return the parts that are there, joined by `and`; None where there is none."""
    return " and ".join(part for part in parts if part) or None


def odata_text(option: str, value: str) -> str:
    """Return `value` as an OData string literal (OData URL conventions 5.1.1.6.1: a quote is doubled).

    :raises OptionError: where it holds control characters.
    """
    return "'{}'".format(_without_controls(option, value).replace("'", "''"))


def _without_controls(option: str, value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise OptionError(f"{option} holds control characters.", next_step=f"Remove line breaks and the like from {option}.")
    return value


def enum_filter(option: str, enum: str, values: tuple[str, ...], terms: ServiceTerms, *, key: str | None = None) -> Filter:
    """Return the filter for any of some members of an enumeration.

    :param key: key of the schema, where it is not the option's name.
    """
    key = key or option
    wanted = frozenset(member(enum, value) or "unknown" for value in values)
    literals = [terms.spelling(enum, name) for name in sorted(wanted)]
    odata = None
    if key in terms.properties and all(literals):
        tests = [f"{terms.properties[key]} eq {odata_text(option, literal or '')}" for literal in literals]
        odata = tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"
    return Filter(option, odata, lambda found: found[key] in wanted)


def time_filters(query: Any, terms: ServiceTerms) -> list[Filter]:
    """Return the filters for the bounds that `query` has: its members created_since, created_until and so on."""
    bounds = ((option, key, operator, getattr(query, option)) for option, key, operator in _TIME_FILTERS)
    return [_time_filter(option, key, operator, instant, terms) for option, key, operator, instant in bounds if instant]


def _time_filter(option: str, key: str, operator: str, instant: str, terms: ServiceTerms) -> Filter:
    def _accepts(found: Mapping[str, Any]) -> bool:
        value = found[key] or ""
        return bool(value >= instant if operator == "ge" else value <= instant)

    return Filter(option, f"{terms.properties[key]} {operator} {instant}", _accepts)


def owner_filters(name: str | None, terms: ServiceTerms, *, unassigned: bool) -> list[Filter]:
    """Return the filters for who something is assigned to, or for what is assigned to nobody."""
    filters = []
    if name:
        wanted = name.casefold()
        odata = f"{terms.properties['assigned_to']} eq {odata_text('assigned_to', name)}"
        filters.append(Filter("assigned_to", odata, lambda found: (found["assigned_to"] or "").casefold() == wanted))
    if unassigned:
        # Whether a cleared owner is null or empty there differs by service: never pushed.
        filters.append(Filter("unassigned", None, lambda found: not found["assigned_to"]))
    return filters


def raw_filter(text: str) -> Filter:
    """Return the filter that the user wrote in the service's own terms."""
    return Filter("filter", f"({_without_controls('filter', text)})", lambda _found: True)


def _tags_filter(tags: tuple[str, ...]) -> Filter:
    wanted = frozenset(tag.casefold() for tag in tags)

    def _accepts(incident: Mapping[str, Any]) -> bool:
        return any(tag.casefold() in wanted for tag in (*incident["custom_tags"], *incident["system_tags"]))

    return Filter("tags", None, _accepts)


def _source_filter(sources: tuple[str, ...]) -> Filter:
    wanted = frozenset(member("service_source", source) or "unknown" for source in sources)

    def _accepts(incident: Mapping[str, Any]) -> bool:
        return any(alert["service_source"] in wanted for alert in incident["alerts"] or ())

    return Filter("service_sources", None, _accepts, needs_alerts=True)


def local_plan(query: IncidentQuery) -> Plan:
    """Return a plan in which everything is applied here, for incidents that are read one by one.

    :raises OptionError: where the query has a raw filter, which only a service can apply.
    """
    if query.raw_filter:
        raise OptionError("filter cannot be applied to incidents that are read by id.", next_step="Leave out filter or incident_ids.")
    return applied_here(plan_query(query, api="graph"))


def applied_here(plan: Plan) -> Plan:
    """Return a plan in which what another one leaves to the service is applied here too."""
    return Plan(tuple(Filter(entry.option, None, entry.accepts, entry.needs_alerts) for entry in plan.filters))
