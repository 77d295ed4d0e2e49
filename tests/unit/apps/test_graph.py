# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AlreadyExists,
    ForeignOrigin,
    NotFound,
    ServiceError,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.graph import GraphClient, by_key, odata_text
from unit.apps.exchange import StubSession, created, done, missing, ok, page, refused
from unit.support.scripted_http import Answer, Clock, ScriptedSession, scripted_transport

URL = "https://graph.microsoft.com/v1.0"


def _client(*script: Answer) -> tuple[GraphClient, ScriptedSession, Clock]:
    transport, recorder, clock = scripted_transport(*script)
    return StubSession(transport, clock).graph(), recorder, clock


@pytest.mark.parametrize(
    ("value", "path", "literal"),
    [
        ("plain", "applications(uniqueName='plain')", "'plain'"),
        ("O'Neil", "applications(uniqueName='O%27%27Neil')", "'O''Neil'"),
        ("a/b c#d?e&f", "applications(uniqueName='a%2Fb%20c%23d%3Fe%26f')", "'a/b c#d?e&f'"),
        ("Zürich", "applications(uniqueName='Z%C3%BCrich')", "'Zürich'"),
    ],
)
def test_keys_and_literals_are_escaped(value: str, path: str, literal: str) -> None:
    assert by_key("applications", "uniqueName", value) == path
    assert odata_text(value) == literal


def test_a_collection_is_read_to_its_last_page_along_the_links_as_they_come() -> None:
    link = f"{URL}/applications?$skiptoken=RFNwd%2B2"
    client, recorder, _clock = _client(page({"id": "1"}, next_link=link), page({"id": "2"}))
    assert client.list_all("applications", attempted="listing", params={"$top": 1}) == [{"id": "1"}, {"id": "2"}]
    assert recorder.lines() == [f"GET {URL}/applications?%24top=1", f"GET {link}"]


def test_a_next_link_to_a_foreign_host_gets_no_token() -> None:
    client, recorder, _clock = _client(page(next_link="https://graph.fabrikam.example/v1.0/applications"))
    with pytest.raises(ForeignOrigin):
        client.list_all("applications", attempted="listing")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([page(next_link=f"{URL}/applications?a"), page(next_link=f"{URL}/applications?a")], "never end"),
        ([ok({"value": None})], "not a collection"),
        ([ok([1])], "not an object"),
        ([Answer(200, b"<html>")], "not JSON"),
    ],
)
def test_an_answer_that_is_no_collection_is_named_as_such(answers: list[Answer], message: str) -> None:
    client, _recorder, _clock = _client(*answers)
    with pytest.raises(TransportError, match=message):
        client.list_all("applications", attempted="listing")


def test_an_object_that_is_not_there_is_none() -> None:
    client, _recorder, _clock = _client(missing())
    assert client.find("applications/x", attempted="reading") is None


def test_patch_tells_a_creation_from_an_update() -> None:
    client, _recorder, _clock = _client(created({"id": "1"}), done())
    assert client.patch("applications(uniqueName='x')", {}, attempted="creating") == {"id": "1"}
    assert client.patch("applications(uniqueName='x')", {}, attempted="creating") is None


def test_deleting_what_is_gone_is_no_fault() -> None:
    client, recorder, _clock = _client(missing())
    client.delete("applications/x", attempted="deleting")
    assert len(recorder.requests) == 1


LAG = [
    missing(),
    refused(400, "Request_BadRequest", "The appId 'x' of the service principal does not reference a valid application object."),
    refused(400, "Request_BadRequest", "Not a valid reference update."),
    refused(409, "ConcurrencyViolation", "The object was changed meanwhile and already exists."),
]


@pytest.mark.parametrize("lag", LAG, ids=["404", "unknown app", "unknown reference", "lost race"])
def test_a_write_is_repeated_while_the_directory_lags(lag: Answer) -> None:
    client, recorder, clock = _client(lag, lag, created({"id": "1"}))
    assert client.when_replicated(lambda: client.post("servicePrincipals", {"appId": "x"}, attempted="creating"), timeout=10) == {"id": "1"}
    assert len(recorder.requests) == 3
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400, "Request_BadRequest", "Invalid value."), ServiceError),
        (refused(409, "Request_MultipleObjectsWithSameKeyValue", "x"), AlreadyExists),
    ],
)
def test_what_waiting_does_not_cure_is_not_repeated(answer: Answer, kind: type[Exception]) -> None:
    client, recorder, _clock = _client(answer)
    with pytest.raises(kind):
        client.when_replicated(lambda: client.post("servicePrincipals", {}, attempted="creating"), timeout=10)
    assert len(recorder.requests) == 1


def test_waiting_ends_with_the_fault_and_how_to_wait_longer() -> None:
    client, _recorder, clock = _client(*[missing()] * 5)
    with pytest.raises(NotFound, match="raise replication_timeout"):
        client.when_replicated(lambda: client.get("applications/x", attempted="reading"), timeout=8)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]


def test_waits_grow_to_five_seconds_and_no_further() -> None:
    client, _recorder, clock = _client()
    assert client.wait_until(lambda: False, timeout=20) is False
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize(("outcomes", "result"), [([NotFound("x"), False, True], True), ([NotFound("x")] * 9, False)])
def test_a_read_that_finds_nothing_yet_is_repeated(outcomes: list[Any], result: bool) -> None:
    client, _recorder, _clock = _client()
    left = list(outcomes)

    def _condition() -> bool:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    condition: Callable[[], bool] = _condition
    assert client.wait_until(condition, timeout=5) is result
