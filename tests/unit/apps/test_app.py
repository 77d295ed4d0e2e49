# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AlreadyExists,
    NotFound,
    OptionError,
    PartnerError,
    PermissionDenied,
    ServiceError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.guids import PLACEHOLDER
from ansible_collections.m365d.partner.plugins.module_utils._ops import app as operation
from unit.apps.exchange import (
    APP_ID,
    CATALOG_MTP,
    DELETED,
    FIND_BY_NAME,
    FIND_BY_UNIQUE_NAME,
    FIND_PRINCIPAL,
    GRAPH_APP_ID,
    INCIDENT_READ,
    INCIDENT_READWRITE,
    MTP_APP_ID,
    NO_CATALOG_MTP,
    OBJECT_ID,
    PRINCIPAL_ID,
    SECURITY_INCIDENT_READ,
    SELECT_APP,
    TENANT,
    Exchange,
    Played,
    app,
    created,
    declares,
    done,
    missing,
    ok,
    page,
    play,
    principal,
    refused,
)

Play = Callable[..., Played]
UNIQUE = {
    "unique_name": "contoso-partner-access",
    "name": "Contoso Partner Access",
    "permissions": ["MicrosoftThreatProtection/Incident.Read.All"],
}
CREATION = {
    "displayName": "Contoso Partner Access",
    "signInAudience": "AzureADMultipleOrgs",
    "web": {"redirectUris": ["https://portal.azure.com"]},
    "requiredResourceAccess": declares((MTP_APP_ID, INCIDENT_READ)),
}
UPSERT = Exchange(
    "PATCH applications(uniqueName='contoso-partner-access')", created(app()), CREATION, headers={"Prefer": "create-if-missing"}
)
CREATE_PRINCIPAL = Exchange("POST servicePrincipals", created(principal()), {"appId": APP_ID})
VIEW = {
    "name": "Contoso Partner Access",
    "unique_name": "contoso-partner-access",
    "sign_in_audience": "AzureADMultipleOrgs",
    "redirect_uris": ["https://portal.azure.com"],
    "permissions": ["MicrosoftThreatProtection/Incident.Read.All"],
    "notes": None,
    "service_principal": "enabled",
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Play:
    return lambda *script, **given: play(monkeypatch, operation, *script, **given)


def test_a_missing_app_is_created_with_audience_permissions_and_service_principal(run: Play) -> None:
    played = run(
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(DELETED, page()),
        UPSERT,
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        CREATE_PRINCIPAL,
        Exchange(FIND_PRINCIPAL, ok(principal())),
        **UNIQUE,
    )
    assert played.outcome.changed
    assert played.outcome.diff == {"before": {}, "after": VIEW}
    assert played.result == {
        "tenant_id": TENANT,
        "app_id": APP_ID,
        "object_id": OBJECT_ID,
        "service_principal_id": PRINCIPAL_ID,
        "permissions": ["MicrosoftThreatProtection/Incident.Read.All"],
        "app": {"app_id": APP_ID, "object_id": OBJECT_ID, "created": "2026-11-01T00:00:00Z", **VIEW},
    }
    assert played.warnings == []


def test_check_mode_predicts_the_creation_without_a_write_and_stands_in_for_the_ids(run: Play) -> None:
    played = run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, page()), check_mode=True, **UNIQUE)
    assert played.outcome.changed
    assert played.outcome.diff == {"before": {}, "after": VIEW}
    assert (played.result["app_id"], played.result["service_principal_id"]) == (PLACEHOLDER, PLACEHOLDER)


def test_an_app_that_is_as_wanted_is_left_alone(run: Play) -> None:
    played = run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, ok(app())), Exchange(FIND_PRINCIPAL, ok(principal())), **UNIQUE)
    assert not played.outcome.changed
    assert played.outcome.diff == {"before": VIEW, "after": VIEW}


def test_without_a_unique_name_the_app_is_found_and_created_by_its_display_name(run: Play) -> None:
    named = app(uniqueName=None)
    body = {**CREATION, "requiredResourceAccess": []}
    played = run(
        Exchange(FIND_BY_NAME, page()),
        Exchange("POST applications", created(named), body),
        Exchange(FIND_BY_NAME, page(named)),
        CREATE_PRINCIPAL,
        Exchange(FIND_PRINCIPAL, ok(principal())),
        name="Contoso Partner Access",
    )
    assert played.outcome.changed


