# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Runs a read operation for many tenants in one task.

`with_fleet(operation)` adds the options of a fleet to an operation for one tenant. The operation itself does not know.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._argspec import BY_NAME, OPTIONS, shared_options
from .._core.errors import OptionError, PartnerError
from .._core.fleet import Finding, Places, run_fleet
from .._core.tenants import detect_cloud, resolve_tenant
from ._session import AUTO_CLOUD, endpoints_of, requested_tenant, transport_of
from ._task import Operation, Outcome, Task

_CREDENTIAL_NAMES = tuple(option.name for option in BY_NAME["credentials"].suboptions if option.name != "name")
# What an entry of `tenants` may say beside the tenant itself.
_ENTRY_OPTIONS = frozenset(
    option.name for option in OPTIONS if option.group in ("connection", "api") and option.name not in ("timeout", "deadline")
)
_MOST_CONCURRENCY = 256
_PERCENT = re.compile(r"(\d{1,3})\s*%")

# Adds up what the tenants' results say; gets the results of those that are ok.
Totals = Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]


def no_totals(_results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add nothing to the summary of a fleet."""
    return {}


def with_fleet(operation: Operation, *, totals: Totals = no_totals) -> Operation:
    """Return `operation` with the option `tenants` and what belongs to it."""

    def _run(task: Task) -> Outcome:
        if task.params.get("tenants") is None:
            return operation.run(task)
        return _run_fleet(task, operation.run, totals)

    return replace(operation, run=_run, argument_spec={**operation.argument_spec, **shared_options("fleet")})


@dataclass(frozen=True)
class _Entry:
    """One tenant of the fleet.

    :param tenant: GUID or domain; the GUID once it is resolved.
    :param options: what differs from the task's options.
    :param credential: name of the credential, None for the task's own.
    """

    tenant: str
    options: Mapping[str, Any]
    credential: str | None


def _run_fleet(task: Task, single: Callable[[Task], Outcome], totals: Totals) -> Outcome:
    """Run `single` for each tenant and return all outcomes, those of failed tenants included."""
    params = task.params
    credentials = _credentials(params)
    entries = _entries(params, credentials)
    tolerated = _tolerated(params["max_failed"], entries)
    shard = _shard(params["shard"])
    seconds = params["fleet_deadline"]
    if seconds is not None and not seconds > 0:
        raise OptionError(f"fleet_deadline must be more than 0 seconds; got {seconds:g}.", next_step="Correct fleet_deadline.")
    if not 1 <= params["concurrency"] <= _MOST_CONCURRENCY:
        raise OptionError(
            f"concurrency must be from 1 to {_MOST_CONCURRENCY}; got {params['concurrency']}.", next_step="Correct concurrency."
        )
    begun = time.monotonic()
    fleet = _Fleet(
        task=task,
        single=single,
        credentials=credentials,
        places=Places(params["concurrency"], ends_at=None if seconds is None else begun + seconds),
    )
    fleet.run(entries, shard)
    return fleet.outcome(tolerated=tolerated, totals=totals, seconds=time.monotonic() - begun)


def _credentials(params: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    credentials: dict[str, Mapping[str, Any]] = {}
    for entry in params["credentials"] or []:
        if entry["name"] in credentials:
            raise OptionError(f"credentials names '{entry['name']}' twice.", next_step="Give each credential its own name.")
        credentials[entry["name"]] = {name: entry.get(name) for name in _CREDENTIAL_NAMES}
    return credentials


def _entries(params: Mapping[str, Any], credentials: Mapping[str, Any]) -> list[_Entry]:
    """Return the checked entries of `tenants`; no request is made."""
    entries = []
    for given in params["tenants"]:
        said = {"tenant_id": given} if not isinstance(given, Mapping) else dict(given)
        tenant = requested_tenant({**params, "tenant_id": said.pop("tenant_id", None)})
        credential = said.pop("credential", None)
        if credential is not None and credential not in credentials:
            raise OptionError(
                f"The tenant {tenant} asks for the credential '{credential}', which is not among credentials.",
                tenant_id=tenant,
                next_step=f"Known ones: {', '.join(sorted(credentials)) or 'none'}.",
            )
        unknown = sorted(set(said) - _ENTRY_OPTIONS)
        if unknown:
            raise OptionError(
                f"The entry of tenant {tenant} has unknown options: {', '.join(unknown)}.",
                tenant_id=tenant,
                next_step=f"An entry may hold tenant_id, credential, {', '.join(sorted(_ENTRY_OPTIONS))}.",
            )
        entries.append(_Entry(tenant, said, credential))
    return entries


def _tolerated(text: str, entries: Sequence[_Entry]) -> int:
    """Return how many tenants may fail, for a count or a percentage.

    :raises OptionError: for anything else.
    """
    percent = _PERCENT.fullmatch(text.strip())
    if percent and int(percent.group(1)) <= 100:
        return len(entries) * int(percent.group(1)) // 100
    if text.strip().isdigit():
        return int(text)
    raise OptionError(f"max_failed must be a count or a percentage; got '{text}'.", next_step="Give it as 5 or as 10%.")


def _shard(text: str | None) -> Callable[[str], bool]:
    """Return whether a tenant belongs to the shard `i/n`; stable, since it depends on the tenant's GUID alone."""
    if not text:
        return lambda _tenant_id: True
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    number, count = (int(part) for part in match.groups()) if match else (0, 0)
    if not 1 <= number <= count:
        raise OptionError(f"shard must be i/n with 1 <= i <= n; got '{text}'.", next_step="Give it as 1/4, 2/4 and so on.")
    return lambda tenant_id: int.from_bytes(hashlib.sha256(tenant_id.lower().encode()).digest()[:8], "big") % count == number - 1


# What became of one entry; its number is its place in `tenants`.
_Found = Finding[tuple[int, _Entry], Any]


class _Fleet:
    """One run over many tenants."""

    def __init__(
        self, *, task: Task, single: Callable[[Task], Outcome], credentials: Mapping[str, Mapping[str, Any]], places: Places
    ) -> None:
        self._task = task
        self._single = single
        self._credentials = credentials
        self._places = places
        self._findings: dict[int, _Found] = {}
        self._warned = threading.Lock()

    def run(self, entries: Sequence[_Entry], in_shard: Callable[[str], bool]) -> None:
        """Resolve, merge doubles, take this shard's tenants, and run each of them."""
        resolved = self._resolve(entries)
        chosen = [(index, entry) for index, entry in self._without_doubles(resolved) if in_shard(entry.tenant)]
        self._each(chosen, self._run_one, self._keep)

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
        )

    def _resolve(self, entries: Sequence[_Entry]) -> list[tuple[int, _Entry]]:
        """Return the entries with GUIDs for domains; a domain that cannot be resolved has its outcome already."""
        found: dict[int, _Entry] = {}
        domains: list[tuple[int, _Entry]] = []
        for index, entry in enumerate(entries):
            if "." in entry.tenant:
                domains.append((index, entry))
            else:
                found[index] = entry

        def _lookup(numbered: tuple[int, _Entry]) -> str:
            params = {**self._task.params, **numbered[1].options}
            transport = transport_of(params, places=self._places)
            if params["cloud"] == AUTO_CLOUD:
                return detect_cloud(numbered[1].tenant, transport, login_url=params["login_url"]).tenant_id
            return resolve_tenant(numbered[1].tenant, endpoints_of(params), transport).tenant_id

        def _keep(finding: _Found) -> None:
            index, entry = finding.tenant
            if finding.value is None:
                self._keep(finding)
            else:
                found[index] = replace(entry, tenant=finding.value)

        self._each(domains, _lookup, _keep)
        return sorted(found.items())

    def _without_doubles(self, entries: Sequence[tuple[int, _Entry]]) -> list[tuple[int, _Entry]]:
        """Return each tenant once, where it stands first.

        :raises OptionError: where a tenant stands twice with different options.
        """
        first: dict[str, tuple[int, _Entry]] = {}
        doubles = []
        for index, entry in entries:
            known = first.setdefault(entry.tenant.lower(), (index, entry))[1]
            if known is entry:
                continue
            if (known.options, known.credential) != (entry.options, entry.credential):
                raise OptionError(
                    f"The tenant {entry.tenant} stands in tenants twice, with different options.",
                    tenant_id=entry.tenant,
                    next_step="Keep one of the entries.",
                )
            doubles.append(entry.tenant)
        if doubles:
            self._task.warn(f"Tenants that stand in tenants more than once were read once: {', '.join(sorted(set(doubles)))}.")
        return list(first.values())

    def _run_one(self, numbered: tuple[int, _Entry]) -> Outcome:
        entry = numbered[1]
        own: dict[str, Any] = {**entry.options, "tenant_id": entry.tenant, "tenants": None, "allowed_tenants": None}
        if entry.credential is not None:
            own.update(self._credentials[entry.credential])
        return self._single(replace(self._task, params={**self._task.params, **own}, warn=self._warn, places=self._places))

    def _warn(self, message: str) -> None:
        with self._warned:
            self._task.warn(message)

    def _keep(self, finding: _Found) -> None:
        self._findings[finding.tenant[0]] = finding

    def outcome(self, *, tolerated: int, totals: Totals, seconds: float) -> Outcome:
        """Return the outcome of the whole: each tenant's in input order, a summary, and whether too many failed."""
        findings = [self._findings[index] for index in sorted(self._findings)]
        tenants = [_tenant_result(finding) for finding in findings]
        outcomes = [finding.value for finding in findings if finding.value is not None]
        good = [outcome for outcome in outcomes if not outcome.failed]
        lacking = [finding for finding in findings if _state(finding) != "ok"]
        counts = {state: sum(1 for finding in findings if _state(finding) == state) for state in ("ok", "failed", "unknown")}
        failed = len(lacking) > tolerated
        result: dict[str, Any] = {
            "tenants": tenants,
            "summary": {"total": len(findings), **counts, "seconds": round(seconds, 3)},
            "complete": not lacking and all(outcome.result.get("complete", True) for outcome in good),
            **totals([outcome.result for outcome in good]),
        }
        if lacking:
            result["msg"] = _too_many(lacking, len(findings), tolerated) if failed else _some(lacking, len(findings))
        elif not findings:
            result["msg"] = "There are no tenants to read: tenants is empty, or this shard has none."
        return Outcome(
            result, changed=any(outcome.changed for outcome in good), secret=any(outcome.secret for outcome in good), failed=failed
        )


