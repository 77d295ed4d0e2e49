# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import resolve_endpoints
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    ContractViolation,
    CredentialError,
    OptionError,
    PartnerError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.fleet import Finding, Places, run_fleet
from ansible_collections.m365d.partner.plugins.module_utils._core.identity import source as source_module
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.azure_cli import AzureCli
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.base import Grant, TokenRequest
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.cache import REFUSAL_SECONDS, CachedToken, CacheKey, TokenCache
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_secret import ClientSecret
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.diagnosis import diagnose
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.ready_token import ReadyToken
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.source import TokenSource
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import MemoryStore
from unit.identity.tokens import CLIENT, GRAPH, MTP, NOW, OTHER_TENANT, SECRET, TENANT, answer, claims, refusal, token
from unit.support.scripted_http import Answer, ScriptedSession, scripted_transport


class Clock:
    """The time of day, moved by tests."""

    def __init__(self, value: float = NOW) -> None:
        self.value = value

    def __call__(self) -> float:
        return self.value


@dataclass
class Bench:
    """A source with everything around it."""

    source: TokenSource
    session: ScriptedSession
    clock: Clock
    slept: list[float] = field(default_factory=list)

    def get(self, **options: Any) -> Any:
        return self.source.get(options.pop("tenant", TENANT), options.pop("resource", MTP), **options)

    @property
    def requests(self) -> int:
        return len(self.session.requests)


Build = Callable[..., Bench]


@pytest.fixture(params=["files", "memory"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    memory = MemoryStore()

    def make(*script: Answer, credential: Any = None, clock: Clock | None = None, **changes: Any) -> Bench:
        transport, session, _clock = scripted_transport(*script)
        used, moment, slept = credential or ClientSecret(SECRET), clock or Clock(), []
        cache = TokenCache(str(tmp_path) if request.param == "files" else None, used.material, now=moment)
        if request.param == "memory":
            cache.store = memory
        arguments = {"client_id": CLIENT, "endpoints": resolve_endpoints("global"), "transport": transport, "cache": cache, **changes}
        return Bench(TokenSource(used, **arguments, now=moment, sleep=slept.append), session, moment, slept)

    return make


def issued(*names: str, expires_in: int = 3599) -> list[Answer]:
    return [Answer(200, answer(token(claims(uti=name)), expires_in=expires_in)) for name in names]


def test_a_token_is_asked_for_once_and_then_taken_from_the_cache(build: Build) -> None:
    bench = build(*issued("1"))
    first, second = bench.get(), bench.get()
    assert (first.source, second.source, bench.requests) == ("network", "cache", 1)
    assert second.value == first.value
    assert (first.tenant_id, first.resource, first.client_id, first.auth_method) == (TENANT, MTP, CLIENT, "client_secret")
    assert first.expires_at == second.expires_at == NOW + 3599
    assert first.value not in repr(first)


def test_the_v2_endpoint_is_asked_where_none_is_named(build: Build) -> None:
    bench = build(*issued("1"))
    bench.get()
    assert bench.session.lines() == [f"POST https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"]


def test_another_source_finds_what_this_one_kept(build: Build) -> None:
    build(*issued("1")).get()
    assert build().get().source == "cache"


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoints": resolve_endpoints("global", login_url="https://login.example.test")},
        {"client_id": "22222222-2222-4222-8222-000000000002"},
        {"credential": ClientSecret("another-secret")},
    ],
    ids=["login host", "app", "credential"],
)
def test_a_token_is_kept_for_its_login_host_app_and_credential_alone(build: Build, changes: dict[str, Any]) -> None:
    build(*issued("1")).get()
    other = build(*issued("2"), **changes)
    assert other.get().source == "network"


def test_a_token_is_kept_for_its_tenant_and_resource_alone(build: Build) -> None:
    other = Answer(200, answer(token(claims(tid=OTHER_TENANT))))
    bench = build(*issued("1", "2"), other)
    assert [bench.get().source, bench.get(resource=GRAPH).source, bench.get(tenant=OTHER_TENANT).source] == ["network"] * 3


@pytest.mark.parametrize(
    ("lifetime", "age", "source"),
    [
        (3599, 3298, "cache"),
        (3599, 3300, "network"),
        (60, 53, "cache"),
        (60, 54, "network"),
        (60, 55, "network"),
        (3599, 4000, "network"),
        (3599, -400, "network"),
    ],
)
def test_a_token_is_renewed_before_it_ends_and_when_the_clock_went_back(build: Build, lifetime: int, age: int, source: str) -> None:
    bench = build(*issued("1", "2", expires_in=lifetime))
    bench.get()
    bench.clock.value += age
    assert bench.get().source == source


