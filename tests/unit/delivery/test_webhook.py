# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A webhook gets each version at least once, always with the same key, and nothing that is not for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery.webhook import Webhook, idempotency_key
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, ServiceError, Throttled, TransportError
from unit.delivery.support import FABRIKAM, batch_of, incident
from unit.support.scripted_http import Answer, Clock, ScriptedSession, scripted_transport

URL = "https://siem.contoso.example/hooks/s3cr3t-part"


def webhook(*script: Answer, **headers: str) -> tuple[Webhook, ScriptedSession, Clock]:
    """A webhook that answers by a script."""
    transport, session, clock = scripted_transport(*script)
    return Webhook(transport, url=URL, headers=headers), session, clock


def test_each_version_is_one_post_with_its_key(tmp_path: Path) -> None:
    rows = [incident(1, 1), incident(1, 2)]
    sink, session, _clock = webhook(Answer(), Answer(202), Authorization="Bearer of-the-receiver", **{"X-Source": "contoso"})
    assert sink.deliver(batch_of(tmp_path / "batch", rows)).versions == 2
    assert [request.line() for request in session.requests] == [f"POST {URL}"] * 2
    assert [request.json for request in session.requests] == rows
    keys = [request.headers["Idempotency-Key"] for request in session.requests]
    assert keys == [idempotency_key((FABRIKAM, "1", row["last_update_date_time"])) for row in rows]
    assert len(set(keys)) == 2
    assert {request.headers["Authorization"] for request in session.requests} == {"Bearer of-the-receiver"}
    assert {request.headers["X-Source"] for request in session.requests} == {"contoso"}


def test_the_key_of_a_version_stays_the_same_for_ever() -> None:
    key = idempotency_key((FABRIKAM, "924565", "2026-11-20T00:00:01.0000000Z"))
    assert key == "4b206e63a9d6443ff678e6c32567a61c46d68bc368f4f91bb810d54c471a5657"


def test_a_receiver_that_stumbles_gets_the_same_again_and_is_obeyed(tmp_path: Path) -> None:
    script = [Answer(503, headers={"Retry-After": "7"}), Answer(429, headers={"Retry-After": "11"}), Answer(500), Answer(204)]
    sink, session, clock = webhook(*script)
    sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))
    assert clock.slept[:2] == [7.0, 11.0]
    assert len({request.headers["Idempotency-Key"] for request in session.requests}) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer(400, {"why": "no such field"}), ServiceError, "no such field"),
        (Answer(401), ServiceError, "Correct its authorization"),
        (Answer(404), ServiceError, "Correct the URL"),
        (Answer(302, headers={"Location": "https://elsewhere.example/"}), ServiceError, "It moved"),
        (Answer(429, headers={"Retry-After": "100000"}), Throttled, "limits the number of requests"),
    ],
)
def test_what_is_not_taken_ends_the_delivery(tmp_path: Path, answer: Answer, kind: type[ServiceError], says: str) -> None:
    sink, session, _clock = webhook(Answer(), answer)
    with pytest.raises(kind, match=says) as caught:
        sink.deliver(batch_of(tmp_path / "batch", [incident(number, 1) for number in range(3)]))
    assert "Posting incident 1 of 2026-11-20T00:00:01.0000000Z" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert len(session.requests) == 2


def test_a_dry_run_posts_nothing(tmp_path: Path) -> None:
    sink, _session, _clock = webhook()
    assert sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]), dry_run=True).versions == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.contoso.example/s3cr3t",
        "siem.contoso.example",
        "https:///s3cr3t",
        "https://user:s3cr3t@siem.contoso.example",
        "https://siem.contoso.example/ s3cr3t",
        "https://[s3cr3t",
        "",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(OptionError, match=r"webhook\.url") as caught:
        Webhook(scripted_transport()[0], url=url, headers={})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "one\r\nX-B: s3cr3t"}, {"X-A": " s3cr3t"}, {"X-A": ""}, {"X A": "s3cr3t"}, {"idempotency-key": "s3cr3t"}, {"Host": "s3cr3t"}],
)
def test_a_header_that_is_none_is_refused_and_not_shown(headers: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="header") as caught:
        Webhook(scripted_transport()[0], url=URL, headers=headers)
    assert "s3cr3t" not in str(caught.value)


def test_a_connection_that_broke_is_tried_again(tmp_path: Path) -> None:
    requests: Any = pytest.importorskip("requests")
    sink, session, _clock = webhook(Answer(raises=requests.exceptions.ConnectionError("reset")), Answer())
    sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))
    assert len(session.requests) == 2


def test_a_certificate_that_nobody_vouches_for_ends_the_delivery_at_once(tmp_path: Path) -> None:
    requests: Any = pytest.importorskip("requests")
    sink, _session, _clock = webhook(Answer(raises=requests.exceptions.SSLError("self-signed")))
    with pytest.raises(TransportError, match="TLS certificate"):
        sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))


@pytest.mark.parametrize(
    "said",
    [
        "no hook s3cr3t-part here",
        "POST /hooks/s3cr3t-part",
        "bad token of-the-receiver",
        "got Bearer of-the-receiver",
        "key a b/c==",
        "x" * 281 + "/s3cr3t-part",
    ],
)
def test_what_a_receiver_says_back_of_its_secrets_is_not_shown(tmp_path: Path, said: str) -> None:
    sink, _session, _clock = webhook(Answer(400, {"why": said}), Authorization="Bearer of-the-receiver", **{"X-Key": "a b/c=="})
    with pytest.raises(ServiceError) as caught:
        sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))
    shown = f"{caught.value} {caught.value.as_dict()}"
    assert not any(secret in shown for secret in ("s3cr3t", "of-the-receiver", "a b/c=="))
    assert "siem.contoso.example" in shown


def test_what_a_library_says_of_the_url_is_not_shown(tmp_path: Path) -> None:
    requests: Any = pytest.importorskip("requests")
    sink, _session, _clock = webhook(Answer(raises=requests.exceptions.InvalidURL(f"no such thing as {URL}")))
    with pytest.raises(TransportError) as caught:
        sink.deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))
    assert "s3cr3t" not in f"{caught.value} {caught.value.as_dict()}"
