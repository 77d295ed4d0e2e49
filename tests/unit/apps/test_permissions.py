# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import uuid

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.guids import checked_guid, is_guid
from ansible_collections.m365d.partner.plugins.module_utils._core.permission_tables import RESOURCES
from ansible_collections.m365d.partner.plugins.module_utils._core.permissions import (
    DELEGATED_SUFFIX,
    Access,
    Kind,
    Permission,
    catalog_from_graph,
    names,
    nearest,
    parse,
    parse_all,
    resolve,
    role_names,
    table_catalog,
)
from hypothesis import given
from hypothesis import strategies as st
from unit.apps.exchange import (
    GRAPH_APP_ID,
    INCIDENT_READ,
    MTP_APP_ID,
    MTP_PRINCIPAL_ID,
    SECURITY_INCIDENT_READ,
    TENANT,
    mtp,
    role,
)

KNOWN: list[tuple[str, str, Kind, str]] = [
    (resource.name, value, kind, identifier)
    for resource in RESOURCES.values()
    for kind, table in (("application", resource.roles), ("delegated", resource.scopes))
    for value, identifier in table.items()
]


def _written(resource: str, value: str, kind: Kind) -> str:
    return f"{resource}/{value}{DELEGATED_SUFFIX if kind == 'delegated' else ''}"


@given(st.sampled_from(KNOWN), st.randoms(use_true_random=False))
def test_every_known_permission_is_read_from_its_name_in_any_letter_case(known: tuple[str, str, Kind, str], random: object) -> None:
    resource, value, kind, identifier = known
    text = "".join(random.choice((letter.upper(), letter.lower())) for letter in _written(resource, value, kind))  # type: ignore[attr-defined]
    permission = parse(f"  {text} ")
    assert (permission.resource, permission.value, permission.kind, permission.id) == (resource, value, kind, identifier)
    assert permission.name == _written(resource, value, kind)
    assert names([permission.access], {}) == [permission.name]


@given(st.text(max_size=60))
def test_any_text_is_a_permission_or_is_refused_with_a_next_step(text: str) -> None:
    permission, refusal = _outcome(text)
    assert (permission is None) == bool(refusal)
    assert permission is None or parse(permission.name) == permission


def _outcome(text: str) -> tuple[Permission | None, str]:
    try:
        return parse(text), ""
    except OptionError as error:
        return None, error.next_step or ""


@given(st.sampled_from([entry for entry in KNOWN if entry[2] == "application"]), st.data())
def test_a_missing_letter_is_answered_with_the_right_name(known: tuple[str, str, Kind, str], data: st.DataObject) -> None:
    resource, value, _kind, _identifier = known
    position = data.draw(st.integers(0, len(value) - 1))
    slip = value[:position] + value[position + 1 :]
    suggestions = nearest(f"{resource}/{slip}", [f"{resource}/{other}" for other in RESOURCES[resource].roles])
    assert f"{resource}/{value}" in suggestions


