# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts from a service that chokes on them: smaller pages, then incident by incident, and that is remembered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import ServiceError, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import expansion
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.expansion import ExpansionMemory
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.query import IncidentQuery
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.reader import read_by_id
from unit.incidents.support import GRAPH_LIST, graph_error, graph_incident, ids, intake, page, reader, script
from unit.support.scripted_http import Answer

OTHER_TENANT = "11111111-1111-4111-8111-000000000002"


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    expansion.forget_expansions()
    yield
    expansion.forget_expansions()


def _url(top: int, *, skip: int = 0, expand: bool = True) -> str:
    skipped = f"&$skip={skip}" if skip else ""
    return f"GET {GRAPH_LIST}?$top={top}{skipped}&$orderby=lastUpdateDateTime%20desc{'&$expand=alerts' if expand else ''}&$count=true"


def _with_alerts(number: int, **members: object) -> dict[str, object]:
    return graph_incident(number, alerts=[{"id": f"a{number}", "serviceSource": "microsoftSentinel"}], **members)


def test_alerts_come_along_where_the_service_can() -> None:
    session = script(page(_with_alerts(1)))
    found = reader(intake(session, include_alerts=True)).collect()
    assert ids(found[0]["alerts"]) == ["a1"]
    assert session.lines() == [_url(50)]


def test_one_fault_is_not_taken_for_an_overload() -> None:
    session = script(graph_error(500), page(_with_alerts(1)), page(_with_alerts(1)))
    reader(intake(session, include_alerts=True)).collect()
    reader(intake(session, include_alerts=True)).collect()
    assert session.lines() == [_url(50)] * 3


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_overloaded_service_is_asked_for_smaller_pages_and_that_is_remembered_for_the_tenant(status: int) -> None:
    session = script(*[graph_error(status)] * 2, page(_with_alerts(1)), page(_with_alerts(1)), page(_with_alerts(2)))
    assert len(reader(intake(session, include_alerts=True)).collect()) == 1
    assert len(reader(intake(session, include_alerts=True)).collect()) == 1
    assert len(reader(intake(session, include_alerts=True, tenant_id=OTHER_TENANT)).collect()) == 1
    assert session.lines() == [_url(50), _url(50), _url(10), _url(10), _url(50)]


def test_an_overload_in_the_middle_goes_on_where_it_was_with_smaller_pages() -> None:
    first = [_with_alerts(number) for number in range(70, 20, -1)]
    link = f"{GRAPH_LIST}?$skiptoken=2"
    second = [_with_alerts(number) for number in range(20, 10, -1)]
    session = script(
        page(*first, next_link=link, total=70),
        *[graph_error(504)] * 2,
        page(*second, next_link=f"{GRAPH_LIST}?$skiptoken=3", total=70),
        page(*[_with_alerts(number) for number in range(10, 0, -1)], total=70),
    )
    reading = reader(intake(session, include_alerts=True))
    assert len(reading.collect()) == 70
    assert reading.report.complete
    assert session.lines() == [_url(50), f"GET {link}", f"GET {link}", _url(10, skip=50), f"GET {GRAPH_LIST}?$skiptoken=3"]


def test_at_last_alerts_are_read_incident_by_incident_for_those_that_are_wanted() -> None:
    tagged = [graph_incident(3, customTags=["vip"]), graph_incident(2), graph_incident(1, customTags=["vip"])]
    session = script(
        *[graph_error(500)] * 4,
        page(*tagged, total=3),
        Answer(body=_with_alerts(3, customTags=["vip"])),
        Answer(body=_with_alerts(1, customTags=["vip"])),
    )
    reading = reader(intake(session, IncidentQuery(tags=("vip",)), include_alerts=True))
    assert [ids(incident["alerts"]) for incident in reading.collect()] == [["a3"], ["a1"]]
    assert reading.report.complete
    expected = [_url(50), _url(50), _url(10), _url(10), _url(50, expand=False)]
    assert session.lines() == [*expected, f"GET {GRAPH_LIST}/3?$expand=alerts", f"GET {GRAPH_LIST}/1?$expand=alerts"]