def test_a_token_that_ends_sooner_than_demanded_is_renewed(build: Build) -> None:
    bench = build(*issued("1", "2"))
    bench.get()
    assert bench.get(min_lifetime=3598).source == "cache"
    assert bench.get(min_lifetime=3599).source == "network"


def test_force_refresh_and_a_claims_challenge_pass_the_cache_by_and_fill_it(build: Build) -> None:
    bench = build(*issued("1", "2", "3"))
    bench.get()
    assert bench.get(force_refresh=True).claims["uti"] == "2"
    assert bench.get(claims='{"access_token":{}}').claims["uti"] == "3"
    assert bench.session.requests[2].form["claims"] == '{"access_token":{}}'
    assert (bench.get().claims["uti"], bench.requests) == ("3", 3)


def test_a_purge_forgets_one_tenant_or_all(build: Build) -> None:
    other = Answer(200, answer(token(claims(tid=OTHER_TENANT))))
    bench = build(*issued("1"), other, *issued("2", "3"), other)
    bench.get()
    bench.get(tenant=OTHER_TENANT)
    assert bench.source.purge(TENANT.upper()) == 1
    assert [bench.get().source, bench.get(tenant=OTHER_TENANT).source] == ["network", "cache"]
    assert bench.source.purge() == 2
    assert [bench.get().source, bench.get(tenant=OTHER_TENANT).source] == ["network", "network"]


def test_a_record_that_is_no_token_is_a_miss(build: Build) -> None:
    bench = build(*issued("1"))
    credential = bench.source.credential
    key = CacheKey("https://login.microsoftonline.com", CLIENT, TENANT, MTP, f"{credential.kind}:{credential.fingerprint}")
    for record in (
        {},
        {"value": "a.b.c"},
        {"value": "a.b.c", "obtained_at": "x", "expires_at": 1},
        {"value": "v", "obtained_at": None, "expires_at": 1},
    ):
        bench.source.cache.store.write(key.name, record, credential.material)
        assert bench.source.cache.get(key) is None
    assert bench.get().source == "network"


def test_the_names_of_records_tell_nothing(build: Build) -> None:
    key = CacheKey("https://login.microsoftonline.com", CLIENT, TENANT, MTP, "client_secret:x")
    for name in (key.name, key.refusal_name):
        assert TENANT not in name
        assert CLIENT not in name


def test_a_kept_token_is_not_shown() -> None:
    assert "t.o.k" not in repr(CachedToken("t.o.k", 1.0, 2.0))


# --- refusals ------------------------------------------------------------------------------------------------------


def test_a_refused_credential_is_not_tried_again_for_other_tenants_for_ten_seconds(build: Build) -> None:
    assert REFUSAL_SECONDS == 10.0
    wrong = Answer(401, refusal(7000215, "invalid_client"))
    bench = build(wrong, wrong, wrong)
    with pytest.raises(CredentialError) as first:
        bench.get()
    with pytest.raises(CredentialError) as second:
        bench.get(tenant=OTHER_TENANT)
    assert bench.requests == 1
    assert second.value.tenant_id == OTHER_TENANT
    assert (second.value.code, second.value.state, second.value.scope, second.value.retryable) == (
        first.value.code,
        first.value.state,
        "credential",
        True,
    )
    assert second.value.message == first.value.message
    with pytest.raises(CredentialError):
        bench.get(force_refresh=True)
    assert bench.requests == 2
    bench.clock.value += REFUSAL_SECONDS
    with pytest.raises(CredentialError):
        bench.get()
    assert bench.requests == 3


def test_it_is_known_for_how_long_a_credential_has_been_refused(build: Build) -> None:
    wrong = Answer(401, refusal(7000215, "invalid_client"))
    bench = build(*[wrong] * 4)

    def refused(tenant: str) -> float:
        with pytest.raises(CredentialError):
            bench.get(tenant=tenant, force_refresh=True)
        return bench.source.refused_for(TENANT, MTP)

    assert bench.source.refused_for(TENANT, MTP) == 0
    assert refused(TENANT) == 0
    bench.clock.value += 59
    assert bench.source.refused_for(OTHER_TENANT, MTP) == 59
    assert refused(OTHER_TENANT) == 59
    bench.clock.value += 59
    assert refused(TENANT) == 118
    assert bench.source.refused_for(TENANT, GRAPH) == 0
    bench.clock.value += 60
    assert bench.source.refused_for(TENANT, MTP) == 0
    assert refused(TENANT) == 0
    bench.clock.value -= 1
    assert bench.source.refused_for(TENANT, MTP) == 0


