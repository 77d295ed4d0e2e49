# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a fleet and the whole that they make."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.filter.merge_shards import merge_shards
from ansible_collections.m365d.partner.plugins.module_utils._core import shards
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.shards import merge_shards as merge
from hypothesis import given, settings
from hypothesis import strategies as st


def part(number: int, parts: int, positions: list[list[int]], entries: int, **more: Any) -> dict[str, Any]:
    tenants = [{"tenant_id": f"t{group[0]}", "outcome": "ok", "count": 2} for group in positions]
    return {
        "changed": False,
        "tenants": tenants,
        "summary": {"total": len(tenants), "ok": len(tenants), "failed": 0, "unknown": 0, "seconds": number / 10},
        "complete": True,
        "count": 2 * len(tenants),
        "by_severity": {"high": len(tenants), "low": len(tenants)},
        "shard": {"number": number, "parts": parts, "entries": entries, "fingerprint": "f", "positions": positions},
        **more,
    }


def of_hosts(which: dict[str, Any], *hosts: str) -> dict[str, Any]:
    """The same part, read for hosts."""
    return {**{name: value for name, value in which.items() if name != "tenants"}, "hosts": {host: {"outcome": "ok"} for host in hosts}}


FIRST, SECOND = part(1, 2, [[0, 3], [4]], 5), part(2, 2, [[1], [2]], 5)
REFUSED = {"tenant_id": "t2", "outcome": "failed"}


@given(st.permutations([part(1, 3, [[4], [0]], 6), part(2, 3, [], 6), part(3, 3, [[1, 2], [3], [5]], 6)]))
@settings(max_examples=10)
def test_parts_in_any_order_make_the_whole_in_the_order_of_its_tenants(parts: list[dict[str, Any]]) -> None:
    whole = merge(parts)
    assert [entry["tenant_id"] for entry in whole["tenants"]] == ["t0", "t1", "t3", "t4", "t5"]
    assert whole["summary"] == {"total": 5, "ok": 5, "failed": 0, "unknown": 0, "seconds": 0.3}
    assert (whole["count"], whole["by_severity"], whole["complete"], whole["failed"]) == (10, {"high": 5, "low": 5}, True, False)
    assert "shard" not in whole


def test_a_part_that_is_not_complete_leaves_the_whole_incomplete_and_says_why() -> None:
    summary = {"total": 2, "ok": 1, "failed": 1, "unknown": 0, "seconds": 0.2}
    more = {"complete": False, "failed": True, "msg": "1 of 2 tenants failed"}
    whole = merge([FIRST, {**SECOND, "tenants": [SECOND["tenants"][0], REFUSED], "summary": summary, **more}])
    assert (whole["complete"], whole["failed"], whole["messages"]) == (False, True, ["1 of 2 tenants failed"])
    assert (whole["summary"]["ok"], whole["summary"]["failed"]) == (3, 1)


def test_each_cursor_comes_from_the_part_that_read_the_tenant() -> None:
    old = {"t0": "old", "t1": "old", "t2": "old", "t4": "old", "gone": "old"}
    first = {**FIRST, "cursor": {**old, "t0": "new", "t4": "new"}}
    second = {**SECOND, "cursor": {**old, "t1": "new"}}
    assert merge([second, first])["cursor"] == {"t0": "new", "t1": "new", "t2": "old", "t4": "new", "gone": "old"}


def test_files_of_the_parts_are_listed() -> None:
    assert merge([{**FIRST, "dest": "/a"}, {**SECOND, "dest": "/b"}])["dests"] == ["/a", "/b"]


def test_hosts_of_the_parts_are_put_together() -> None:
    parts = [of_hosts(FIRST, "h1", "h2"), of_hosts(SECOND, "h3", "h4")]
    assert merge(parts)["hosts"] == {f"h{number}": {"outcome": "ok"} for number in range(1, 5)}
    parts[1]["hosts"] = {"h1": {"outcome": "ok"}, "h3": {"outcome": "ok"}}
    with pytest.raises(OptionError, match="more than one part: h1"):
        merge(parts)