def test_names_with_quotes_slashes_and_spaces_reach_the_service_unharmed(run: Play) -> None:
    find = f"GET applications(uniqueName='o''neil/app #1')?{SELECT_APP}"
    played = run(Exchange(find, missing()), Exchange(DELETED, page()), unique_name="o'neil/app #1", name="x", check_mode=True)
    assert played.outcome.changed
    find = f"GET applications?$filter=displayName eq 'O''Neil & Sons'&{SELECT_APP}"
    assert run(Exchange(find, page()), name="O'Neil & Sons", check_mode=True).outcome.changed


def test_creation_outlasts_a_directory_that_does_not_know_the_app_yet(run: Play) -> None:
    unknown = refused(
        400, "Request_BadRequest", f"The appId '{APP_ID}' of the service principal does not reference a valid application object."
    )
    played = run(
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(DELETED, page()),
        UPSERT,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app(requiredResourceAccess=[]))),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange("POST servicePrincipals", unknown, {"appId": APP_ID}),
        CREATE_PRINCIPAL,
        Exchange(FIND_PRINCIPAL, missing()),
        Exchange(FIND_PRINCIPAL, ok(principal())),
        **UNIQUE,
    )
    assert played.outcome.changed
    assert played.slept == [0.5, 1.0, 0.5, 0.5]


def test_an_app_that_stays_unknown_ends_with_its_tenant_and_a_next_step(run: Play) -> None:
    unknown = refused(400, "Request_BadRequest", "The appId of the service principal does not reference a valid application object.")
    with pytest.raises(ServiceError) as caught:
        run(
            CATALOG_MTP,
            Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
            Exchange(FIND_PRINCIPAL, missing()),
            Exchange("POST servicePrincipals", unknown, {"appId": APP_ID}),
            Exchange("POST servicePrincipals", unknown, {"appId": APP_ID}),
            replication_timeout=1,
            **UNIQUE,
        )
    assert TENANT in str(caught.value)
    assert "raise replication_timeout" in str(caught.value)


def test_a_directory_that_lags_behind_for_good_is_warned_about_but_the_app_is_returned(run: Play) -> None:
    played = run(
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(DELETED, page()),
        UPSERT,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        replication_timeout=0,
        service_principal=False,
        **UNIQUE,
    )
    assert played.result["app_id"] == APP_ID
    assert "does not show the new state" in played.warnings[0]


@pytest.mark.parametrize(
    ("given", "there", "body", "before", "after"),
    [
        pytest.param({"name": "New Name"}, {}, {"displayName": "New Name"}, {}, {"name": "New Name"}, id="name"),
        pytest.param(
            {},
            {"signInAudience": "AzureADMyOrg"},
            {"signInAudience": "AzureADMultipleOrgs"},
            {"sign_in_audience": "AzureADMyOrg"},
            {},
            id="audience",
        ),
        pytest.param(
            {"redirect_uris": ["https://app.contoso.example/consented"]},
            {},
            {"web": {"implicitGrantSettings": {"enableIdTokenIssuance": False}, "redirectUris": ["https://app.contoso.example/consented"]}},
            {},
            {"redirect_uris": ["https://app.contoso.example/consented"]},
            id="redirect URIs, keeping the other web settings",
        ),
        pytest.param({"notes": "Owner: SOC"}, {}, {"notes": "Owner: SOC"}, {}, {"notes": "Owner: SOC"}, id="notes"),
        pytest.param(
            {},
            {"requiredResourceAccess": declares((GRAPH_APP_ID, SECURITY_INCIDENT_READ), (MTP_APP_ID, INCIDENT_READWRITE))},
            {"requiredResourceAccess": declares((MTP_APP_ID, INCIDENT_READ))},
            {"permissions": ["MicrosoftGraph/SecurityIncident.Read.All", "MicrosoftThreatProtection/Incident.ReadWrite.All"]},
            {},
            id="permissions, exactly those given",
        ),
        pytest.param(
            {"permissions_exclusive": False},
            {"requiredResourceAccess": declares((GRAPH_APP_ID, SECURITY_INCIDENT_READ))},
            {"requiredResourceAccess": declares((GRAPH_APP_ID, SECURITY_INCIDENT_READ), (MTP_APP_ID, INCIDENT_READ))},
            {"permissions": ["MicrosoftGraph/SecurityIncident.Read.All"]},
            {"permissions": ["MicrosoftGraph/SecurityIncident.Read.All", "MicrosoftThreatProtection/Incident.Read.All"]},
            id="permissions, added to the others",
        ),
    ],
)
def test_drift_is_corrected_with_what_differs_and_predicted_alike(
    run: Play, given: dict[str, Any], there: dict[str, Any], body: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> None:
    reads = [CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, ok(app(**there))), Exchange(FIND_PRINCIPAL, ok(principal()))]
    played = run(
        *reads,
        Exchange(f"PATCH applications/{OBJECT_ID}", done(), body),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app(**there))),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app(**{**there, **body}))),
        **{**UNIQUE, **given},
    )
    predicted = run(*reads, check_mode=True, **{**UNIQUE, **given})
    for outcome in (played.outcome, predicted.outcome):
        assert outcome.changed
        assert outcome.diff == {"before": {**VIEW, **before}, "after": {**VIEW, **after}}
    assert played.result == predicted.result