def test_a_refusal_concerns_the_credential_app_and_resource_that_were_refused_alone(build: Build) -> None:
    bench = build(Answer(401, refusal(7000215, "invalid_client")), *issued("1"))
    with pytest.raises(CredentialError):
        bench.get()
    assert bench.get(resource=GRAPH).source == "network"
    assert build(*issued("1"), credential=ClientSecret("a-new-secret")).get().source == "network"
    assert build(*issued("1"), client_id="22222222-2222-4222-8222-000000000002").get().source == "network"


def test_the_refusal_of_one_tenant_says_nothing_about_the_next(build: Build) -> None:
    other = Answer(200, answer(token(claims(tid=OTHER_TENANT))))
    bench = build(Answer(400, refusal(700016, "unauthorized_client")), other, Answer(400, refusal(700016, "unauthorized_client")))
    with pytest.raises(AuthenticationError):
        bench.get()
    assert bench.get(tenant=OTHER_TENANT).source == "network"
    with pytest.raises(AuthenticationError):
        bench.get()


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        pytest.param(Answer(400, refusal(700016, "unauthorized_client")), False, id="not consented"),
        pytest.param(Answer(400, refusal(7000112, "unauthorized_client")), False, id="disabled"),
        pytest.param(Answer(401, refusal(7000215, "invalid_client")), False, id="the credential"),
        pytest.param(Answer(400, refusal(123456)), False, id="a code that nobody knows"),
        pytest.param(Answer(400, refusal(90055)), True, id="throttled"),
        pytest.param(Answer(200, b"<html>"), True, id="no answer of the service"),
        pytest.param(Answer(429, b"", {"Retry-After": "9999"}), True, id="too many requests"),
    ],
)
def test_a_refusal_makes_the_older_token_of_the_same_key_forgotten(build: Build, reply: Answer, kept: bool) -> None:
    other = Answer(200, answer(token(claims(tid=OTHER_TENANT))))
    bench = build(*issued("1", "2"), other, reply, *issued("3"))
    bench.get()
    bench.get(resource=GRAPH)
    bench.get(tenant=OTHER_TENANT)
    with pytest.raises(PartnerError):
        bench.get(force_refresh=True)
    bench.clock.value += REFUSAL_SECONDS
    assert bench.get().source == ("cache" if kept else "network")
    assert [bench.get(resource=GRAPH).source, bench.get(tenant=OTHER_TENANT).source] == ["cache", "cache"]


def test_what_is_wrong_on_this_machine_does_not_forget_a_token(build: Build, tmp_path: Path) -> None:
    from ansible_collections.m365d.partner.plugins.module_utils._core.identity.federated_token import FederatedToken

    path = tmp_path / "token"
    path.write_text(token())
    bench = build(*issued("1"), credential=FederatedToken(str(path), now=lambda: NOW))
    bench.get()
    path.unlink()
    with pytest.raises(CredentialError, match="cannot be read"):
        bench.get(force_refresh=True)
    assert bench.get().source == "cache"


def test_what_is_wrong_on_this_machine_is_not_remembered(build: Build, tmp_path: Path) -> None:
    from ansible_collections.m365d.partner.plugins.module_utils._core.identity.federated_token import FederatedToken

    path = tmp_path / "token"
    bench = build(*issued("1"), credential=FederatedToken(str(path), now=lambda: NOW))
    with pytest.raises(CredentialError, match="cannot be read"):
        bench.get()
    path.write_text(token())
    assert bench.get().source == "network"


@pytest.mark.parametrize(("method", "code"), [("azure_cli", 7000215), ("device_code", 50076), ("device_code", 70019)])
def test_a_refusal_of_one_users_account_is_not_held_against_the_next_tenant(build: Build, method: str, code: int) -> None:
    refused = diagnose(refusal(code), tenant_id=TENANT)
    if method == "azure_cli":
        refused.scope = "tenant"

    @dataclass
    class Account:
        kind: str = method
        fingerprint: str = "account"
        material: bytes | None = None
        asked: int = 0

        def validate(self) -> None:
            return

        def acquire(self, request: TokenRequest) -> Grant:
            self.asked += 1
            raise refused

    bench = build(credential=Account())
    for tenant in (TENANT, OTHER_TENANT):
        with pytest.raises(PartnerError):
            bench.source.get(tenant, MTP)
    assert bench.source.credential.asked == 2  # type: ignore[attr-defined]