def changed(which: dict[str, Any], **shard: Any) -> dict[str, Any]:
    other = copy.deepcopy(which)
    other["shard"].update(shard)
    return other


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([], "no results to merge"),
        ([FIRST], "Parts are missing: 2/2"),
        ([SECOND], "Parts are missing: 1/2"),
        ([FIRST, SECOND, SECOND], "there more than once: 2/2"),
        ([FIRST, FIRST], "missing: 2/2"),
        ([FIRST, changed(SECOND, fingerprint="other")], "different fleets"),
        ([FIRST, changed(SECOND, parts=3)], "different fleets"),
        ([FIRST, changed(SECOND, entries=6)], "different fleets"),
        ([FIRST, changed(SECOND, positions=[[1], [3]])], "2 of 5 entries of tenants are in no part, or in several: number 3, 4"),
        ([FIRST, changed(SECOND, positions=[[1], [2], [7]])], "entries of tenants"),
        ([FIRST, {"failed": True, "msg": "The secret is wrong."}], "not that of a part"),
        ([FIRST, "nothing"], "not that of a part"),
        ([FIRST, {**SECOND, "shard": {"number": 2}}], "not that of a part"),
        ([FIRST, {**SECOND, "tenants": SECOND["tenants"][:1]}], "Part 2 does not hold the result"),
        ([FIRST, {name: value for name, value in SECOND.items() if name != "tenants"}], "not that of a part"),
        ([FIRST, {**SECOND, "hosts": []}], "not that of a part"),
        ([FIRST, changed(SECOND, positions=[1, 2])], "not that of a part"),
        ([FIRST, changed(SECOND, positions=[[1], []])], "not that of a part"),
        ([FIRST, changed(SECOND, number="2")], "not that of a part"),
        ([FIRST, changed(SECOND, fingerprint=[])], "not that of a part"),
        ([FIRST, {**SECOND, "tenants": ["t1", "t2"]}], "not that of a part"),
        ([FIRST, {**SECOND, "tenants": [{"outcome": "ok"}, {"outcome": "ok"}]}], "not that of a part"),
        ([FIRST, {**of_hosts(SECOND), "hosts": {"h3": "ok", "h4": "ok"}}], "not that of a part"),
        ([FIRST, of_hosts(SECOND, "h3", "h4")], "read for hosts"),
        ([of_hosts(FIRST, "h1", "h2"), of_hosts(SECOND)], "Part 2 contradicts itself"),
        ([FIRST, {**SECOND, "tenants": [SECOND["tenants"][0], REFUSED]}], "Part 2 contradicts itself"),
        ([FIRST, {**SECOND, "summary": {**SECOND["summary"], "ok": "2"}}], "Part 2 contradicts itself"),
        ([FIRST, {**SECOND, "summary": {**SECOND["summary"], "seconds": "long"}}], "Part 2 contradicts itself"),
        ([FIRST, {**SECOND, "tenants": [{**SECOND["tenants"][0], "complete": False}, SECOND["tenants"][1]]}], "Part 2 contradicts itself"),
        ([changed(of_hosts(FIRST, "h1", "h2"), listed=[]), of_hosts(SECOND, "h3", "h4")], "not that of a part"),
        ([FIRST, {**SECOND, "summary": {}}], "Part 2 contradicts itself"),
        ([FIRST, {**SECOND, "tenants": FIRST["tenants"]}], "Tenants are in more than one part: t0, t4"),
    ],
)
def test_parts_that_are_not_the_whole_are_refused(parts: list[Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        merge(parts)


def test_the_filter_says_the_same_and_leaves_its_input_alone() -> None:
    before = copy.deepcopy([FIRST, SECOND])
    assert merge_shards([FIRST, SECOND])["count"] == 8
    assert before == [FIRST, SECOND]
    with pytest.raises(Exception, match="merge_shards: Parts are missing: 2/2"):
        merge_shards([FIRST])


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [(None, 3, 3), (2, None, 2), (None, 0, None), (None, None, None), (None, {"high": 0}, None), ({"high": 1}, None, {"high": 1})],
)
def test_a_part_that_read_nobody_adds_nothing_and_makes_no_zero(first: Any, second: Any, whole: Any) -> None:
    assert shards._sum(first, second) == whole


def listing(which: dict[str, Any], *positions: list[int], lacking: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """The same part, told to leave out the tenants that are at none of these positions."""
    summary = {**which["summary"], "listed": len(positions)}
    return {**which, "summary": summary, "tenants": list(lacking), "shard": {**which["shard"], "listed": list(positions)}}


def test_tenants_that_are_not_listed_count_as_what_they_are_and_those_that_are_keep_their_order() -> None:
    late, early = {"tenant_id": "t3", "outcome": "ok", "complete": False}, {"tenant_id": "t1", "outcome": "ok", "complete": False}
    first = listing(part(1, 2, [[0], [3], [4]], 5, complete=False), [3], lacking=(late,))
    second = listing(part(2, 2, [[1], [2]], 5, complete=False), [1], lacking=(early,))
    whole = merge([first, second])
    assert whole["tenants"] == [early, late]
    assert whole["summary"] == {"total": 5, "ok": 5, "failed": 0, "unknown": 0, "seconds": 0.2, "listed": 2}
    assert merge([first, part(2, 2, [[1], [2]], 5)])["summary"]["listed"] == 3


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (listing(SECOND, [2]), "does not hold the result of each tenant"),
        (listing(SECOND, [2], lacking=(REFUSED,)), "contradicts itself"),
        ({**listing(SECOND), "complete": False, "summary": {**SECOND["summary"], "listed": 1}}, "contradicts itself"),
        (listing(SECOND, [7], lacking=(REFUSED,)), "not that of a part"),
        (listing(SECOND, [2, 1], lacking=(REFUSED,)), "not that of a part"),
        ({**listing(SECOND), "shard": {**SECOND["shard"], "listed": 3}}, "not that of a part"),
        ({**listing(SECOND), "summary": {**SECOND["summary"], "ok": 1}}, "contradicts itself"),
        ({**listing(SECOND), "summary": {**SECOND["summary"], "total": 3, "ok": 3}}, "contradicts itself"),
    ],
)
def test_a_part_that_lists_some_alone_must_be_as_true_as_any_other(listed: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        merge([FIRST, listed])


def test_the_cursor_of_a_tenant_that_is_not_listed_comes_from_the_part_that_read_it() -> None:
    tenants = [f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 9)]
    old = {tenant: {"watermark": "old"} for tenant in tenants}
    parts = []
    for number in (1, 2):
        own = [tenant for tenant in tenants if shards.Shard(number, 2).holds(tenant)]
        fresh = {tenant: {"watermark": f"new {tenant}"} for tenant in own}
        positions = [[tenants.index(tenant)] for tenant in own]
        parts.append(listing(part(number, 2, positions, len(tenants), cursor={**old, **fresh})))
    assert merge(parts)["cursor"] == {tenant: {"watermark": f"new {tenant}"} for tenant in tenants}


@pytest.mark.parametrize("lists", ["all", "lacking"])
def test_a_cursor_whose_tenant_was_written_in_capitals_is_replaced_by_that_of_the_part_that_read_it(lists: str) -> None:
    tenants = [f"aaaaaaaa-1111-4111-8111-{number:012d}" for number in range(1, 9)]
    parts = []
    for number in (1, 2):
        own = [tenant for tenant in tenants if shards.Shard(number, 2).holds(tenant)]
        cursor = {tenant.upper(): {"watermark": "old"} for tenant in tenants if tenant not in own}
        cursor.update({tenant: {"watermark": "new"} for tenant in own})
        whole = part(number, 2, [[tenants.index(tenant)] for tenant in own], len(tenants), cursor=cursor)
        whole["tenants"] = [{"tenant_id": tenant, "outcome": "ok"} for tenant in own]
        parts.append(whole if lists == "all" else listing(whole))
    for order in (parts, parts[::-1]):
        assert merge(order)["cursor"] == {tenant: {"watermark": "new"} for tenant in tenants}
