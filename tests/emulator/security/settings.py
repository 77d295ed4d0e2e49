# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``security:`` mapping of a scenario, typed. What the documentation leaves open is a key here, with the default that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, TypeVar

from .generator import Plan

Licence = Literal["provisioned", "not_provisioned", "inactive", "disabled"]
_LICENCES: Final = ("provisioned", "not_provisioned", "inactive", "disabled")

HUNTING_FAULTS: Final = ("timeout", "gateway_timeout", "cpu", "result_size", "resources", "unknown")

T = TypeVar("T")


@dataclass(slots=True)
class HostileSettings:
    """How the service misbehaves; nothing by default. Probabilities are 0 to 1, everything is drawn from ``seed``.

    :ivar updates_per_page: mean number of incidents that change after each list answer.
    :ivar adds_per_page: mean number of incidents that are created after each list answer.
    :ivar late_per_page: mean number of incidents that appear, or change, after each list answer with a last update in the past.
    :ivar late_seconds: how far in the past those may lie at most.
    :ivar same_tick: probability that a change takes over the last update of another incident.
    :ivar event_limit: stop changing after that many events, so that a reader can catch up (0: never stop).
    :ivar expand_fails_above: ``$expand=alerts`` answers 500 when ``$top`` is larger.
    :ivar expand_fails_above_alerts: ``$expand=alerts`` answers 500 when the page holds more alerts.
    :ivar expand_fails_always: ``$expand=alerts`` answers 500 on lists.
    :ivar partial: probability that a list answers 206 with a ``Warning`` header.
    :ivar warning: probability that a list answers 200 with a ``Warning`` header.
    :ivar missing_fields: probability, per incident, that optional fields are left out.
    :ivar pascal_case: probability, per incident, that Graph's enumeration members begin with a capital.
    :ivar extra_fields: probability, per incident, that it has fields nobody documents.
    :ivar shuffle_ties: whether incidents with equal last updates come in another order in each answer.
    """

    seed: int = 0
    updates_per_page: float = 0.0
    adds_per_page: float = 0.0
    late_per_page: float = 0.0
    late_seconds: float = 60.0
    same_tick: float = 0.0
    event_limit: int = 0
    expand_fails_above: int | None = None
    expand_fails_above_alerts: int | None = None
    expand_fails_always: bool = False
    partial: float = 0.0
    warning: float = 0.0
    missing_fields: float = 0.0
    pascal_case: float = 0.0
    extra_fields: float = 0.0
    shuffle_ties: bool = False

    @property
    def rewrites(self) -> bool:
        """Whether rendered records are changed, so that none may come from a cache."""
        return bool(self.missing_fields or self.pascal_case or self.extra_fields)

    @property
    def moves(self) -> bool:
        """Whether data change while a reader pages."""
        return bool(self.updates_per_page or self.adds_per_page or self.late_per_page)


@dataclass(slots=True)
class QuotaSettings:
    """Calls per tenant and app; not enforced unless ``enabled``. A number of 0 lifts one limit."""

    enabled: bool = False
    list_per_minute: int = 50
    get_per_minute: int = 100
    update_per_minute: int = 50
    per_hour: int = 1_500
    hunting_per_minute: int = 45
    graph_per_minute: int = 150
    retry_after: bool = True


@dataclass(slots=True)
class HuntingSettings:
    """Advanced hunting.

    :ivar row_limit: rows an answer holds at most; the rest is dropped without a word, as the services do it.
    :ivar extra_rows: that many more rows in CloudAppEvents, spread evenly over the last 30 days.
    :ivar fault: queries fail with ``timeout``, ``gateway_timeout``, ``cpu``, ``result_size``, ``resources`` or ``unknown``.
    :ivar fault_count: how many queries fail before the fault is over; 0: all of them.
    :ivar max_scan: a query that lets more rows than this past its first filters fails like ``resources`` (0: never).
    :ivar type_annotations: whether Graph's rows carry ``<column>@odata.type`` members.
    :ivar bool_as_number: whether values of type SByte are 1 and 0 instead of true and false.
    """

    row_limit: int = 100_000
    extra_rows: int = 0
    fault: str | None = None
    fault_count: int = 0
    max_scan: int = 0
    type_annotations: bool = False
    bool_as_number: bool = False


