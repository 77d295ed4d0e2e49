# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Runs a read operation for many tenants in one task.

`with_fleet(operation)` adds the options of a fleet to an operation for one tenant. The operation itself does not know.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from .._argspec import BY_NAME, OPTIONS, shared_options
from .._core.breaker import RECOVERY_SECONDS, Breaker
from .._core.budget import Budgets
from .._core.errors import OptionError, PartnerError
from .._core.fleet import Finding, Places, run_fleet
from .._core.shards import Shard
from .._core.tenants import TenantInfo, detect_cloud, resolve_tenant
from .._core.transport import Transport
from ._progress import Progress
from ._seconds import check_seconds
from ._session import AUTO_CLOUD, endpoints_of, requested_tenant, transport_of
from ._task import Operation, Outcome, Task

CREDENTIAL_NAMES = tuple(option.name for option in BY_NAME["credentials"].suboptions if option.name != "name")
# What an entry of `tenants` may say beside the tenant itself.
ENTRY_OPTIONS = frozenset(
    option.name for option in OPTIONS if option.group in ("connection", "api") and option.name not in ("timeout", "deadline")
)
_MOST_CONCURRENCY = 256
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
# What sums and cursors are made of: all that is kept of a tenant that will not be in the result.
_SUMMED = frozenset({"tenant_id", "outcome", "complete", "count", "by_severity", "cursor"})
# What is mostly the same for all tenants. All else is each tenant's own: to look for it would keep it a second time.
_MOSTLY_EQUAL = frozenset({"window", "filters", "by_severity", "not_found"})
_MOST_SEEN = 1000
_PERCENT = re.compile(r"(\d{1,3})\s*%")

# Adds up what the tenants' results say; gets the results of those that are ok.
Totals = Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]

# Finds the tenant that a domain belongs to, with the options that concern it.
Locate = Callable[[str, Mapping[str, Any], Transport], TenantInfo]


def is_lacking(result: Mapping[str, Any]) -> bool:
    """Tell whether somebody should look at what became of a tenant: not all of it was read, or it does not know what was asked for."""
    return result["outcome"] != "ok" or result.get("complete") is False or bool(result.get("not_found"))


