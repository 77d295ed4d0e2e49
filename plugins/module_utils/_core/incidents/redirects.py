# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Merged incidents: who merged into whom, to the end of the chain, and never in a circle.

A merged incident has the status `redirected` and names its successor, which may itself have been merged since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

# Returns the incident with an id in the one schema, or None where there is none.
Lookup = Callable[[str], "dict[str, Any] | None"]


def successor_of(incident: Mapping[str, Any]) -> str | None:
    """Return the id of the incident that this one was merged into, or None."""
    successor = incident["redirect_incident_id"]
    return str(successor) if incident["status"] == "redirected" and successor else None


def follow_redirects(incidents: Iterable[dict[str, Any]], lookup: Lookup, *, warn: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the incidents and, after the last of them, those at the end of a redirection that were not among them.

    A merged incident's `redirected_to` names the end of its chain, and that one's `redirected_from` all that lead to it.
    What cannot be followed (a circle, a successor that is gone) stays as it was, with a warning.
    """
    result = list(incidents)
    known: dict[str, dict[str, Any] | None] = {incident["id"]: incident for incident in result if incident["id"]}
    listed = set(known)

    def _get(incident_id: str) -> dict[str, Any] | None:
        if incident_id not in known:
            known[incident_id] = lookup(incident_id)
        return known[incident_id]

    for incident in tuple(result):
        if successor_of(incident) is None:
            continue
        end = _end_of_chain(incident, _get, warn)
        if end is None:
            continue
        incident["redirected_to"] = end["id"]
        end["redirected_from"] = [*end["redirected_from"], incident["id"]]
        if end["id"] not in listed:
            listed.add(end["id"])
            result.append(end)
    return result


def _end_of_chain(incident: Mapping[str, Any], get: Lookup, warn: Callable[[str], None]) -> dict[str, Any] | None:
    passed = [str(incident["id"])]
    successor = successor_of(incident)
    end: dict[str, Any] | None = None
    while successor is not None:
        if successor in passed:
            warn(f"Incident {passed[0]} is redirected in a circle ({' to '.join([*passed, successor])}); it stays as it is.")
            return None
        passed.append(successor)
        end = get(successor)
        if end is None:
            warn(f"Incident {passed[0]} is redirected to {successor}, which the service does not know; it stays as it is.")
            return None
        successor = successor_of(end)
    return end
