# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is generated: complete, repeatable, cheap."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from emulator.security import vocabulary as v
from emulator.security.dataset import Dataset
from emulator.security.generator import Generator, Plan
from emulator.security.times import DAY, iso, parse_iso, ticks_of

NOW = ticks_of(datetime(2026, 11, 1, 12, tzinfo=timezone.utc))
PLAN = Plan(seed="7:tenant", now=NOW, incidents=120)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset(PLAN)


def test_equal_plans_give_equal_data_and_other_seeds_give_other_data() -> None:
    def everything(plan: Plan) -> object:
        generator = Generator(plan)
        return [(incident, generator.alerts(number)) for number, incident in enumerate(generator.incidents())]

    small = replace(PLAN, incidents=12)
    assert everything(small) == everything(small)
    assert everything(small) != everything(replace(small, seed="8:tenant"))


def test_a_record_does_not_depend_on_which_others_were_generated_before(data: Dataset) -> None:
    generator = Generator(PLAN)
    assert generator.alerts(57) == list(data.alerts(generator.first_id + 57))
    assert generator.incident(3) == data.incidents[3]


@pytest.mark.parametrize(
    ("what", "expected", "found"),
    [
        ("severity", v.SEVERITIES, lambda data: {i.severity for i in data.incidents}),
        ("status", v.INCIDENT_STATUSES, lambda data: {i.status for i in data.incidents}),
        ("classification", v.CLASSIFICATIONS, lambda data: {i.classification for i in data.incidents}),
        ("determination", v.DETERMINATIONS, lambda data: {i.determination for i in data.incidents}),
        ("alert status", v.ALERT_STATUSES, lambda data: {a.status for i in data.incidents for a in data.alerts(i.id)}),
        ("service source", v.SERVICE_SOURCES, lambda data: {a.service_source for i in data.incidents for a in data.alerts(i.id)}),
        ("detection source", v.DETECTION_SOURCES, lambda data: {a.detection_source for i in data.incidents for a in data.alerts(i.id)}),
        ("investigation", v.INVESTIGATION_STATES, lambda data: {a.investigation_state for i in data.incidents for a in data.alerts(i.id)}),
        ("verdict", v.VERDICTS, lambda data: {e.verdict for i in data.incidents for a in data.alerts(i.id) for e in a.evidence}),
        (
            "remediation",
            v.REMEDIATIONS,
            lambda data: {e.remediation for i in data.incidents for a in data.alerts(i.id) for e in a.evidence},
        ),
    ],
)
def test_every_member_of_each_enumeration_occurs(data: Dataset, what: str, expected: tuple[str, ...], found: object) -> None:
    assert found(data) == set(expected) - {v.FUTURE}, what  # type: ignore[operator]


def test_every_kind_of_evidence_occurs_in_twenty_incidents() -> None:
    data = Dataset(replace(PLAN, incidents=20))
    kinds = {e.kind for i in data.incidents for a in data.alerts(i.id) for e in a.evidence}
    assert kinds == {
        "device", "user", "file", "process", "ip", "url", "mailbox", "analyzedMessage", "mailCluster", "registryKey", "registryValue",
        "securityGroup", "cloudApplication", "oauthApplication",
    }  # fmt: skip


def test_determinations_go_with_their_classification_except_the_withdrawn_ones(data: Dataset) -> None:
    for incident in data.incidents:
        if incident.determination not in ("unknown", "apt", "securityPersonnel"):
            assert incident.determination in v.DETERMINATIONS_BY_CLASSIFICATION[incident.classification]


def test_instants_lie_in_order_and_before_now(data: Dataset) -> None:
    for incident in data.incidents:
        assert NOW - 30 * DAY < incident.created <= incident.last_update < NOW
        assert all(incident.created <= comment.created <= incident.last_update for comment in incident.comments)


def test_some_instants_have_seven_digits_and_some_have_none(data: Dataset) -> None:
    lengths = {len(iso(incident.created)) for incident in data.incidents}
    assert {len("2026-11-01T12:00:00Z"), len("2026-11-01T12:00:00.1234567Z")} <= lengths


def test_merged_incidents_lead_to_a_live_one_once_over_two_hops(data: Dataset) -> None:
    hops = []
    for incident in data.incidents:
        if incident.redirect_id is None:
            assert incident.status != "redirected"
            continue
        assert incident.status == "redirected"
        assert not data.alerts(incident.id)
        target, count = incident, 0
        while target.redirect_id is not None:
            target, count = data.incident(target.redirect_id), count + 1  # type: ignore[assignment]
        hops.append(count)
        assert len(data.alerts(target.id)) > PLAN.alerts_max
    assert set(hops) == {1, 2}


def test_several_incidents_share_one_instant(data: Dataset) -> None:
    instants = [incident.last_update for incident in data.incidents]
    assert max(instants.count(instant) for instant in instants) == 3


def test_a_thousand_incidents_on_one_instant() -> None:
    data = Dataset(replace(PLAN, incidents=1_010, same_timestamp=1_000))
    assert len({key[0] for key in data.keys[-1_000:]}) == 1


def test_no_unknown_members_on_demand() -> None:
    data = Dataset(replace(PLAN, unknown_members=False))
    assert not {i.status for i in data.incidents} & v.hidden_members(v.INCIDENT_STATUSES)
    remediations = {e.remediation for i in data.incidents for a in data.alerts(i.id) for e in a.evidence}
    assert not remediations & v.hidden_members(v.REMEDIATIONS)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-10-12T08:15:43.6266667Z", "2026-10-12T08:15:43.6266667Z"),
        ("2026-10-12T08:15:43.5Z", "2026-10-12T08:15:43.5Z"),
        ("2026-10-12T08:15:43Z", "2026-10-12T08:15:43Z"),
        ("2026-10-12T10:15:43+02:00", "2026-10-12T08:15:43Z"),
        ("2026-10-12T08:15:43.62666679Z", "2026-10-12T08:15:43.6266667Z"),
        ("2026-10-12T08:15Z", "2026-10-12T08:15:00Z"),
    ],
)
def test_instants_are_read_and_written_to_the_seventh_digit(text: str, canonical: str) -> None:
    assert iso(parse_iso(text)) == canonical


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-10-12T08:15:43"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|instant"):
        parse_iso(text, offset_required=True)
