# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.keys import IssuerKeys
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import MemoryStore
from unit.identity.tokens import LOGIN, jwk, private_key
from unit.support.scripted_http import Answer, ScriptedSession, scripted_transport

URL = f"{LOGIN}/common/discovery/keys"
URL_V2 = f"{LOGIN}/common/discovery/v2.0/keys"
HOUR = 3600.0


class Now:
    """The time of day, set by tests."""

    def __init__(self) -> None:
        self.value = 1_800_000_000.0

    def __call__(self) -> float:
        return self.value


def published(*names: str, **changes: Any) -> Answer:
    return Answer(200, {"keys": [jwk(name, **changes) for name in names]})


def issuer_keys(*script: Answer, deadline: float = 300.0) -> tuple[IssuerKeys, ScriptedSession, Now]:
    transport, session, _clock = scripted_transport(*script, deadline=deadline)
    now = Now()
    return IssuerKeys(LOGIN, transport, MemoryStore(), now=now), session, now


def is_key(found: Any, name: str) -> bool:
    return found is not None and found[0].public_numbers() == private_key(name).public_key().public_numbers()


@pytest.mark.parametrize(("version", "url"), [("1.0", URL), ("2.0", URL_V2)])
def test_keys_come_from_the_configured_login_host_in_one_request(version: str, url: str) -> None:
    keys, session, _now = issuer_keys(published("first", "second"))
    assert is_key(keys.find("second", version=version), "second")
    assert is_key(keys.find("first", version=version), "first")
    assert session.lines() == [f"GET {url}"]


def test_a_new_key_is_found_by_asking_again_at_once() -> None:
    keys, session, now = issuer_keys(published("first"), published("first", "second"))
    assert is_key(keys.find("first", version="1.0"), "first")
    now.value += 1
    assert is_key(keys.find("second", version="1.0"), "second")
    assert len(session.requests) == 2


def test_unknown_keys_are_looked_for_once_in_five_minutes() -> None:
    keys, session, now = issuer_keys(*[published("first")] * 3)
    keys.find("first", version="1.0")
    for name in ("a", "b", "c"):
        assert keys.find(name, version="1.0") is None
    assert len(session.requests) == 2
    now.value += 299
    assert keys.find("d", version="1.0") is None
    assert len(session.requests) == 2
    now.value += 1
    assert keys.find("d", version="1.0") is None
    assert len(session.requests) == 3


def test_keys_are_fetched_again_after_half_a_day() -> None:
    keys, session, now = issuer_keys(published("first"), published("second"))
    keys.find("first", version="1.0")
    now.value += 12 * HOUR - 1
    assert is_key(keys.find("first", version="1.0"), "first")
    now.value += 1
    assert keys.find("first", version="1.0") is None
    assert len(session.requests) == 2


def test_old_keys_serve_for_a_day_while_new_ones_cannot_be_had() -> None:
    keys, _session, now = issuer_keys(published("first"), Answer(404, b"gone"), Answer(404, b"gone"))
    keys.find("first", version="1.0")
    now.value += 13 * HOUR
    assert is_key(keys.find("first", version="1.0"), "first")
    now.value += 11 * HOUR
    with pytest.raises(TransportError, match="set of keys"):
        keys.find("first", version="1.0")


@pytest.mark.parametrize("answer", [Answer(200, {"no": 1}), Answer(200, []), Answer(200, b"<html>"), Answer(404, b""), Answer(302, b"")])
def test_what_is_no_set_of_keys_is_an_error(answer: Answer) -> None:
    keys, _session, _now = issuer_keys(answer)
    with pytest.raises(TransportError):
        keys.find("first", version="1.0")


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"n": None},
        {"n": "%%%"},
        {"n": "AQAB"},
        {"e": 65537},
    ],
    ids=str,
)
def test_a_key_that_cannot_have_signed_a_token_is_not_used(changes: dict[str, Any]) -> None:
    keys, _session, _now = issuer_keys(published("first", **changes), published("first", **changes))
    assert keys.find("first", version="1.0") is None


def test_a_key_without_use_signs_and_names_its_issuer() -> None:
    entry = {name: value for name, value in jwk("first", issuer="https://issuer/{tenantid}/v2.0").items() if name != "use"}
    keys, _session, _now = issuer_keys(Answer(200, {"keys": ["odd", entry]}))
    found = keys.find("first", version="2.0")
    assert is_key(found, "first")
    assert found is not None
    assert found[1] == "https://issuer/{tenantid}/v2.0"


def test_a_weak_key_is_not_used() -> None:
    numbers = private_key("weak", 1024).public_key().public_numbers()
    weak = jwk("first")
    weak["n"] = __import__("base64").urlsafe_b64encode(numbers.n.to_bytes(128, "big")).decode().rstrip("=")
    keys, _session, _now = issuer_keys(Answer(200, {"keys": [weak]}))
    assert keys.find("first", version="1.0") is None


def test_a_worker_that_waited_for_another_one_uses_what_that_one_fetched() -> None:
    transport, session, _clock = scripted_transport(published("first"))
    store, now = MemoryStore(), Now()
    keys = IssuerKeys(LOGIN, transport, store, now=now)
    reads = []

    class Late(MemoryStore):
        """Shows the other worker's keys only after the lock was taken, as if it had just written them."""

        def read(self, name: str, material: bytes | None) -> dict[str, Any] | None:
            reads.append(name)
            return None if len(reads) == 1 else store.read(name, material)

    keys.find("first", version="1.0")
    assert is_key(IssuerKeys(LOGIN, transport, Late(), now=now).find("first", version="1.0"), "first")
    assert len(session.requests) == 1