def test_errors_that_the_service_calls_passing_are_tried_again(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = Answer(400, refusal(90033, "temporarily_unavailable"))
    bench = build(passing, passing, *issued("1"))
    assert bench.get().source == "network"
    assert (bench.requests, len(bench.slept)) == (3, 2)
    assert 0.5 <= bench.slept[0] <= 1.0 <= bench.slept[1] <= 2.0
    monkeypatch.setattr(random, "uniform", lambda _least, most: most)
    bench = build(*[passing] * 4, client_id="22222222-2222-4222-8222-000000000002")
    with pytest.raises(AuthenticationError, match="for a moment"):
        bench.get()
    assert (bench.requests, bench.slept) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("status", [500, 503])
def test_what_the_transport_already_repeated_is_not_repeated_again(build: Build, status: int) -> None:
    bench = build(*[Answer(status, refusal(90033, "temporarily_unavailable"), {"Retry-After": "250"})] * 2)
    with pytest.raises(AuthenticationError):
        bench.get()
    assert (bench.requests, bench.slept) == (2, [])


# --- the last look -------------------------------------------------------------------------------------------------


def test_a_token_for_another_tenant_never_leaves_the_source(build: Build) -> None:
    foreign = Answer(200, answer(token(claims(tid=OTHER_TENANT))))
    bench = build(foreign)
    for _attempt in range(2):
        with pytest.raises(ContractViolation, match=f"is for the tenant {OTHER_TENANT}") as caught:
            bench.get()
        assert caught.value.tenant_id == TENANT
    assert bench.get(checked=False).claims["tid"] == OTHER_TENANT


def test_an_opaque_token_is_handed_out_and_the_case_of_a_guid_does_not_matter(build: Build) -> None:
    assert build(Answer(200, answer("opaque"))).get().value == "opaque"
    assert build(Answer(200, answer(token(claims(tid=TENANT.upper()))))).get(resource=GRAPH).claims["tid"] == TENANT.upper()


def ready(payload: dict[str, Any] | str) -> ReadyToken:
    return ReadyToken(payload if isinstance(payload, str) else token(payload), now=lambda: NOW)


def test_a_ready_token_is_given_as_it_is_and_never_kept(build: Build, tmp_path: Path) -> None:
    bench = build(credential=ready(claims()), client_id="")
    found = bench.get()
    assert (found.source, found.client_id, found.auth_method, found.expires_at) == ("given", CLIENT, "ready_token", NOW + 3600)
    assert bench.get(force_refresh=True).source == "given"
    assert bench.source.purge() == 0


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("opaque", CredentialError, "not a readable token"),
        (f"Bearer {token(claims())}", CredentialError, "not a readable token"),
        (f"{token(claims())[:-9]}\n{token(claims())[-9:]}", CredentialError, "not a readable token"),
        (claims(tid=None), CredentialError, "does not say which tenant it is for"),
        (claims(exp=int(NOW)), CredentialError, "has expired"),
        (claims(aud=GRAPH), CredentialError, f"is for {GRAPH}, but a token for {MTP} is needed"),
        (claims(tid=OTHER_TENANT), ContractViolation, f"is for the tenant {OTHER_TENANT}"),
    ],
)
def test_a_ready_token_serves_its_own_tenant_and_resource_alone(build: Build, given: Any, kind: type[Exception], message: str) -> None:
    bench = build(credential=ready(given), client_id="")
    with pytest.raises(kind, match=message) as caught:
        bench.get()
    assert (caught.value.state, caught.value.scope) == ("credential_error", "tenant")
    assert bench.get(checked=False).source == "given"


@pytest.mark.parametrize(("named", "client_id"), [({"appid": CLIENT}, CLIENT), ({"azp": CLIENT}, CLIENT), ({}, "")])
def test_where_no_app_is_named_the_token_says_whose_it_is(build: Build, named: dict[str, str], client_id: str) -> None:
    bench = build(credential=ready({**claims(appid=None), **named}), client_id="")
    assert bench.get().client_id == client_id


