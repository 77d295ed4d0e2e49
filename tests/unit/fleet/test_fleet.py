# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    CredentialError,
    FleetStopped,
    PartnerError,
    Throttled,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.fleet import Finding, FleetOver, Places, run_fleet


def _run(
    tenants: list[Any],
    work: Callable[[Any], Any],
    *,
    concurrency: int = 4,
    places: Places | None = None,
    credential_of: Callable[[Any], Any] | None = None,
    recovery: float = 0.0,
    latest_of: Callable[[Any], float] = lambda _tenant: math.inf,
) -> list[Finding[Any, Any]]:
    findings: list[Finding[Any, Any]] = []
    run_fleet(
        tenants,
        work,
        places=places or Places(concurrency),
        concurrency=concurrency,
        credential_of=credential_of or (lambda _tenant: "the one credential"),
        on_finding=findings.append,
        recovery=recovery,
        latest_of=latest_of,
    )
    return sorted(findings, key=lambda finding: finding.index)


def test_each_tenant_has_one_outcome_and_its_own_value() -> None:
    findings = _run(list(range(100)), lambda number: number * 2)
    assert [finding.value for finding in findings] == [number * 2 for number in range(100)]
    assert {finding.outcome for finding in findings} == {"ok"}
    assert {finding.attempts for finding in findings} == {1}


def test_no_tenants_are_no_findings() -> None:
    assert _run([], lambda number: number) == []


def test_no_more_tenants_work_at_the_same_time_than_allowed() -> None:
    lock, working, most = threading.Lock(), Counter[str](), 0

    def _work(_tenant: int) -> None:
        nonlocal most
        with lock:
            working["now"] += 1
            most = max(most, working["now"])
        time.sleep(0.005)
        with lock:
            working["now"] -= 1

    _run(list(range(40)), _work, concurrency=5)
    assert most == 5


def test_a_tenant_that_waits_gives_its_place_to_others() -> None:
    places = Places(1)
    order: list[str] = []

    def _work(tenant: str) -> None:
        order.append(f"{tenant} begins")
        if tenant == "throttled":
            places.sleep(0.3)
        order.append(f"{tenant} ends")

    _run(["throttled", "a", "b"], _work, concurrency=1, places=places)
    assert order == ["throttled begins", "a begins", "a ends", "b begins", "b ends", "throttled ends"]


def test_a_fault_of_one_tenant_stops_nobody_else() -> None:
    def _work(tenant: int) -> int:
        if tenant == 1:
            raise AuthenticationError("The customer has not consented.", state="not_consented")
        return tenant

    findings = _run([0, 1, 2], _work)
    assert [finding.outcome for finding in findings] == ["ok", "failed", "ok"]
    assert findings[1].error is not None
    assert findings[1].value is None


def test_a_fault_of_the_credential_stops_the_tenants_that_use_it_and_no_others() -> None:
    tried: list[str] = []

    def _work(tenant: str) -> str:
        tried.append(tenant)
        if tenant.startswith("revoked"):
            raise CredentialError("The secret is expired.", state="credential_error", code="AADSTS7000222", next_step="Rotate it.")
        return tenant

    tenants = ["revoked-1", "revoked-2", "good-1", "revoked-3", "good-2"]
    findings = _run(tenants, _work, concurrency=1, credential_of=lambda tenant: tenant.split("-")[0])
    assert tried == ["revoked-1", "good-1", "good-2"]
    assert [finding.outcome for finding in findings] == ["failed", "unknown", "ok", "unknown", "ok"]
    assert findings[1].attempts == 0
    assert findings[1].error is not None
    assert findings[1].error.as_dict()["code"] == "AADSTS7000222"
    assert findings[1].error.next_step == "Rotate it."


def test_a_passing_fault_is_tried_once_more_after_the_others() -> None:
    tried: list[str] = []

    def _work(tenant: str) -> str:
        tried.append(tenant)
        if tenant == "shaky" and tried.count("shaky") == 1:
            raise PartnerError("reset", state="unreachable", retryable=True)
        return tenant

    findings = _run(["shaky", "a", "b"], _work, concurrency=1)
    assert tried == ["shaky", "a", "b", "shaky"]
    assert [finding.outcome for finding in findings] == ["ok", "ok", "ok"]
    assert findings[0].attempts == 2


@pytest.mark.parametrize("state", ["not_consented", "missing_roles", "credential_error"])
def test_a_definite_answer_is_not_asked_for_again_although_a_change_may_be_on_its_way(state: str) -> None:
    def _work(_tenant: str) -> None:
        raise PartnerError("no app of that id", state=state, retryable=True, scope="tenant")

    begun = time.monotonic()
    findings = _run(["wingtip"], _work, recovery=5.0)
    assert [(finding.outcome, finding.attempts) for finding in findings] == [("failed", 1)]
    assert time.monotonic() - begun < 1.0


def test_a_lasting_fault_without_an_answer_is_unknown_after_two_tries() -> None:
    def _work(_tenant: str) -> None:
        raise PartnerError("reset", state="unreachable", retryable=True)

    findings = _run(["dead"], _work)
    assert [(finding.outcome, finding.attempts) for finding in findings] == [("unknown", 2)]