@pytest.mark.parametrize(
    ("text", "resource", "value", "kind"),
    [
        ("MicrosoftThreatProtection/Incident.Read.All", "MicrosoftThreatProtection", "Incident.Read.All", "application"),
        ("Microsoft Threat Protection/Incident.Read.All", "MicrosoftThreatProtection", "Incident.Read.All", "application"),
        (f"{MTP_APP_ID.upper()}/Incident.Read.All", "MicrosoftThreatProtection", "Incident.Read.All", "application"),
        ("SecurityIncident.Read.All", "MicrosoftGraph", "SecurityIncident.Read.All", "application"),
        ("Incident.Read:delegated", "MicrosoftThreatProtection", "Incident.Read", "delegated"),
        (f"MicrosoftGraph/{SECURITY_INCIDENT_READ}", "MicrosoftGraph", "SecurityIncident.Read.All", "application"),
    ],
)
def test_the_spellings_of_a_permission(text: str, resource: str, value: str, kind: str) -> None:
    permission = parse(text)
    assert (permission.resource, permission.value, permission.kind) == (resource, value, kind)
    assert permission.id


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "Write it as Resource/Role"),
        ("/", "Write it as Resource/Role"),
        ("MicrosoftGraph/", "Write it as Resource/Role"),
        ("/Incident.Read.All", "Write it as Resource/Role"),
        (":delegated", "Write it as Resource/Role"),
        ("Incidents.Read.All", "Did you mean MicrosoftThreatProtection/Incident.Read.All"),
        ("MicrosoftGraf/SecurityIncident.Read.All", "Did you mean MicrosoftGraph?"),
        ("Banana/SecurityIncident.Read.All", "Known resources: MicrosoftGraph, MicrosoftThreatProtection, WindowsDefenderATP"),
        ("User.Read.All", "MicrosoftGraph/User.Read.All or WindowsDefenderATP/User.Read.All"),
        ("Incident.Read", "take MicrosoftThreatProtection/Incident.Read.All"),
        ("MicrosoftGraph/User.Read", "write MicrosoftGraph/User.Read:delegated"),
    ],
)
def test_what_is_no_permission_is_refused_with_a_way_out(text: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(text)
    assert hint in str(caught.value)


def test_a_value_that_two_resources_offer_needs_its_resource() -> None:
    with pytest.raises(OptionError, match="ambiguous"):
        parse("User.Read.All:delegated")


def test_a_permission_named_twice_counts_once() -> None:
    assert len(parse_all(["SecurityIncident.Read.All", "microsoftgraph/securityincident.read.all"])) == 1


def test_the_tenant_knows_better_than_the_tables() -> None:
    catalog = catalog_from_graph(mtp(role("Incident.Read.All", "AAAAAAAA-aaaa-4aaa-8aaa-000000000001"), role("Brand.New", INCIDENT_READ)))
    assert resolve(parse("Incident.Read.All"), catalog, tenant_id=TENANT).id == "aaaaaaaa-aaaa-4aaa-8aaa-000000000001"
    assert resolve(parse("MicrosoftThreatProtection/Brand.New"), catalog, tenant_id=TENANT).id == INCIDENT_READ
    assert names([Access(MTP_APP_ID, INCIDENT_READ, "Role")], {MTP_APP_ID: catalog}) == ["MicrosoftThreatProtection/Brand.New"]


@pytest.mark.parametrize(
    ("offered", "wanted", "message"),
    [
        (role("Incident.Read.All", INCIDENT_READ, isEnabled=False), "Incident.Read.All", "switched off"),
        (role("Incident.Read.All", INCIDENT_READ, allowedMemberTypes=["User"]), "Incident.Read.All", "Unknown permission"),
        (
            role("Other.Read.All", INCIDENT_READ),
            "MicrosoftThreatProtection/Otter.Read.All",
            "Did you mean MicrosoftThreatProtection/Other.Read.All",
        ),
    ],
    ids=["disabled", "for people only", "misspelt"],
)
def test_what_the_resource_does_not_offer_to_apps_is_refused_with_the_tenant(offered: dict[str, object], wanted: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve(parse(wanted), catalog_from_graph(mtp(offered)), tenant_id=TENANT)
    assert message in str(caught.value)
    assert TENANT in str(caught.value)


def test_a_resource_without_a_name_is_known_by_its_application_id() -> None:
    app_id = "88888888-8888-4888-8888-000000000001"
    permission = parse(f"{app_id}/Things.Read")
    assert (permission.resource, permission.id) == (app_id, None)
    service_principal = {**mtp(role("Things.Read", INCIDENT_READ)), "appId": app_id}
    assert resolve(permission, catalog_from_graph(service_principal), tenant_id=TENANT).access == Access(app_id, INCIDENT_READ, "Role")
    with pytest.raises(ValueError, match="not resolved"):
        _unused = permission.access


def test_names_that_a_module_returned_can_be_given_back_to_it() -> None:
    unknown = Access(GRAPH_APP_ID, "99999999-9999-4999-8999-000000000009", "Role")
    name = names([unknown], {})[0]
    assert name == "MicrosoftGraph/99999999-9999-4999-8999-000000000009"
    assert resolve(parse(name), table_catalog(GRAPH_APP_ID), tenant_id=TENANT).access == unknown


def test_role_names_keep_the_order_and_let_unknown_ids_stand() -> None:
    unknown = "99999999-9999-4999-8999-000000000009"
    assert role_names([INCIDENT_READ.upper(), unknown], MTP_APP_ID) == ["Incident.Read.All", unknown]


def test_the_tables_hold_guids_each_once_per_kind() -> None:
    for resource in RESOURCES.values():
        for table in (resource.roles, resource.scopes):
            assert len(set(table.values())) == len(table)
            assert all(str(uuid.UUID(identifier)) == identifier for identifier in table.values())


@given(st.uuids())
def test_a_guid_is_taken_in_any_case(identifier: uuid.UUID) -> None:
    assert checked_guid(f" {str(identifier).upper()} ", option="app_id") == str(identifier)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("3333333333334333833300000000000a", "Write it as 33333333-3333-4333-8333-00000000000a"),
        ("{33333333-3333-4333-8333-00000000000A}", "Write it as 33333333-3333-4333-8333-00000000000a"),
        ("33333333-3333-4333-8333-00000000000", "8-4-4-4-12"),
        ("Contoso Partner Access", "8-4-4-4-12"),
        ("", "8-4-4-4-12"),
    ],
)
def test_what_is_no_guid_is_refused_with_the_right_form(text: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        checked_guid(text, option="app_id")
    assert hint in str(caught.value)
    assert "app_id" in str(caught.value)
    assert not is_guid(text)


def test_the_catalog_knows_its_service_principal() -> None:
    assert catalog_from_graph(mtp()).service_principal_id == MTP_PRINCIPAL_ID
    assert table_catalog(MTP_APP_ID).service_principal_id is None