@pytest.mark.parametrize(
    ("there", "given"),
    [
        ({"requiredResourceAccess": declares((GRAPH_APP_ID, SECURITY_INCIDENT_READ))}, {"permissions": None}),
        (
            {"web": {"redirectUris": ["https://b.example", "https://a.example"]}},
            {"redirect_uris": ["https://a.example", "https://b.example"]},
        ),
        ({"web": {"redirectUris": ["https://other.example"]}}, {}),
        ({"notes": "kept"}, {}),
        (
            {
                "requiredResourceAccess": [
                    {"resourceAppId": MTP_APP_ID.upper(), "resourceAccess": [{"id": INCIDENT_READ.upper(), "type": "Role"}]}
                ]
            },
            {},
        ),
    ],
    ids=["permissions not given", "order", "redirect URIs not given", "notes not given", "letter case of ids"],
)
def test_what_is_not_asked_for_is_no_drift(run: Play, there: dict[str, Any], given: dict[str, Any]) -> None:
    wanted = {**UNIQUE, **given}
    catalog = [CATALOG_MTP] if wanted["permissions"] else []
    played = run(*catalog, Exchange(FIND_BY_UNIQUE_NAME, ok(app(**there))), Exchange(FIND_PRINCIPAL, ok(principal())), **wanted)
    assert not played.outcome.changed


def test_a_service_principal_that_was_deleted_comes_back(run: Play) -> None:
    reads = [CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, ok(app())), Exchange(FIND_PRINCIPAL, missing())]
    played = run(*reads, CREATE_PRINCIPAL, Exchange(FIND_PRINCIPAL, ok(principal())), **UNIQUE)
    predicted = run(*reads, check_mode=True, **UNIQUE)
    assert played.outcome.diff == predicted.outcome.diff == {"before": {**VIEW, "service_principal": "absent"}, "after": VIEW}
    assert played.outcome.changed
    assert predicted.outcome.changed
    assert played.result["service_principal_id"] == PRINCIPAL_ID


def test_a_service_principal_that_was_disabled_is_enabled(run: Play) -> None:
    played = run(
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange(FIND_PRINCIPAL, ok(principal(accountEnabled=False))),
        Exchange(f"PATCH servicePrincipals/{PRINCIPAL_ID}", done(), {"accountEnabled": True}),
        Exchange(FIND_PRINCIPAL, ok(principal())),
        **UNIQUE,
    )
    assert played.outcome.changed
    assert played.outcome.diff == {"before": {**VIEW, "service_principal": "disabled"}, "after": VIEW}


def test_a_service_principal_can_be_left_alone_and_its_being_disabled_is_warned_about(run: Play) -> None:
    disabled = Exchange(FIND_PRINCIPAL, ok(principal(accountEnabled=False)))
    played = run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, ok(app())), disabled, service_principal=False, **UNIQUE)
    assert not played.outcome.changed
    assert "is disabled" in played.warnings[0]


def test_several_apps_of_one_name_are_listed_and_nothing_is_written(run: Play) -> None:
    twin = app(id="44444444-4444-4444-8444-000000000002", appId="33333333-3333-4333-8333-000000000002", uniqueName=None)
    next_link = "https://graph.microsoft.com/v1.0/applications?$skiptoken=second"
    with pytest.raises(OptionError) as caught:
        run(
            Exchange(FIND_BY_NAME, page(app(), next_link=next_link)),
            Exchange("GET applications?$skiptoken=second", page(twin)),
            name="Contoso Partner Access",
        )
    text = str(caught.value)
    assert "2 apps bear the display name 'Contoso Partner Access'" in text
    for identifier in (APP_ID, OBJECT_ID, twin["id"], twin["appId"], TENANT, "app_id or unique_name"):
        assert identifier in text


