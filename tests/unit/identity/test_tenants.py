# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import resolve_endpoints
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import AuthenticationError, OptionError, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import MemoryStore
from ansible_collections.m365d.partner.plugins.module_utils._core.tenants import (
    check_allowed,
    cloud_mismatch,
    detect_cloud,
    discover_tenant,
    parse_tenant,
    remembered,
    resolve_tenant,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.identity.tokens import LOGIN, TENANT, refusal
from unit.support.scripted_http import Answer, scripted_transport

GLOBAL = resolve_endpoints("global")


def document(**changes: Any) -> dict[str, Any]:
    plain = {
        "issuer": f"{LOGIN}/{TENANT}/v2.0",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "msgraph_host": "graph.microsoft.com",
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (TENANT, TENANT),
        (f" {TENANT.upper()}\n", TENANT),
        ("Contoso.com", "contoso.com"),
        ("contoso.onmicrosoft.com", "contoso.onmicrosoft.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_guid_or_a_domain_is_a_tenant(text: str, parsed: str) -> None:
    assert parse_tenant(text) == parsed


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("common", "names no tenant but a group"),
        ("Organizations", "names no tenant but a group"),
        ("consumers", "names no tenant but a group"),
        ("9188040d-6c67-4c5b-b112-36a304b66dad", "names no tenant but a group"),
        ("00000000-0000-0000-0000-000000000000", "all zeros"),
        ("11111111-1111-4111-8111-00000000000", "this has 31"),
        ("{11111111-1111-4111-8111-000000000001}", "groups of 8-4-4-4-12"),
        ("https://login.microsoftonline.com/contoso.com", "looks like a URL"),
        ("admin@contoso.com", "looks like a user name"),
        ("contoso", "neither a GUID nor a domain"),
        ("contoso..com", "neither a GUID nor a domain"),
        ("-contoso.com", "neither a GUID nor a domain"),
        ("10.0.0.1", "neither a GUID nor a domain"),
        ("contoso.com/../common", "looks like a URL"),
        ("contoso.com?x", "neither a GUID nor a domain"),
        (f"{'a' * 63}." * 4 + "com", "neither a GUID nor a domain"),
    ],
)
def test_anything_else_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(OptionError, match="tenant_id") as caught:
        parse_tenant(text)
    assert hint in str(caught.value)


@given(st.text(alphabet=string.printable, max_size=80))
def test_what_passes_can_never_change_the_path_of_a_url(text: str) -> None:
    try:
        tenant = parse_tenant(text)
    except OptionError:
        return
    assert set(tenant) <= set(string.ascii_lowercase + string.digits + "-.")
    assert ".." not in tenant


def test_a_guid_is_resolved_without_a_request() -> None:
    transport, session, _clock = scripted_transport()
    info = resolve_tenant(TENANT.upper(), GLOBAL, transport)
    assert (info.tenant_id, info.domain, info.cloud, info.issuer) == (TENANT, None, "global", f"{LOGIN}/{TENANT}/v2.0")
    assert session.requests == []


def test_a_domain_is_resolved_by_one_discovery_request() -> None:
    transport, session, _clock = scripted_transport(Answer(200, document()))
    info = resolve_tenant("Contoso.com", GLOBAL, transport)
    assert session.lines() == [f"GET {LOGIN}/contoso.com/v2.0/.well-known/openid-configuration"]
    assert (info.tenant_id, info.domain, info.region_scope, info.region_sub_scope) == (TENANT, "contoso.com", "EU", None)
    assert (info.cloud, info.msgraph_host, info.cloud_instance_name) == ("global", "graph.microsoft.com", "microsoftonline.com")


@pytest.mark.parametrize(
    ("fields", "cloud"),
    [
        ({"tenant_region_sub_scope": "GCC"}, "gcc"),
        ({"tenant_region_sub_scope": "DODCON"}, "gcc_high"),
        ({"tenant_region_sub_scope": "DOD"}, "dod"),
        ({"cloud_instance_name": "microsoftonline.us"}, "gcc_high"),
        ({"cloud_instance_name": None, "tenant_region_scope": "USG"}, "gcc_high"),
        ({"cloud_instance_name": "partner.microsoftonline.cn"}, "china"),
        ({}, "global"),
        ({"cloud_instance_name": "example.test"}, "global"),
    ],
)
def test_the_discovery_document_tells_the_cloud(fields: dict[str, Any], cloud: str) -> None:
    transport, _session, _clock = scripted_transport(Answer(200, document(**fields)))
    assert detect_cloud("contoso.com", transport).cloud == cloud


def test_a_tenant_of_the_department_of_defense_stays_there_where_the_document_names_the_host_alone() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, document(cloud_instance_name="microsoftonline.us")))
    assert discover_tenant("contoso.com", resolve_endpoints("dod"), transport).cloud == "dod"


def test_a_tenant_of_another_cloud_is_refused_with_the_name_of_that_cloud() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, document(tenant_region_sub_scope="DODCON")))
    with pytest.raises(AuthenticationError, match="lives in the cloud gcc_high, but this request is for the cloud global") as caught:
        resolve_tenant("contoso.com", GLOBAL, transport)
    assert caught.value.state == "unknown_tenant"
    assert "cloud=gcc_high" in str(caught.value.next_step)