def _credential_key(entry: _Entry) -> Hashable:
    return (entry.credential, entry.options.get("cloud"), entry.options.get("login_url"))


def _state(finding: _Found) -> str:
    """Return a tenant's outcome; an operation that ended properly may have found a fault (a broken contract)."""
    return "failed" if finding.value is not None and finding.value.failed else finding.outcome


def _tenant_result(finding: _Found) -> dict[str, Any]:
    """Return what one tenant contributes to `tenants`; a tenant that was not read has no counts at all."""
    own = {
        "tenant_id": finding.tenant[1].tenant,
        "outcome": _state(finding),
        "seconds": round(finding.seconds, 3),
        "attempts": finding.attempts,
    }
    if finding.value is not None:
        return {**own, **finding.value.result}
    error = finding.error or PartnerError("Nothing is known about this tenant.")
    return {**own, "msg": str(error), "error": error.as_dict(), "consent_state": error.state}


def _some(lacking: Sequence[_Found], total: int) -> str:
    first = lacking[0]
    reason = first.value.result.get("msg") if first.value is not None else first.error
    return f"{len(lacking)} of {total} tenants failed or are unknown. The first: {first.tenant[1].tenant}: {reason}"


def _too_many(lacking: Sequence[_Found], total: int, tolerated: int) -> str:
    return f"{_some(lacking, total)} That is more than max_failed allows ({tolerated})."