def test_a_deleted_app_that_keeps_the_unique_name_is_reported(run: Play) -> None:
    deleted = {**app(), "deletedDateTime": "2026-11-20T00:00:00Z"}
    with pytest.raises(OptionError) as caught:
        run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, page(deleted)), **UNIQUE)
    text = str(caught.value)
    for piece in (APP_ID, OBJECT_ID, "2026-11-20", "restore=true", "purge=true"):
        assert piece in text


def test_a_deleted_app_is_restored_with_its_client_id_and_then_brought_up_to_date(run: Play) -> None:
    stale = app(displayName="Old")
    reads = [
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(DELETED, page({**stale, "deletedDateTime": "2026-11-20T00:00:00Z"})),
    ]
    predicted = run(*reads, check_mode=True, restore=True, **UNIQUE)
    played = run(
        *reads,
        Exchange(f"POST directory/deletedItems/{OBJECT_ID}/restore", ok(stale), {}),
        Exchange(f"GET applications/{OBJECT_ID}?{SELECT_APP}", missing()),
        Exchange(f"GET applications/{OBJECT_ID}?{SELECT_APP}", ok(stale)),
        Exchange(f"PATCH applications/{OBJECT_ID}", done(), {"displayName": "Contoso Partner Access"}),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange("POST servicePrincipals", refused(409, "Request_MultipleObjectsWithSameKeyValue", "already in use"), {"appId": APP_ID}),
        Exchange(FIND_PRINCIPAL, ok(principal())),
        restore=True,
        **UNIQUE,
    )
    assert played.result["app_id"] == predicted.result["app_id"] == APP_ID
    assert played.outcome.diff == predicted.outcome.diff == {"before": {}, "after": VIEW}


def test_a_caller_that_may_not_see_deleted_apps_still_creates_one(run: Play) -> None:
    denied = refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    played = run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, denied), check_mode=True, **UNIQUE)
    assert played.outcome.changed
    with pytest.raises(PermissionDenied):
        run(CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, denied), restore=True, **UNIQUE)


def test_a_unique_name_that_is_taken_after_all_says_what_may_hold_it(run: Play) -> None:
    taken = refused(
        409, "Request_MultipleObjectsWithSameKeyValue", "Another object with the same value for property uniqueName already exists."
    )
    with pytest.raises(AlreadyExists, match="restore=true"):
        run(
            CATALOG_MTP,
            Exchange(FIND_BY_UNIQUE_NAME, missing()),
            Exchange(DELETED, page()),
            Exchange(UPSERT.request, taken, CREATION),
            **UNIQUE,
        )


def test_an_app_that_somebody_creates_at_the_same_moment_is_taken_over(run: Play) -> None:
    played = run(
        CATALOG_MTP,
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(DELETED, page()),
        Exchange(UPSERT.request, done(), CREATION),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        CREATE_PRINCIPAL,
        Exchange(FIND_PRINCIPAL, ok(principal())),
        **UNIQUE,
    )
    assert played.result["app_id"] == APP_ID


def test_permissions_come_from_the_tables_where_the_tenant_has_no_service_principal_of_the_resource(run: Play) -> None:
    played = run(NO_CATALOG_MTP, Exchange(FIND_BY_UNIQUE_NAME, ok(app())), Exchange(FIND_PRINCIPAL, ok(principal())), **UNIQUE)
    assert not played.outcome.changed


def test_a_permission_that_the_resource_does_not_offer_fails_before_the_app_is_looked_for(run: Play) -> None:
    with pytest.raises(OptionError) as caught:
        run(CATALOG_MTP, name="x", permissions=["MicrosoftThreatProtection/Incidents.Read.All"])
    assert "Did you mean MicrosoftThreatProtection/Incident.Read.All" in str(caught.value)
    assert TENANT in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"app_id": "not-a-guid"}, "app_id is not a GUID: 'not-a-guid'"),
        ({"app_id": PLACEHOLDER}, "stands for no app"),
        ({"name": "  "}, "name is empty"),
        ({"name": "a", "replication_timeout": float("inf")}, "replication_timeout must be from 0 to 1000000000 seconds; got inf"),
        ({"unique_name": ""}, "unique_name is empty"),
        ({"name": "x" * 121}, "1 to 120 characters"),
        ({"name": "x", "notes": "x" * 1025}, "1024 characters"),
        ({"name": "x", "redirect_uris": ["http://contoso.example"]}, "http is accepted for localhost only"),
        ({"name": "x", "redirect_uris": ["https://*.contoso.example"]}, "wildcards"),
        ({"name": "x", "redirect_uris": ["https://contoso.example/#x"]}, "fragment"),
        ({"name": "x", "redirect_uris": ["contoso.example"]}, "not a complete https URL"),
        ({"name": "x", "redirect_uris": ["https://[contoso"]}, "not a complete https URL"),
        ({"name": "x", "redirect_uris": [f"https://contoso.example/{n}" for n in range(257)]}, "256 redirect URIs"),
        ({"name": "x", "permissions": ["SecurityIncidnt.Read.All"]}, "Did you mean MicrosoftGraph/SecurityIncident.Read.All"),
        ({"name": "x", "permissions": ["MicrosoftThreatProtection/Incident.Read"]}, "delegated permission"),
    ],
)
def test_bad_input_fails_without_a_request(run: Play, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message.replace("(", r"\(")):
        run(**given)