@pytest.mark.parametrize(
    ("options", "later", "source"),
    [
        pytest.param({}, 0.0, "cache", id="any token"),
        pytest.param({"force_refresh": True}, 1.0, "cache", id="a new one"),
        pytest.param({"force_refresh": True}, 0.0, "network", id="a new one, and that one is not"),
        pytest.param({"claims": '{"access_token":{}}'}, 1.0, "network", id="the answer to a challenge"),
    ],
)
def test_what_another_worker_obtained_meanwhile_serves_who_waited_unless_it_cannot(
    build: Build, options: dict[str, Any], later: float, source: str
) -> None:
    bench = build(*issued("mine"))
    locked = bench.source.cache.locked

    def after_another(key: CacheKey, *, wait: float) -> Any:
        bench.source.cache.put(key, CachedToken(token(claims(uti="theirs")), NOW + later, NOW + 3599))
        return locked(key, wait=wait)

    bench.source.cache.locked = after_another  # type: ignore[method-assign]
    found = bench.get(**options)
    assert (found.source, found.claims["uti"]) == (source, "theirs" if source == "cache" else "mine")


@pytest.mark.parametrize(("client_id", "message"), [("", "client_id"), ("partner-app", "client_id is not a GUID")])
def test_an_app_needs_its_client_id(build: Build, client_id: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(client_id=client_id)
    assert build(credential=ready(claims()), client_id=CLIENT.upper()).source.client_id == CLIENT


def test_azure_cli_brings_its_own_app(build: Build) -> None:
    assert build(credential=AzureCli(), client_id="").source.client_id == ""
    assert build(credential=AzureCli(), client_id=CLIENT).source.client_id == CLIENT


# --- the lock of a key ---------------------------------------------------------------------------------------------


def test_a_token_from_the_cache_is_taken_without_a_lock(build: Build) -> None:
    bench = build(*issued("1"))
    bench.get()

    def locked(*_args: Any, **_options: Any) -> Any:
        raise AssertionError("a lock was taken")

    bench.source.cache.locked = locked  # type: ignore[method-assign]
    assert bench.get().source == "cache"


@pytest.mark.parametrize(
    ("deadline", "locks", "waits"),
    [
        pytest.param(30.0, [(True, 0.0)], [1.0], id="free"),
        pytest.param(30.0, [(True, 0.9)], [1.0], id="free after a while"),
        pytest.param(30.0, [(False, 1.0), (False, 1.0), (True, 0.2)], [1.0, 1.0, 1.0], id="free after the place was given away"),
        pytest.param(3.0, [(False, 1.0)] * 3, [1.0, 1.0, 1.0], id="never free"),
        pytest.param(2.5, [(False, 1.0), (False, 1.0), (False, 0.5)], [1.0, 1.0, 0.5], id="never free, with less than a turn left"),
        pytest.param(30.0, [(False, 0.0)], [1.0], id="no locks on this file system"),
        pytest.param(30.0, [(False, 0.4)], [1.0], id="no locks, and slow to say so"),
        pytest.param(30.0, [(False, 0.5), (True, 0.0)], [1.0, 1.0], id="woken too early"),
    ],
)
def test_a_lock_that_comes_late_is_waited_for_as_long_as_a_call_may_take(
    build: Build, monkeypatch: pytest.MonkeyPatch, deadline: float, locks: list[tuple[bool, float]], waits: list[float]
) -> None:
    transport, _session, _clock = scripted_transport(*issued("1"), deadline=deadline)
    bench = build(transport=transport)
    moment, script, waited = [100.0], list(locks), list[float]()

    @contextlib.contextmanager
    def locked(_key: CacheKey, *, wait: float) -> Iterator[bool]:
        waited.append(wait)
        got, seconds = script.pop(0)
        moment[0] += seconds
        yield got

    bench.source.cache.locked = locked  # type: ignore[method-assign,assignment]
    monkeypatch.setattr(source_module, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    # It is had with the lock and without it: better a request too many than no token.
    assert bench.get().source == "network"
    assert script == []
    assert waited == waits
    assert bench.slept == [0.25] * (len(locks) - 1)


# --- many at once --------------------------------------------------------------------------------------------------


@dataclass
class Slow:
    """A credential whose tokens take a while; notes each request in a file, so that all processes count together."""

    log: str
    delay: float = 0.05
    kind: str = "slow"
    fingerprint: str = "slow"
    material: bytes | None = b"material"

    def validate(self) -> None:
        return

    def acquire(self, request: TokenRequest) -> Grant:
        with open(self.log, "a", encoding="ascii") as file:
            file.write(f"{request.tenant_id}\n")
        time.sleep(self.delay)
        return Grant(token(claims(tid=request.tenant_id)), 3599.0)


def slow_source(directory: str | None, log: str) -> TokenSource:
    transport, _session, _clock = scripted_transport()
    return TokenSource(Slow(log), CLIENT, resolve_endpoints("global"), transport, TokenCache(directory, b"material"))


def tenant(number: int) -> str:
    return f"11111111-1111-4111-8111-{number:012d}"


def _worker(directory: str, log: str, start: Any, results: Any) -> None:
    source = slow_source(directory, log)
    start.wait()
    results.put([source.get(tenant(number), MTP).value for number in range(3)])


def test_fifty_processes_make_one_request_for_each_token(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    token()  # the key is made before the fork
    start, results, log = context.Event(), context.Queue(), str(tmp_path / "requests")
    workers = [context.Process(target=_worker, args=(str(tmp_path), log, start, results)) for _number in range(50)]
    for worker in workers:
        worker.start()
    start.set()
    answers = [results.get(timeout=60) for _worker in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sorted(Path(log).read_text().split()) == [tenant(number) for number in range(3)]
    assert all(found == answers[0] for found in answers)


@pytest.mark.parametrize("where", ["files", "memory"])
def test_many_threads_share_one_source(tmp_path: Path, where: str) -> None:
    log = str(tmp_path / "requests")
    source = slow_source(str(tmp_path) if where == "files" else None, log)
    source.purge()
    found: list[str] = []
    threads = [threading.Thread(target=lambda n=number: found.append(source.get(tenant(n % 4), MTP).value)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32
    assert sorted(Path(log).read_text().split()) == [tenant(number) for number in range(4)]


def test_waiting_for_a_new_token_is_satisfied_by_one_that_was_obtained_meanwhile(tmp_path: Path) -> None:
    log = str(tmp_path / "requests")
    source = slow_source(str(tmp_path), log)
    source.credential.delay = 0.3  # type: ignore[attr-defined]
    threads = [threading.Thread(target=lambda: source.get(TENANT, MTP, force_refresh=True)) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Path(log).read_text().split()) == 1


def test_a_diagnosis_is_what_the_memory_of_a_refusal_brings_back() -> None:
    cache, key = TokenCache(None, b"m", now=lambda: NOW), CacheKey("https://l", CLIENT, TENANT, MTP, "c")
    cache.store = MemoryStore()
    assert cache.refusal(key) is None
    error = diagnose(refusal(7000222, "invalid_client"), attempted="getting a token", tenant_id=OTHER_TENANT, http_status=401)
    cache.note_refusal(key, error)
    remembered = cache.refusal(key)
    assert remembered is not None
    assert {**remembered.as_dict(), "tenant_id": None} == {**error.as_dict(), "tenant_id": None}


@dataclass
class Throttled(Slow):
    """A credential whose service asks to wait before it gives a token, so that its user gives its place in the fleet away."""

    places: Any = None

    def acquire(self, request: TokenRequest) -> Grant:
        self.places.sleep(0.3)
        return super().acquire(request)


@pytest.mark.parametrize("kept_in", ["files", "memory"])
def test_tenants_that_wait_for_the_same_token_do_not_keep_the_place_that_its_getter_needs(tmp_path: Path, kept_in: str) -> None:
    places, log = Places(2), str(tmp_path / "requests")
    transport, _session, _clock = scripted_transport(deadline=30.0)
    cache = TokenCache(str(tmp_path) if kept_in == "files" else None, b"material")
    if kept_in == "memory":
        cache.store = MemoryStore()
    source = TokenSource(Throttled(log, places=places), CLIENT, resolve_endpoints("global"), transport, cache, sleep=places.sleep)
    findings: list[Finding[int, str]] = []
    begun = time.monotonic()
    run_fleet(
        range(6),
        lambda _tenant: source.get(tenant(1), MTP).value,
        places=places,
        concurrency=2,
        credential_of=lambda _tenant: None,
        on_finding=findings.append,
    )
    assert {finding.outcome for finding in findings} == {"ok"}
    assert Path(log).read_text().split() == [tenant(1)]
    assert time.monotonic() - begun < 10