def no_totals(_results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add nothing to the summary of a fleet."""
    return {}


def locate_in_cloud(domain: str, params: Mapping[str, Any], transport: Transport) -> TenantInfo:
    """Return the tenant of a domain in the cloud that the options name.

    :raises AuthenticationError: with state `unknown_tenant` where it is not there.
    """
    if params["cloud"] == AUTO_CLOUD:
        return detect_cloud(domain, transport, login_url=params["login_url"])
    return resolve_tenant(domain, endpoints_of(params), transport)


def with_fleet(operation: Operation, *, totals: Totals = no_totals, locate: Locate = locate_in_cloud) -> Operation:
    """Return `operation` with the option `tenants` and what belongs to it."""

    def _run(task: Task) -> Outcome:
        if task.params.get("tenants") is None:
            return operation.run(task)
        return _run_fleet(task, operation.run, totals, locate)

    return replace(operation, run=_run, argument_spec={**operation.argument_spec, **shared_options("fleet")})


@dataclass(frozen=True)
class _Entry:
    """One tenant of the fleet.

    :param tenant: GUID or domain; the GUID once it is resolved.
    :param options: what differs from the task's options.
    :param credential: name of the credential, None for the task's own.
    :param requested: the names by which it stands in `tenants`, each once.
    :param positions: where it stands there.
    :param known: what was found out when its domain was resolved.
    """

    tenant: str
    options: Mapping[str, Any]
    credential: str | None
    requested: tuple[str, ...]
    positions: tuple[int, ...]
    known: TenantInfo | None = field(default=None, compare=False)


def _run_fleet(task: Task, single: Callable[[Task], Outcome], totals: Totals, locate: Locate) -> Outcome:
    """Run `single` for each tenant and return all outcomes, those of failed tenants included."""
    params = task.params
    credentials = _credentials(params)
    entries = _entries(params, credentials)
    tolerated_of(params["max_failed"], len(entries))
    shard = shard_of(params["shard"])
    check_seconds(params, "fleet_deadline")
    seconds = params["fleet_deadline"]
    if not 1 <= params["concurrency"] <= _MOST_CONCURRENCY:
        raise OptionError(
            f"concurrency must be from 1 to {_MOST_CONCURRENCY}; got {params['concurrency']}.", next_step="Correct concurrency."
        )
    begun = time.monotonic()
    fleet = _Fleet(
        task=task,
        single=single,
        locate=locate,
        credentials=credentials,
        places=Places(params["concurrency"], ends_at=None if seconds is None else begun + seconds),
        budgets=Budgets(params["budgets"] or {}),
    )
    fleet.run(entries, shard)
    about = None if shard is None else _about(shard, entries)
    return fleet.outcome(max_failed=params["max_failed"], totals=totals, seconds=time.monotonic() - begun, shard=about)


def _credentials(params: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    credentials: dict[str, Mapping[str, Any]] = {}
    for entry in params["credentials"] or []:
        if entry["name"] in credentials:
            raise OptionError(f"credentials names '{entry['name']}' twice.", next_step="Give each credential its own name.")
        credentials[entry["name"]] = {name: entry.get(name) for name in CREDENTIAL_NAMES}
    return credentials


def _entries(params: Mapping[str, Any], credentials: Mapping[str, Any]) -> list[_Entry]:
    """Return the checked entries of `tenants`; no request is made."""
    entries = []
    for position, given in enumerate(params["tenants"]):
        said = {"tenant_id": given} if not isinstance(given, Mapping) else dict(given)
        asked = said.pop("tenant_id", None)
        tenant = requested_tenant({**params, "tenant_id": asked})
        # One text in memory, where it is written in the options as it is in the result.
        tenant = asked if isinstance(asked, str) and asked == tenant else tenant
        credential = said.pop("credential", None)
        credential = None if credential is None else str(credential)
        if credential is not None and credential not in credentials:
            raise OptionError(
                f"The tenant {tenant} asks for the credential '{credential}', which is not among credentials.",
                tenant_id=tenant,
                next_step=f"Known ones: {', '.join(sorted(credentials)) or 'none'}.",
            )
        unknown = sorted(set(said) - ENTRY_OPTIONS)
        if unknown:
            raise OptionError(
                f"The entry of tenant {tenant} has unknown options: {', '.join(unknown)}.",
                tenant_id=tenant,
                next_step=f"An entry may hold tenant_id, credential, {', '.join(sorted(ENTRY_OPTIONS))}.",
            )
        options = typed_entry(said, tenant) if said else _NO_OPTIONS
        entries.append(_Entry(tenant, options, credential, requested=(tenant,), positions=(position,)))
    return entries


def typed_entry(said: Mapping[str, Any], tenant: str) -> dict[str, Any]:
    """Return what an entry says in the types of the options, which a list of anything does not promise; nothing is not said.

    :raises OptionError: for a value that the option does not take.
    """
    typed = {name: value for name, value in said.items() if value is not None}
    for name, value in list(typed.items()):
        option = BY_NAME[name]
        try:
            if option.type == "bool":
                typed[name] = boolean(value)
            elif option.choices and value not in option.choices:
                raise TypeError(f"choose one of {', '.join(option.choices)}")
            elif not isinstance(value, str):
                raise TypeError("give a text")
        except TypeError as exc:
            raise OptionError(
                f"The entry of tenant {tenant} has {name} '{value}'.", tenant_id=tenant, next_step=f"Correct {name}: {exc}."
            ) from exc
    return typed


def tolerated_of(text: str, total: int) -> int:
    """Return how many tenants may fail, for a count or a percentage.

    :raises OptionError: for anything else.
    """
    percent = _PERCENT.fullmatch(text.strip())
    if percent and int(percent.group(1)) <= 100:
        return total * int(percent.group(1)) // 100
    if text.strip().isdecimal():
        return int(text)
    raise OptionError(f"max_failed must be a count or a percentage; got '{text}'.", next_step="Give it as 5 or as 10%.")


def shard_of(text: str | None) -> Shard | None:
    """Return the part that `i/n` names, None for the whole.

    :raises OptionError: for anything else.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    number, count = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise OptionError(f"shard must be i/n with 1 <= i <= n; got '{text}'.", next_step="Give it as 1/4, 2/4 and so on.")
    return Shard(number, count)


def _about(shard: Shard, entries: Sequence[_Entry]) -> dict[str, Any]:
    """Return what the merging of shards needs to know, to find a shard that is missing, or one of another fleet."""
    names = json.dumps(sorted(entry.tenant for entry in entries))
    return {
        "number": shard.number,
        "parts": shard.parts,
        "entries": len(entries),
        "fingerprint": hashlib.sha256(names.encode()).hexdigest(),
    }


# What became of one entry; its number is its place in `tenants`.
_Found = Finding[tuple[int, _Entry], Any]


class _Fleet:
    """One run over many tenants."""

    def __init__(
        self,
        *,
        task: Task,
        single: Callable[[Task], Outcome],
        locate: Locate,
        credentials: Mapping[str, Mapping[str, Any]],
        places: Places,
        budgets: Budgets,
    ) -> None:
        self._task = task
        self._single = single
        self._locate = locate
        self._credentials = credentials
        self._places = places
        self._budgets = budgets
        self._recovery = min(RECOVERY_SECONDS, task.params["deadline"] / 4)
        self._breakers: dict[str, Breaker] = {}
        self._shared: dict[Hashable, Any] = {}
        self._findings: dict[int, _Found] = {}
        self._warned = threading.Lock()
        self._doubles: set[str] = set()
        self._seen: dict[str, Any] = {}
        self._progress = Progress(0, None)

    def run(self, entries: Sequence[_Entry], shard: Shard | None) -> None:
        """Resolve, merge doubles, take this shard's tenants, and run each of them."""
        named = self._without_doubles([(entry.positions[0], entry) for entry in entries])
        resolved = self._without_doubles(self._resolve(named))
        if self._doubles:
            self._task.warn(f"Tenants that stand in tenants more than once were read once: {', '.join(sorted(self._doubles))}.")
        if shard is not None:
            resolved = [numbered for numbered in resolved if shard.holds(numbered[1].tenant)]
            self._findings = {index: found for index, found in self._findings.items() if shard.holds(found.tenant[1].tenant)}
        with Progress(len(resolved) + len(self._findings), self._task.notify) as self._progress:
            for _unresolved in self._findings:
                self._progress.add(is_ok=False, items=None)
            self._each(resolved, self._run_one, self._keep)

    def _each(
        self,
        entries: Sequence[tuple[int, _Entry]],
        work: Callable[[tuple[int, _Entry]], Any],
        keep: Callable[[_Found], None],
    ) -> None:
        run_fleet(
            entries,
            work,
            places=self._places,
            concurrency=self._task.params["concurrency"],
            credential_of=lambda numbered: _credential_key(numbered[1]),
            on_finding=keep,
            recovery=self._recovery,
            latest_of=self._latest_of,
        )

    def _resolve(self, entries: Sequence[tuple[int, _Entry]]) -> list[tuple[int, _Entry]]:
        """Return the entries with GUIDs for domains; a domain that cannot be resolved has its outcome already."""
        found = {index: entry for index, entry in entries if "." not in entry.tenant}
        domains = [(index, entry) for index, entry in entries if "." in entry.tenant]

        def _lookup(numbered: tuple[int, _Entry]) -> TenantInfo:
            params = {**self._task.params, **numbered[1].options}
            return self._locate(numbered[1].tenant, params, transport_of(params, places=self._places))

        def _keep(finding: _Found) -> None:
            index, entry = finding.tenant
            progress.add(is_ok=finding.value is not None, items=None)
            if finding.value is None:
                self._findings[index] = finding
            else:
                found[index] = replace(entry, tenant=finding.value.tenant_id, known=finding.value)

        with Progress(len(domains), self._task.notify, what="Domains") as progress:
            self._each(domains, _lookup, _keep)
        return sorted(found.items(), key=lambda numbered: numbered[0])

    def _without_doubles(self, entries: Sequence[tuple[int, _Entry]]) -> list[tuple[int, _Entry]]:
        """Return each tenant once, where it stands first.

        :raises OptionError: where a tenant stands twice with different options.
        """
        first: dict[str, tuple[int, _Entry]] = {}
        for index, entry in entries:
            place, known = first.setdefault(entry.tenant.lower(), (index, entry))
            if known is entry:
                continue
            if (known.options, known.credential) != (entry.options, entry.credential):
                raise OptionError(
                    f"The tenant {entry.tenant} stands in tenants twice, with different options.",
                    tenant_id=entry.tenant,
                    next_step="Keep one of the entries.",
                )
            self._doubles.add(entry.tenant)
            names = tuple(dict.fromkeys((*known.requested, *entry.requested)))
            first[entry.tenant.lower()] = (place, replace(known, requested=names, positions=(*known.positions, *entry.positions)))
        return list(first.values())

    def _run_one(self, numbered: tuple[int, _Entry]) -> Outcome:
        entry = numbered[1]
        own: dict[str, Any] = {**entry.options, "tenant_id": entry.tenant, "tenants": None, "allowed_tenants": None}
        if entry.credential is not None:
            own.update(self._credentials[entry.credential])
        # Kept from the first try to the second, since it knows that the service failed.
        breaker = self._breakers.setdefault(entry.tenant, Breaker(recovery=self._recovery))
        task = replace(
            self._task,
            params={**self._task.params, **own},
            warn=self._warn,
            places=self._places,
            known=entry.known,
            breaker=breaker,
            budgets=self._budgets,
            shared=self._shared,
        )
        return self._single(task)

    def _latest_of(self, numbered: tuple[int, _Entry]) -> float:
        """Return until when a tenant may have its second chance: as long as one call is tried, since its service began to fail."""
        breaker = self._breakers.get(numbered[1].tenant)
        failing_since = breaker.failing_since if breaker is not None and breaker.in_a_row else time.monotonic()
        return failing_since + float(self._task.params["deadline"])

    def _warn(self, message: str) -> None:
        with self._warned:
            self._task.warn(message)

    def _keep(self, finding: _Found) -> None:
        if finding.value is not None:
            # One dictionary for each tenant, and not a second one in the result of the fleet.
            own = _own_result(finding)
            result = {**own, **finding.value.result, "tenant_id": own["tenant_id"]}
            if self._task.params.get("return_tenants") == "lacking" and not is_lacking(result):
                result = {name: value for name, value in result.items() if name in _SUMMED}
            result = {name: self._once(value) if name in _MOSTLY_EQUAL else value for name, value in result.items()}
            finding = replace(finding, value=replace(finding.value, result=result))
        self._findings[finding.tenant[0]] = finding
        self._breakers.pop(finding.tenant[1].tenant, None)
        self._budgets.forget(finding.tenant[1].tenant)
        items = finding.value.result.get("count") if finding.value is not None else None
        self._progress.add(is_ok=_state(finding) == "ok", items=items if isinstance(items, int) else None)

    def _once(self, value: Any) -> Any:
        """Return the first value that is equal to this one, of those of the tenants before. Not more are remembered than pay."""
        text = repr(value)
        return self._seen.get(text, value) if len(self._seen) >= _MOST_SEEN else self._seen.setdefault(text, value)

    def outcome(self, *, max_failed: str, totals: Totals, seconds: float, shard: dict[str, Any] | None) -> Outcome:
        """Return the outcome of the whole: each tenant's in input order, a summary, and whether too many failed."""
        findings = [self._findings[index] for index in sorted(self._findings)]
        tenants = [_tenant_result(finding) for finding in findings]
        outcomes = [finding.value for finding in findings if finding.value is not None]
        good = [outcome for outcome in outcomes if not outcome.failed]
        lacking = [finding for finding in findings if _state(finding) != "ok"]
        counts = {state: sum(1 for finding in findings if _state(finding) == state) for state in ("ok", "failed", "unknown")}
        # Of those that were to be read here: the others of a shard's list, and doubles, cannot fail.
        tolerated = tolerated_of(max_failed, len(findings))
        failed = len(lacking) > tolerated
        result: dict[str, Any] = {
            "tenants": tenants,
            "summary": {"total": len(findings), **counts, "seconds": round(seconds, 3)},
            "complete": not lacking and all(outcome.result.get("complete", True) for outcome in good),
            **_sums(totals, good, is_empty=not findings),
        }
        if shard is not None:
            result["shard"] = {**shard, "positions": [list(finding.tenant[1].positions) for finding in findings]}
        if lacking:
            result["msg"] = _too_many(lacking, len(findings), tolerated) if failed else _some(lacking, len(findings))
        elif not findings:
            result["msg"] = "There are no tenants to read: tenants is empty, or this shard has none."
        return Outcome(
            result, changed=any(outcome.changed for outcome in good), secret=any(outcome.secret for outcome in outcomes), failed=failed
        )


def _sums(totals: Totals, good: Sequence[Outcome], *, is_empty: bool) -> dict[str, Any]:
    """Return what the tenants' results add up to: nothing where no tenant was read, since that is unknown and not zero."""
    sums = totals([outcome.result for outcome in good])
    return sums if good or is_empty else dict.fromkeys(sums)


def _credential_key(entry: _Entry) -> Hashable:
    return (entry.credential, entry.options.get("cloud"), entry.options.get("login_url"))


def _state(finding: _Found) -> str:
    """Return a tenant's outcome; an operation that ended properly may have found a fault (a broken contract)."""
    return "failed" if finding.value is not None and finding.value.failed else finding.outcome


def _tenant_result(finding: _Found) -> dict[str, Any]:
    """Return what one tenant contributes to `tenants`; a tenant that was not read has no counts at all."""
    if finding.value is not None:
        result: dict[str, Any] = finding.value.result
        return result
    error = finding.error or PartnerError("Nothing is known about this tenant.")
    return {**_own_result(finding), "msg": str(error), "error": error.as_dict(), "consent_state": error.state}


def _own_result(finding: _Found) -> dict[str, Any]:
    """Return what the fleet says of a tenant, whatever the operation says."""
    return {
        "tenant_id": finding.tenant[1].tenant,
        "requested": list(finding.tenant[1].requested),
        "outcome": _state(finding),
        "seconds": round(finding.seconds, 3),
        "attempts": finding.attempts,
    }


def _some(lacking: Sequence[_Found], total: int) -> str:
    first = lacking[0]
    reason = first.value.result.get("msg") if first.value is not None else first.error
    return f"{len(lacking)} of {total} tenants failed or are unknown. The first: {first.tenant[1].tenant}: {reason}"


def _too_many(lacking: Sequence[_Found], total: int, tolerated: int) -> str:
    return f"{_some(lacking, total)} That is more than max_failed allows ({tolerated})."