@pytest.mark.parametrize("given", [{}, {"unique_name": "a", "app_id": APP_ID}], ids=["no key", "two keys"])
def test_the_argument_spec_wants_one_way_to_find_the_app(run: Play, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"one of|mutually exclusive"):
        run(**given)


def test_a_unique_name_alone_cannot_create(run: Play) -> None:
    with pytest.raises(OptionError, match="no name to create it with"):
        run(Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, page()), unique_name="contoso-partner-access")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(ok(app(id=OBJECT_ID)), f"its client id is {APP_ID}"), (missing(), "not the object id")],
    ids=["an object id", "no app at all"],
)
def test_an_unknown_client_id_says_whether_it_is_an_object_id(run: Play, answer: Any, hint: str) -> None:
    with pytest.raises(NotFound, match=hint):
        run(
            Exchange(f"GET applications(appId='{OBJECT_ID}')?{SELECT_APP}", missing()),
            Exchange(f"GET applications/{OBJECT_ID}?{SELECT_APP}", answer),
            app_id=OBJECT_ID,
        )


@pytest.mark.parametrize("check_mode", [False, True])
def test_an_app_is_deleted_and_the_prediction_is_the_same(run: Play, check_mode: bool) -> None:
    writes = [
        Exchange(f"DELETE applications/{OBJECT_ID}", done()),
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
    ]
    played = run(
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange(FIND_PRINCIPAL, ok(principal())),
        *([] if check_mode else writes),
        state="absent",
        unique_name="contoso-partner-access",
        check_mode=check_mode,
    )
    assert played.outcome.changed
    assert played.outcome.diff == {"before": VIEW, "after": {}}


def test_an_app_that_is_not_there_needs_no_deletion(run: Play) -> None:
    played = run(Exchange(FIND_BY_UNIQUE_NAME, missing()), state="absent", unique_name="contoso-partner-access")
    assert not played.outcome.changed
    assert played.result["app_id"] is None


def test_purge_deletes_for_good(run: Play) -> None:
    deleted = f"GET directory/deletedItems/{OBJECT_ID}"
    played = run(
        Exchange(FIND_BY_UNIQUE_NAME, ok(app())),
        Exchange(FIND_PRINCIPAL, missing()),
        Exchange(f"DELETE applications/{OBJECT_ID}", done()),
        Exchange(FIND_BY_UNIQUE_NAME, missing()),
        Exchange(deleted, missing()),
        Exchange(deleted, ok(app())),
        Exchange(f"DELETE directory/deletedItems/{OBJECT_ID}", done()),
        state="absent",
        purge=True,
        unique_name="contoso-partner-access",
    )
    assert played.outcome.changed


def test_purge_also_clears_away_what_was_deleted_before(run: Play) -> None:
    leftover = {**app(), "deletedDateTime": "2026-11-20T00:00:00Z"}
    reads = [Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, page(leftover))]
    given = {"state": "absent", "purge": True, "unique_name": "contoso-partner-access"}
    assert run(*reads, check_mode=True, **given).outcome.changed
    played = run(
        *reads,
        Exchange(f"GET directory/deletedItems/{OBJECT_ID}", ok(leftover)),
        Exchange(f"DELETE directory/deletedItems/{OBJECT_ID}", done()),
        **given,
    )
    assert played.outcome.changed
    assert not run(Exchange(FIND_BY_UNIQUE_NAME, missing()), Exchange(DELETED, page()), **given).outcome.changed


def test_a_refusal_names_tenant_cause_request_and_next_step(run: Play) -> None:
    denied = refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    with pytest.raises(PartnerError) as caught:
        run(Exchange(FIND_BY_NAME, denied), name="Contoso Partner Access")
    text = str(caught.value)
    for piece in (TENANT, "may not do this", "Authorization_RequestDenied", "77777777-7777-4777-8777-000000000001", "Next step"):
        assert piece in text
