# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be written to bring an object to a state, without any service."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.changes import INCIDENT_STATUS, change_of, wanted_state
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import Place, normalise_incident
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.verdicts import DETERMINATIONS
from unit.writers.exchange import TENANT, defender_incident, graph_incident

PLACE = Place(tenant_id=TENANT, portal_url="https://security.microsoft.com")


def written(current: dict[str, Any], **options: Any) -> tuple[dict[str, Any], str | None]:
    """Return the members and the comment that options make necessary."""
    change = change_of(normalise_incident(current, place=PLACE), wanted_state(options, statuses=INCIDENT_STATUS))
    return dict(change.members), change.comment


@pytest.mark.parametrize(
    ("current", "options", "members"),
    [
        ({}, {"status": "active"}, {}),
        ({}, {"status": "Active"}, {}),
        ({}, {"status": "InProgress"}, {"status": "inProgress"}),
        ({}, {"assigned_to": ""}, {}),
        ({"assignedTo": "Unassigned"}, {"assigned_to": ""}, {}),
        ({"assignedTo": "a@contoso.example"}, {"assigned_to": "unassigned"}, {"assigned_to": None}),
        ({"assignedTo": "A@Contoso.example"}, {"assigned_to": "a@contoso.example"}, {}),
        ({"assignedTo": "a@contoso.example"}, {"assigned_to": "b@contoso.example"}, {"assigned_to": "b@contoso.example"}),
        ({"assignedTo": "a@contoso.example"}, {"status": "resolved"}, {"status": "resolved"}),
        ({"classification": "truePositive", "determination": "apt"}, {"classification": "truePositive"}, {}),
        ({"classification": "truePositive"}, {"classification": "unknown"}, {"classification": "unknown"}),
        (
            {"classification": "truePositive", "determination": "malware"},
            {"classification": "unknown", "determination": "unknown"},
            {"classification": "unknown", "determination": "unknown"},
        ),
        (
            {"classification": "truePositive", "determination": "malware"},
            {"determination": "phishing"},
            {"classification": "truePositive", "determination": "phishing"},
        ),
        ({}, {"classification": "falsePositive"}, {"classification": "falsePositive"}),
    ],
)
def test_only_what_differs_is_written(current: dict[str, Any], options: dict[str, Any], members: dict[str, Any]) -> None:
    assert written(graph_incident(**current), **options) == (members, None)


@pytest.mark.parametrize(
    ("there", "tags", "mode", "after"),
    [
        (["vip"], ["VIP"], "add", None),
        (["vip"], ["new", "New", " ", "vip"], "add", ["vip", "new"]),
        (["vip"], [], "add", None),
        (["a", "b"], ["B", "A"], "set", None),
        (["a", "b"], ["c"], "set", ["c"]),
        (["a"], [], "set", []),
        (["a", "B", "c"], ["b", "z"], "remove", ["a", "c"]),
        (["a"], ["z"], "remove", None),
    ],
)
def test_tags_are_added_set_and_removed(there: list[str], tags: list[str], mode: str, after: list[str] | None) -> None:
    members, _comment = written(graph_incident(customTags=there), tags=tags, tags_mode=mode)
    assert members == ({} if after is None else {"custom_tags": after})


@pytest.mark.parametrize(
    ("there", "comment", "added"),
    [
        ([], "Done.", "Done."),
        (["Done."], "Done.", None),
        (["Done. "], " Done.\n", None),
        (["one\r\ntwo"], "one\ntwo", None),
        (["Done"], "Done.", "Done."),
    ],
)
def test_a_comment_that_is_there_is_not_added_again(there: list[str], comment: str, added: str | None) -> None:
    comments = [{"comment": text} for text in there]
    assert written(graph_incident(comments=comments), comment=comment) == ({}, added)


@pytest.mark.parametrize(
    ("classification", "stored", "given"),
    [
        ("TruePositive", "CompromisedUser", "CompromisedAccount"),
        ("TruePositive", "CompromisedAccount", "compromisedUser"),
        ("InformationalExpectedActivity", "ConfirmedUserActivity", "confirmedActivity"),
        ("FalsePositive", "Clean", "NotMalicious"),
        ("FalsePositive", "NotMalicious", "clean"),
        ("FalsePositive", "NoEnoughDataToValidate", "InsufficientData"),
        ("FalsePositive", "InsufficientData", "notEnoughDataToValidate"),
        ("Unknown", "NotAvailable", "unknown"),
    ],
)
def test_synonyms_of_both_services_are_no_difference(classification: str, stored: str, given: str) -> None:
    current = defender_incident(classification=classification, determination=stored)
    assert written(current, classification=classification[:1].lower() + classification[1:], determination=given) == ({}, None)
    assert written(current, classification=classification, determination=given) == ({}, None)


ALL = sorted({name for names in DETERMINATIONS.values() for name in names})


@pytest.mark.parametrize(
    ("classification", "determination", "fits"), [(c, d, d in names) for c, names in DETERMINATIONS.items() for d in ALL]
)
def test_the_pairs_of_the_matrix_are_taken_and_no_others(classification: str, determination: str, fits: bool) -> None:
    if fits:
        members, _comment = written(graph_incident(), classification=classification, determination=determination)
        assert members == {"classification": classification, "determination": determination}
    else:
        with pytest.raises(OptionError, match="does not go with"):
            wanted_state({"classification": classification, "determination": determination}, statuses=INCIDENT_STATUS)


@pytest.mark.parametrize(
    ("current", "options"),
    [
        ({"classification": "truePositive", "determination": "malware"}, {"classification": "falsePositive"}),
        ({"classification": "unknown"}, {"determination": "malware"}),
        ({"classification": "falsePositive"}, {"determination": "phishing"}),
    ],
)
def test_a_pair_with_what_the_incident_has_is_checked_too(current: dict[str, Any], options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="does not go with") as caught:
        written(graph_incident(**current), **options)
    assert "goes with" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": "redirected"}, "cannot be set to 'redirected'"),
        ({"status": "awaitingAction"}, "cannot be set to"),
        ({"status": "resolve"}, "Did you mean resolved"),
        ({"determination": "apt"}, "cannot be set to 'apt'"),
        ({"determination": "phising"}, "Did you mean phishing"),
        ({"classification": "unknownFutureValue"}, "cannot be set to"),
        ({"comment": " \n"}, "comment is empty"),
    ],
)
def test_values_that_cannot_be_written_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        wanted_state(options, statuses=INCIDENT_STATUS)
