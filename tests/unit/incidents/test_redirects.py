# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.redirects import follow_redirects
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import normalise_incident
from unit.incidents.support import PLACE, graph_incident

Links = dict[str, "str | None"]


def _incident(number: str, successor: str | None) -> dict[str, Any]:
    merged = {"status": "redirected", "redirectIncidentId": successor} if successor else {}
    return normalise_incident(graph_incident(int(number), **merged), place=PLACE)


def _follow(listed: Links, elsewhere: Links) -> tuple[dict[str, tuple[str | None, list[str]]], list[str], list[str]]:
    asked: list[str] = []
    warnings: list[str] = []

    def lookup(incident_id: str) -> dict[str, Any] | None:
        asked.append(incident_id)
        return _incident(incident_id, elsewhere[incident_id]) if incident_id in elsewhere else None

    found = follow_redirects([_incident(*link) for link in listed.items()], lookup, warn=warnings.append)
    return {incident["id"]: (incident["redirected_to"], incident["redirected_from"]) for incident in found}, asked, warnings


@pytest.mark.parametrize(
    ("listed", "elsewhere", "linked", "asked"),
    [
        ({"1": None}, {}, {"1": (None, [])}, []),
        ({"1": "2"}, {"2": None}, {"1": ("2", []), "2": (None, ["1"])}, ["2"]),
        ({"1": "2", "2": None}, {}, {"1": ("2", []), "2": (None, ["1"])}, []),
        ({"1": "2"}, {"2": "3", "3": None}, {"1": ("3", []), "3": (None, ["1"])}, ["2", "3"]),
        ({"1": "3", "2": "3"}, {"3": None}, {"1": ("3", []), "2": ("3", []), "3": (None, ["1", "2"])}, ["3"]),
        ({"1": "2", "2": "3"}, {"3": None}, {"1": ("3", []), "2": ("3", []), "3": (None, ["1", "2"])}, ["3"]),
    ],
)
def test_merged_incidents_are_linked_with_the_one_that_lives_on_which_is_read_once(
    listed: Links, elsewhere: Links, linked: dict[str, tuple[str | None, list[str]]], asked: list[str]
) -> None:
    assert _follow(listed, elsewhere) == (linked, asked, [])


@pytest.mark.parametrize(
    ("listed", "elsewhere", "warning"),
    [
        ({"1": "1"}, {}, "Incident 1 is redirected in a circle (1 to 1); it stays as it is."),
        ({"1": "2"}, {"2": "1"}, "Incident 1 is redirected in a circle (1 to 2 to 1); it stays as it is."),
        ({"1": "2"}, {"2": "3", "3": "2"}, "Incident 1 is redirected in a circle (1 to 2 to 3 to 2); it stays as it is."),
        ({"1": "2"}, {}, "Incident 1 is redirected to 2, which the service does not know; it stays as it is."),
    ],
)
def test_a_chain_without_an_end_is_left_as_it_is_with_a_warning(listed: Links, elsewhere: Links, warning: str) -> None:
    found, _asked, warnings = _follow(listed, elsewhere)
    assert found == {"1": (None, [])}
    assert warnings == [warning]