def test_an_incident_whose_alerts_nobody_gives_is_returned_without_them_and_the_result_is_partial() -> None:
    session = script(*[graph_error(500)] * 4, page(graph_incident(7)), *[graph_error(500)] * 2)
    reading = reader(intake(session, include_alerts=True))
    found = reading.collect()
    assert (found[0]["id"], found[0]["alerts"]) == ("7", None)
    assert reading.report.reason == "the service did not give the alerts of incident 7"


def test_a_service_that_ignores_the_expansion_is_asked_for_each_incident() -> None:
    session = script(page(graph_incident(7)), Answer(body=_with_alerts(7)))
    found = reader(intake(session, include_alerts=True)).collect()
    assert ids(found[0]["alerts"]) == ["a7"]


def test_a_filter_on_products_reads_the_alerts_but_does_not_return_them() -> None:
    session = script(page(_with_alerts(2), graph_incident(1, alerts=[{"id": "a1", "serviceSource": "OfficeATP"}])))
    found = reader(intake(session, IncidentQuery(service_sources=("microsoftDefenderForOffice365",)))).collect()
    assert [(incident["id"], incident["alerts"]) for incident in found] == [("1", None)]
    assert session.lines() == [_url(50)]


def test_a_refusal_is_no_overload() -> None:
    session = script(graph_error(400, "BadRequest", "no"))
    with pytest.raises(ServiceError, match="HTTP 400"):
        reader(intake(session, include_alerts=True)).collect()
    assert len(session.requests) == 1


def test_alerts_that_come_on_pages_of_their_own_are_all_read() -> None:
    link = f"{GRAPH_LIST}/1/alerts?$skiptoken=x"
    long_one = {**_with_alerts(1), "alerts@odata.nextLink": link}
    session = script(page(long_one), Answer(body={"value": [{"id": "b"}]}))
    found = reader(intake(session, include_alerts=True)).collect()
    assert ids(found[0]["alerts"]) == ["a1", "b"]
    assert session.lines()[1] == f"GET {link}"


@pytest.mark.parametrize("by_id", [False, True])
def test_a_partial_page_of_alerts_makes_the_result_partial(*, by_id: bool) -> None:
    long_one = {**_with_alerts(1), "alerts@odata.nextLink": f"{GRAPH_LIST}/1/alerts?$skiptoken=x"}
    partial = Answer(status=206, body={"value": [{"id": "b"}]}, headers={"Warning": '199 - "Microsoft/Defender/504/10000"'})
    taken = intake(script(Answer(body=long_one) if by_id else page(long_one), partial), include_alerts=True)
    found = read_by_id(taken, ["1"])[0] if by_id else reader(taken).collect()
    assert ids(found[0]["alerts"]) == ["a1", "b"]
    assert "HTTP 206" in (taken.report.reason or "")
    assert "Microsoft/Defender/504/10000" in (taken.report.reason or "")


@pytest.mark.parametrize("link", [5, True, False, 0, {}, [], ["x"]])
def test_a_link_to_further_alerts_that_is_no_text_is_refused(link: Any) -> None:
    session = script(page({**_with_alerts(1), "alerts@odata.nextLink": link}))
    with pytest.raises(TransportError, match="next link that is no text"):
        reader(intake(session, include_alerts=True)).collect()


def test_what_one_process_of_a_run_learned_the_next_one_knows(tmp_path: Path) -> None:
    session = script(*[graph_error(500)] * 2, page(_with_alerts(1)), page(_with_alerts(1)))
    reader(intake(session, include_alerts=True, memory=ExpansionMemory(str(tmp_path)))).collect()
    expansion.forget_expansions()
    reader(intake(session, include_alerts=True, memory=ExpansionMemory(str(tmp_path)))).collect()
    assert session.lines()[2:] == [_url(10), _url(10)]
    hint = next(tmp_path.iterdir())
    assert os.stat(hint).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "x", "99999", "-1"])
def test_a_hint_that_is_spoilt_is_harmless(tmp_path: Path, content: str) -> None:
    memory = ExpansionMemory(str(tmp_path))
    memory.remember("key", 1)
    next(tmp_path.iterdir()).write_text(content)
    expansion.forget_expansions()
    assert memory.step("key") in (0, expansion.PER_INCIDENT)
