# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The parts of a fleet: which tenants belong to one, and one result out of the results of all, or the reason why they are not the whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import OptionError

# What is said of one part alone, or is put together in its own way below. All else are sums over the tenants.
_OF_ONE_PART = frozenset(
    {"shard", "tenants", "hosts", "summary", "complete", "cursor", "msg", "failed", "changed", "dest", "size", "checksum"}
    | {"warnings", "deprecations", "invocation", "diff", "exception", "stdout", "stdout_lines"}
)


@dataclass(frozen=True)
class Shard:
    """The part `number` of `parts` of a fleet."""

    number: int
    parts: int

    def holds(self, tenant: str) -> bool:
        """Tell whether a tenant belongs to this part. That depends on its GUID alone; where none could be found, on its domain."""
        return int.from_bytes(hashlib.sha256(tenant.lower().encode()).digest()[:8], "big") % self.parts == self.number - 1


def merge_shards(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the result that one task over all tenants would have given.

    :param parts: the results of the tasks with `shard: 1/n` to `shard: n/n`, in any order.
    :raises OptionError: where a part is missing or there twice, where parts are of different fleets, and where they do not answer for each
        tenant exactly once.
    """
    shards = [_shard_of(part) for part in parts]
    _check_parts(shards)
    _check_positions(shards)
    if len({"hosts" in part for part in parts}) > 1:
        raise OptionError("Some of the parts were read for hosts, and some were not.", next_step="Read all parts in the same way.")
    merged: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if name not in _OF_ONE_PART and not name.startswith("_ansible"):
                merged[name] = _sum(merged[name], value) if name in merged else value
    if all("hosts" in part for part in parts):
        merged["hosts"] = _hosts(parts)
    else:
        merged["tenants"] = _tenants(parts)
        merged.update(_cursor(parts))
    for part in parts:
        _check_summary(part)
    listed = {"listed": len(merged["tenants"])} if any("listed" in part["shard"] for part in parts) else {}
    dests = [part["dest"] for part in parts if part.get("dest")]
    summaries = [part["summary"] for part in parts]
    return {
        **merged,
        "summary": {
            name: (max if name == "seconds" else sum)(summary.get(name, 0) for summary in summaries)
            for name in dict.fromkeys(name for summary in summaries for name in summary)
        }
        | listed,
        "complete": all(part.get("complete") is True for part in parts),
        "failed": any(part.get("failed") is True for part in parts),
        "messages": [part["msg"] for part in parts if part.get("msg") and (part.get("tenants") or part.get("hosts"))],
        **({"dests": dests} if dests else {}),
    }


def without_sums(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a fleet in which nobody was read: its sums are unknown, and not zero."""
    return {name: value if name in _OF_ONE_PART or name.startswith("_ansible") else None for name, value in result.items()}


def _shard_of(part: Any) -> Mapping[str, Any]:
    shard = part.get("shard") if isinstance(part, Mapping) else None
    known = ("number", "parts", "entries", "fingerprint", "positions")
    if not isinstance(shard, Mapping) or not all(name in shard for name in known) or not _is_whole(part, shard):
        raise OptionError(
            "One of the results is not that of a part of a fleet.",
            next_step="Give the whole result of each task that had shard; a task that failed before it read anything has none.",
        )
    return shard


def _is_whole(part: Mapping[str, Any], shard: Mapping[str, Any]) -> bool:
    """Whether a part holds what its shard speaks of, each in its type."""
    numbers = [shard["number"], shard["parts"], shard["entries"]]
    groups = shard["positions"]
    if not isinstance(part.get("summary"), Mapping) or not isinstance(groups, list) or not isinstance(shard["fingerprint"], str):
        return False
    if not all(isinstance(group, list) and group for group in groups):
        return False
    if not all(isinstance(number, int) for number in (*numbers, *(position for group in groups for position in group))):
        return False
    if "hosts" in part:
        hosts = part["hosts"]
        return "listed" not in shard and isinstance(hosts, Mapping) and all(isinstance(entry, Mapping) for entry in hosts.values())
    listed = shard.get("listed", [])
    known = {tuple(group) for group in groups}
    if not isinstance(listed, list) or not all(isinstance(group, list) and tuple(group) in known for group in listed):
        return False
    entries = part.get("tenants")
    return isinstance(entries, list) and all(isinstance(entry, Mapping) and isinstance(entry.get("tenant_id"), str) for entry in entries)


def _check_parts(shards: Sequence[Mapping[str, Any]]) -> None:
    """Raise `OptionError` unless these are all parts of one fleet, each once."""
    if not shards:
        raise OptionError("There are no results to merge.", next_step="Give the results of all parts.")
    if len({(shard["parts"], shard["entries"], shard["fingerprint"]) for shard in shards}) > 1:
        raise OptionError(
            "The results are parts of different fleets: their lists of tenants, or the numbers of parts, differ.",
            next_step="Read all parts with the same tenants and the same n in shard.",
        )
    expected = range(1, int(shards[0]["parts"]) + 1)
    counted = Counter(int(shard["number"]) for shard in shards)
    missing = [number for number in expected if number not in counted]
    doubled = sorted(number for number, count in counted.items() if count > 1)
    for what, numbers in (("missing", missing), ("there more than once", doubled)):
        if numbers:
            named = ", ".join(f"{number}/{shards[0]['parts']}" for number in numbers)
            raise OptionError(f"Parts are {what}: {named}.", next_step="Read what is missing, and give each part once.")


def _check_positions(shards: Sequence[Mapping[str, Any]]) -> None:
    """Raise `OptionError` unless the parts answer for each entry of the list of tenants exactly once."""
    counted = Counter(int(position) for shard in shards for group in shard["positions"] for position in group)
    lost = [position for position in range(int(shards[0]["entries"])) if counted[position] != 1]
    if lost or len(counted) != int(shards[0]["entries"]):
        shown = ", ".join(str(position + 1) for position in lost[:10])
        raise OptionError(
            f"{len(lost)} of {shards[0]['entries']} entries of tenants are in no part, or in several: number {shown}"
            f"{' and others' if len(lost) > 10 else ''}. A domain that could be resolved on one machine only, does that.",
            next_step="Give those tenants by their GUIDs, or read all parts again.",
        )


def _check_summary(part: Mapping[str, Any]) -> None:
    """Raise `OptionError` unless a part's summary counts the outcomes that the part holds.

    A result that was cut on its way would else be summed up as if nothing were missing.
    """
    entries = list(part["hosts"].values()) if "hosts" in part else part["tenants"]
    outcomes = Counter(str(entry.get("outcome")) for entry in entries)
    # Those that are not listed (`return_tenants`) are all ok.
    total = len(part["shard"]["positions"]) if "listed" in part["shard"] else len(entries)
    outcomes["ok"] += total - len(entries)
    counted = {"total": total, **{state: outcomes[state] for state in ("ok", "failed", "unknown")}}
    said = {name: part["summary"].get(name) for name in counted}
    seconds = part["summary"].get("seconds", 0)
    is_complete = part.get("complete") is True
    lacks = counted["ok"] < total or any(entry.get("complete") is False for entry in entries)
    is_cut = part["summary"].get("listed", len(entries)) != len(entries)
    if said != counted or not isinstance(seconds, (int, float)) or (is_complete and lacks) or is_cut:
        raise OptionError(
            f"Part {part['shard']['number']} contradicts itself: its summary does not count the outcomes that it holds.",
            next_step="Give its whole result as it was returned, or read it again.",
        )


def _tenants(parts: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the tenants of all parts in the order of the list that all were given."""
    for part in parts:
        if len(part["tenants"]) != len(_listed(part)):
            raise OptionError(
                f"Part {part['shard']['number']} does not hold the result of each tenant that it read.",
                next_step="Give its whole result, or read it again.",
            )
    counted = Counter(entry["tenant_id"].lower() for part in parts for entry in part["tenants"])
    doubled = sorted(tenant for tenant, count in counted.items() if count > 1)
    if doubled:
        raise OptionError(
            f"Tenants are in more than one part: {', '.join(doubled[:10])}.", next_step="Read all parts again, with the same tenants."
        )
    placed = [(min(group), entry) for part in parts for group, entry in zip(_listed(part), part["tenants"], strict=True)]
    return [entry for _position, entry in sorted(placed, key=lambda pair: pair[0])]


def _listed(part: Mapping[str, Any]) -> Sequence[Sequence[int]]:
    """Return where the tenants stand that a part lists: all of them, unless it was told to leave some out."""
    positions: Sequence[Sequence[int]] = part["shard"].get("listed", part["shard"]["positions"])
    return positions


def _hosts(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counted = Counter(host for part in parts for host in part["hosts"])
    doubled = sorted(host for host, count in counted.items() if count > 1)
    if doubled:
        raise OptionError(
            f"Hosts are in more than one part: {', '.join(doubled[:10])}.", next_step="Read all parts again, with the same hosts."
        )
    return {host: entry for part in parts for host, entry in part["hosts"].items()}


def _cursor(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the cursors of all tenants: each from the part that read the tenant, the old one where none did."""
    if not all(isinstance(part.get("cursor"), Mapping) for part in parts):
        return {}
    # By the name in lower case, since a part has that for a tenant it read, whatever the case of the name that the others were given.
    cursors: dict[str, tuple[str, Any]] = {}
    for part in parts:
        for name, entry in part["cursor"].items():
            cursors.setdefault(str(name).lower(), (name, entry))
    for part in parts:
        own = {str(entry["tenant_id"]).lower() for entry in part["tenants"]}
        # Those that are not listed are known by what makes a tenant one of this part.
        shard = Shard(part["shard"]["number"], part["shard"]["parts"]) if "listed" in part["shard"] else None
        cursors.update(
            {
                str(name).lower(): (name, entry)
                for name, entry in part["cursor"].items()
                if str(name).lower() in own or (shard is not None and shard.holds(str(name)))
            }
        )
    return {"cursor": dict(cursors.values())}


def _sum(first: Any, second: Any) -> Any:
    """Add two totals up: numbers, and what is below the same keys; lists one after the other.

    A part that read no tenant has None. It takes nothing from what another part found, but with a zero it stays unknown.
    """
    if first is None or second is None:
        known = second if first is None else first
        return known if (any(known.values()) if isinstance(known, Mapping) else known) else None
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {
            name: _sum(first[name], second[name]) if name in first and name in second else {**second, **first}[name]
            for name in {**first, **second}
        }
    if isinstance(first, bool) or isinstance(second, bool):
        return first and second
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return first + second
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    return first