def test_a_tenant_that_failed_is_left_alone_for_a_while_and_nobody_waits_for_it() -> None:
    begun = time.monotonic()
    times: dict[str, list[float]] = {}

    def _work(tenant: str) -> None:
        times.setdefault(tenant, []).append(time.monotonic() - begun)
        if tenant == "shaky" and len(times["shaky"]) == 1:
            raise PartnerError("reset", state="unreachable", retryable=True)

    findings = _run(["shaky", "a", "b", "c"], _work, concurrency=1, recovery=0.5)
    assert [finding.outcome for finding in findings] == ["ok"] * 4
    assert max(times["a"] + times["b"] + times["c"]) < 0.4
    assert times["shaky"][1] >= 0.5


@pytest.mark.parametrize(("latest", "attempts"), [(10.0, 2), (0.1, 1)])
def test_a_second_chance_comes_in_time_or_not_at_all(latest: float, attempts: int) -> None:
    end = time.monotonic() + latest

    def _work(_tenant: str) -> None:
        raise PartnerError("reset", state="unreachable", retryable=True)

    findings = _run(["dead"], _work, recovery=0.2, latest_of=lambda _tenant: end)
    assert [finding.attempts for finding in findings] == [attempts]


def test_a_service_that_limits_requests_longer_than_the_deadline_is_not_asked_again() -> None:
    def _work(_tenant: str) -> None:
        raise Throttled("too many requests", state="unreachable", retryable=True)

    assert [(finding.outcome, finding.attempts) for finding in _run(["busy"], _work)] == [("unknown", 1)]


def test_a_second_chance_that_would_come_after_the_end_of_the_fleet_is_not_waited_for() -> None:
    def _work(_tenant: str) -> None:
        raise PartnerError("reset", state="unreachable", retryable=True)

    begun = time.monotonic()
    findings = _run(["dead"], _work, places=Places(1, ends_at=begun + 5), recovery=30)
    assert time.monotonic() - begun < 2
    assert [(finding.outcome, str(finding.error), finding.attempts) for finding in findings] == [("unknown", "reset", 1)]


def test_a_fault_that_is_no_tenants_ends_the_fleet() -> None:
    worked: list[int] = []

    def _work(tenant: int) -> None:
        worked.append(tenant)
        raise FleetStopped("The disk is full.")

    with pytest.raises(FleetStopped, match="disk is full"):
        _run(list(range(100)), _work, concurrency=1)
    assert len(worked) < 5


def test_tenants_for_which_no_time_is_left_are_unknown_and_not_tried() -> None:
    places = Places(1, ends_at=time.monotonic() + 0.15)
    tried: list[int] = []

    def _work(tenant: int) -> None:
        tried.append(tenant)
        time.sleep(0.1)

    findings = _run(list(range(10)), _work, concurrency=1, places=places)
    assert len(findings) == 10
    assert len(tried) < 10
    left = [finding for finding in findings if finding.index not in tried]
    assert {finding.outcome for finding in left} == {"unknown"}
    assert {type(finding.error) for finding in left} == {FleetOver}


def test_a_wait_beyond_the_end_of_the_fleet_is_not_begun() -> None:
    places = Places(1, ends_at=time.monotonic() + 5)
    begun = time.monotonic()
    findings = _run(["throttled"], lambda _tenant: places.sleep(60), places=places)
    assert time.monotonic() - begun < 4
    assert [finding.outcome for finding in findings] == ["unknown"]


def test_a_defect_that_one_tenant_brings_out_leaves_it_unknown_and_the_others_read() -> None:
    def _work(tenant: int) -> int:
        return 10 // tenant

    findings = _run([1, 0, 2], _work)
    assert [finding.outcome for finding in findings] == ["ok", "unknown", "ok"]
    assert "ZeroDivisionError" in str(findings[1].error)
    assert "defect" in str(findings[1].error)


def test_an_interrupt_ends_the_fleet_and_wakes_those_who_wait() -> None:
    places = Places(2)

    def _work(tenant: int) -> None:
        if tenant == 3:
            raise KeyboardInterrupt
        if tenant < 3:
            places.sleep(30)

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _run(list(range(50)), _work, concurrency=2, places=places)
    assert time.monotonic() - begun < 20


def test_findings_are_reported_by_one_thread_at_a_time() -> None:
    inside, overlaps = threading.Lock(), []

    def _on_finding(finding: Finding[int, int]) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(finding.index)
            return
        time.sleep(0.001)
        inside.release()

    run_fleet(list(range(50)), lambda tenant: tenant, places=Places(8), concurrency=8, credential_of=lambda _t: 1, on_finding=_on_finding)
    assert overlaps == []


def test_a_report_that_cannot_be_written_ends_the_fleet() -> None:
    def _full(_finding: Finding[int, int]) -> None:
        raise OSError(28, "No space left on device")

    worked: list[int] = []
    with pytest.raises(OSError, match="No space left"):
        run_fleet(list(range(100)), worked.append, places=Places(1), concurrency=1, credential_of=lambda _tenant: 1, on_finding=_full)
    assert len(worked) < 5