@dataclass(slots=True)
class SecuritySettings:
    """Everything about one tenant's security services that a scenario or the admin API may set.

    :ivar next_link: Graph's form of ``@odata.nextLink``: ``skiptoken`` or ``skip``.
    :ivar defender_next_link: whether the Defender API's list has ``@odata.nextLink`` (one source says so, no document does).
    :ivar order: the order of lists without ``$orderby``, newest first: by ``lastUpdate`` or by ``created``.
    :ivar alerts_top_max: largest ``$top`` of alerts_v2; 100 is the largest value known to work.
    :ivar max_skip: a larger ``$skip`` answers 400; None for no limit.
    :ivar strict_determination: refuse a determination while the classification is unknown, as one page demands.
    :ivar determination_spelling: ``update`` or ``resource``: which page's names the Defender API returns.
    :ivar graph_patch_extra: whether PATCH of a Graph incident takes the members only newer documents name.
    :ivar licence: ``provisioned``; ``not_provisioned`` or ``inactive``: no Defender licence; ``disabled``: feature switched off.
    :ivar pool: with n > 0, tenants share n generated data sets, which makes a fleet of many tenants cheap.
    """

    plan: Plan
    next_link: str = "skiptoken"
    defender_next_link: bool = False
    order: str = "lastUpdate"
    incidents_default_top: int = 50
    alerts_default_top: int = 100
    alerts_top_max: int = 100
    max_skip: int | None = None
    strict_determination: bool = False
    determination_spelling: str = "update"
    graph_patch_extra: bool = False
    licence: Licence = "provisioned"
    pool: int = 0
    quota: QuotaSettings = field(default_factory=QuotaSettings)
    hunting: HuntingSettings = field(default_factory=HuntingSettings)
    hostile: HostileSettings = field(default_factory=HostileSettings)


_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "next_link": ("skiptoken", "skip"),
    "order": ("lastUpdate", "created"),
    "determination_spelling": ("update", "resource"),
    "licence": _LICENCES,
}
_PLAN_KEYS: Final = ("incidents", "comments", "days", "same_timestamp", "redirected", "unknown_members")
_NESTED: Final = ("quota", "hunting", "hostile")


def _changed(kind: str, target: T, values: Mapping[str, Any]) -> T:
    known = {item.name for item in fields(target)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown key(s) in {kind}: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if kind == "security.hunting" and values.get("fault") not in (None, *HUNTING_FAULTS):
        raise ValueError(f"security.hunting.fault must be one of {', '.join(HUNTING_FAULTS)}, not {values['fault']!r}")
    return replace(target, **values)  # type: ignore[type-var]


def _alert_range(value: Any) -> dict[str, int]:
    low, high = (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
    return {"alerts_min": low, "alerts_max": high}


def change(settings: SecuritySettings, values: Mapping[str, Any]) -> SecuritySettings:
    """Return the settings with some keys replaced; nested mappings replace only the keys they name.

    ``incidents``, ``alerts_per_incident`` (a number or a pair) and the other keys of the generation plan stand beside the rest.

    :raises ValueError: an unknown key, or a value outside its choices.
    """
    plan_values = {key: values[key] for key in _PLAN_KEYS if key in values}
    if "alerts_per_incident" in values:
        plan_values |= _alert_range(values["alerts_per_incident"])
    own: dict[str, Any] = {
        key: value for key, value in values.items() if key not in _PLAN_KEYS and key not in _NESTED and key != "alerts_per_incident"
    }
    for key in _NESTED:
        if key in values:
            nested = {"enabled": values[key]} if isinstance(values[key], bool) and key == "quota" else (values[key] or {})
            own[key] = _changed(f"security.{key}", getattr(settings, key), nested)
    for key, choices in _CHOICES.items():
        if own.get(key, choices[0]) not in choices:
            raise ValueError(f"security.{key} must be one of {', '.join(choices)}, not {own[key]!r}")
    if plan_values:
        own["plan"] = replace(settings.plan, **plan_values)
    return _changed("security", settings, own)