def test_the_cloud_is_looked_for_at_one_login_host_after_the_other() -> None:
    unknown = Answer(400, refusal(90002, "invalid_tenant"))
    transport, session, _clock = scripted_transport(
        unknown, unknown, Answer(200, document(cloud_instance_name="partner.microsoftonline.cn"))
    )
    assert detect_cloud(TENANT, transport).cloud == "china"
    assert [line.split("/")[2] for line in session.lines()] == [
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
    ]


def test_a_tenant_that_no_cloud_knows_is_unknown() -> None:
    transport, _session, _clock = scripted_transport(*[Answer(400, refusal(90002, "invalid_tenant"))] * 3)
    with pytest.raises(AuthenticationError) as caught:
        detect_cloud(TENANT, transport)
    assert caught.value.state == "unknown_tenant"


def test_only_the_login_host_that_was_named_is_asked() -> None:
    transport, session, _clock = scripted_transport(Answer(400, refusal(90002, "invalid_tenant")))
    with pytest.raises(AuthenticationError, match="cloud global"):
        detect_cloud(TENANT, transport, login_url="https://login.example.test")
    assert len(session.requests) == 1


def test_a_refusal_that_says_nothing_about_the_tenant_ends_the_search() -> None:
    transport, session, _clock = scripted_transport(Answer(400, refusal(53003)))
    with pytest.raises(AuthenticationError) as caught:
        detect_cloud(TENANT, transport)
    assert caught.value.state == "blocked"
    assert len(session.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Answer(400, refusal(90002, "invalid_tenant")), AuthenticationError, "no such tenant"),
        (Answer(400, {"error": "invalid_tenant"}), AuthenticationError, "no such tenant"),
        (Answer(400, refusal(90038)), AuthenticationError, "another national cloud"),
        (Answer(200, b"<html>"), TransportError, "not JSON"),
        (Answer(200, []), TransportError, "not a discovery document"),
        (Answer(200, {"issuer": f"{LOGIN}/{{tenantid}}/v2.0"}), TransportError, "not a discovery document"),
        (Answer(404, b"gone"), TransportError, "never says"),
        (Answer(302, b""), TransportError, "never says"),
    ],
)
def test_what_is_no_discovery_document_is_an_error(answer: Answer, kind: type[Exception], message: str) -> None:
    transport, _session, _clock = scripted_transport(answer)
    with pytest.raises(kind, match=message):
        discover_tenant("contoso.com", GLOBAL, transport)


def test_an_answer_for_another_tenant_than_the_one_asked_for_is_refused() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, document()))
    with pytest.raises(TransportError, match="another tenant"):
        discover_tenant("11111111-1111-4111-8111-00000000000a", GLOBAL, transport)


def test_a_cloud_that_shares_the_login_host_is_a_warning() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, document(tenant_region_sub_scope="GCC")))
    info = discover_tenant("contoso.com", GLOBAL, transport)
    assert "api-gcc.security.microsoft.us" in str(cloud_mismatch(info, GLOBAL))
    assert cloud_mismatch(info, resolve_endpoints("gcc")) is None


def test_allowed_tenants_refuses_any_other() -> None:
    check_allowed(TENANT, None)
    check_allowed(TENANT, ["contoso.com", TENANT.upper()])
    with pytest.raises(OptionError, match="no request was made"):
        check_allowed(TENANT, ["contoso.com"])
    with pytest.raises(OptionError, match="no request was made"):
        check_allowed(TENANT, [])
    with pytest.raises(OptionError, match="allowed_tenants"):
        check_allowed(TENANT, ["common"])


def test_what_was_found_out_about_a_tenant_is_kept_for_half_a_day() -> None:
    store, moment = MemoryStore(), [1000.0]
    transport, session, _clock = scripted_transport(*[Answer(200, document())] * 4)

    def ask(text: str, *context: str) -> None:
        found = remembered(store, text, *context, find=lambda: discover_tenant(text, GLOBAL, transport), now=lambda: moment[0])
        assert found.tenant_id == TENANT

    for text, context, age, requests in [
        ("contoso.com", "global", 0, 1),
        ("contoso.com", "global", 12 * 3600 - 1, 1),
        ("contoso.com", "gcc", 0, 2),
        ("fabrikam.com", "global", 0, 3),
        ("contoso.com", "global", 1, 4),
    ]:
        moment[0] += age
        ask(text, context)
        assert len(session.requests) == requests


class OneRecord(MemoryStore):
    """A store that holds the same record under every name."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__()
        self.record = record

    def read(self, name: str, material: bytes | None) -> dict[str, Any] | None:
        return self.record


def test_a_record_about_a_tenant_that_cannot_be_understood_is_a_miss() -> None:
    for record in ({"found_at": 1000.0, "info": {"odd": 1}}, {"found_at": "x", "info": {}}, {"info": {}}):
        transport, session, _clock = scripted_transport(Answer(200, document()))
        remembered(OneRecord(record), "contoso.com", find=lambda t=transport: discover_tenant("contoso.com", GLOBAL, t), now=lambda: 1000.0)
        assert len(session.requests) == 1
