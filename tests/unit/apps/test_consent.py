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
    PermissionDenied,
    ServiceError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.guids import PLACEHOLDER
from ansible_collections.m365d.partner.plugins.module_utils._ops import consent as operation
from unit.apps.exchange import (
    APP_ID,
    CATALOG_MTP,
    FIND_PRINCIPAL,
    GRAPH_APP_ID,
    GRAPH_PRINCIPAL_ID,
    INCIDENT_READ,
    INCIDENT_READWRITE,
    MTP_APP_ID,
    MTP_PRINCIPAL_ID,
    NO_CATALOG_MTP,
    PRINCIPAL_ID,
    SECURITY_INCIDENT_READ,
    SELECT_APP,
    SELECT_CATALOG,
    SELECT_PRINCIPAL,
    TENANT,
    Exchange,
    Played,
    StubTokens,
    app,
    created,
    declares,
    done,
    missing,
    mtp,
    ok,
    page,
    play,
    principal,
    refused,
    role,
)

Play = Callable[..., Played]
READ = "MicrosoftThreatProtection/Incident.Read.All"
READWRITE = "MicrosoftThreatProtection/Incident.ReadWrite.All"
GRAPH_READ = "MicrosoftGraph/SecurityIncident.Read.All"
HELD = f"GET servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments"
GIVE = f"POST servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments"
DECLARED = f"GET applications(appId='{APP_ID}')?$select=id,appId,requiredResourceAccess"
FOUND = Exchange(FIND_PRINCIPAL, ok(principal()))
NAMED = {"app_id": APP_ID, "permissions": [READ]}
WHO_IS_GRAPH = Exchange(
    f"GET servicePrincipals/{GRAPH_PRINCIPAL_ID}?$select=id,appId", ok({"id": GRAPH_PRINCIPAL_ID, "appId": GRAPH_APP_ID})
)


def assignment(role_id: str, *, resource_id: str = MTP_PRINCIPAL_ID, identifier: str | None = None) -> dict[str, Any]:
    return {
        "id": identifier or f"assignment-{role_id[:4]}",
        "principalId": PRINCIPAL_ID,
        "resourceId": resource_id,
        "resourceDisplayName": "Some Resource",
        "appRoleId": role_id,
    }


def body(role_id: str, *, resource_id: str = MTP_PRINCIPAL_ID) -> dict[str, str]:
    return {"principalId": PRINCIPAL_ID, "resourceId": resource_id, "appRoleId": role_id}


def give(role_id: str) -> Exchange:
    return Exchange(GIVE, created(assignment(role_id)), body(role_id))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Play:
    return lambda *script, **given: play(monkeypatch, operation, *script, **given)


def test_what_the_app_declares_is_granted_and_only_what_is_missing(run: Play) -> None:
    declared = app(requiredResourceAccess=declares((MTP_APP_ID, INCIDENT_READ), (MTP_APP_ID, INCIDENT_READWRITE)))
    reads = [Exchange(DECLARED, ok(declared)), CATALOG_MTP, FOUND, Exchange(HELD, page(assignment(INCIDENT_READ)))]
    both = Exchange(HELD, page(assignment(INCIDENT_READ), assignment(INCIDENT_READWRITE)))
    played = run(*reads, give(INCIDENT_READWRITE), both, app_id=APP_ID)
    predicted = run(*reads, check_mode=True, app_id=APP_ID)
    expected_diff = {
        "before": {"service_principal": "present", "granted": [READ]},
        "after": {"service_principal": "present", "granted": [READ, READWRITE]},
    }
    for outcome in (played.outcome, predicted.outcome):
        assert outcome.changed
        assert outcome.diff == expected_diff
    assert played.result == {
        "tenant_id": TENANT,
        "app_id": APP_ID,
        "service_principal_id": PRINCIPAL_ID,
        "grants": [
            {"permission": READ, "id": "assignment-a979", "state": "present"},
            {"permission": READWRITE, "id": "assignment-8d90", "state": "granted"},
        ],
        "granted": [READ, READWRITE],
        "drift": {"missing": [READWRITE], "undeclared": []},
    }
    assert predicted.result["grants"][1] == {"permission": READWRITE, "id": None, "state": "granted"}


def test_a_second_run_changes_nothing(run: Play) -> None:
    played = run(Exchange(DECLARED, ok(app())), CATALOG_MTP, FOUND, Exchange(HELD, page(assignment(INCIDENT_READ))), app_id=APP_ID)
    assert not played.outcome.changed
    assert played.outcome.diff is not None
    assert played.outcome.diff["before"] == played.outcome.diff["after"]
    assert played.warnings == []
    assert played.purged == []


def test_the_service_principals_of_app_and_resource_are_created_where_they_are_missing(run: Play) -> None:
    reads = [NO_CATALOG_MTP, Exchange(FIND_PRINCIPAL, missing())]
    find_mtp = f"GET servicePrincipals(appId='{MTP_APP_ID}')?{SELECT_PRINCIPAL}"
    played = run(
        *reads,
        Exchange("POST servicePrincipals", created(principal()), {"appId": APP_ID}),
        FOUND,
        Exchange("POST servicePrincipals", created(mtp()), {"appId": MTP_APP_ID}),
        Exchange(find_mtp, ok(mtp())),
        give(INCIDENT_READ),
        Exchange(HELD, page(assignment(INCIDENT_READ))),
        **NAMED,
    )
    predicted = run(*reads, check_mode=True, **NAMED)
    expected_diff = {
        "before": {"service_principal": "absent", "granted": []},
        "after": {"service_principal": "present", "granted": [READ], "resources_added": ["MicrosoftThreatProtection"]},
    }
    assert played.outcome.diff == predicted.outcome.diff == expected_diff
    assert played.outcome.changed
    assert predicted.outcome.changed
    assert predicted.result["service_principal_id"] is None


def test_an_app_without_permissions_still_gets_its_service_principal(run: Play) -> None:
    played = run(
        Exchange(FIND_PRINCIPAL, missing()),
        Exchange("POST servicePrincipals", created(principal()), {"appId": APP_ID}),
        FOUND,
        app_id=APP_ID,
        permissions=[],
    )
    assert played.outcome.changed
    assert played.result["service_principal_id"] == PRINCIPAL_ID


@pytest.mark.parametrize("message", ["Permission being assigned already exists on the object", "EntitlementGrant entry already exists."])
def test_a_grant_that_somebody_else_made_meanwhile_is_as_good(run: Play, message: str) -> None:
    taken = Exchange(GIVE, refused(400, "Request_BadRequest", message), body(INCIDENT_READ))
    played = run(CATALOG_MTP, FOUND, Exchange(HELD, page()), taken, Exchange(HELD, page(assignment(INCIDENT_READ))), **NAMED)
    assert played.result["grants"] == [{"permission": READ, "id": None, "state": "granted"}]


@pytest.mark.parametrize("lag", [refused(400, "Request_BadRequest", "Not a valid reference update."), missing()], ids=["400", "404"])
def test_a_directory_that_does_not_know_the_service_principals_yet_is_waited_for(run: Play, lag: Any) -> None:
    refusal = Exchange(GIVE, lag, body(INCIDENT_READ))
    played = run(
        CATALOG_MTP,
        FOUND,
        Exchange(HELD, page()),
        refusal,
        refusal,
        give(INCIDENT_READ),
        Exchange(HELD, page()),
        Exchange(HELD, page(assignment(INCIDENT_READ))),
        **NAMED,
    )
    assert played.outcome.changed
    assert played.slept == [0.5, 1.0, 0.5]


def test_a_directory_that_never_catches_up_fails_with_tenant_and_next_step(run: Play) -> None:
    lag = Exchange(GIVE, refused(400, "Request_BadRequest", "Not a valid reference update."), body(INCIDENT_READ))
    with pytest.raises(ServiceError) as caught:
        run(CATALOG_MTP, FOUND, Exchange(HELD, page()), lag, lag, replication_timeout=1, **NAMED)
    assert TENANT in str(caught.value)
    assert "raise replication_timeout" in str(caught.value)


def test_grants_that_are_not_shown_in_time_are_warned_about(run: Play) -> None:
    played = run(CATALOG_MTP, FOUND, Exchange(HELD, page()), give(INCIDENT_READ), Exchange(HELD, page()), replication_timeout=0, **NAMED)
    assert played.outcome.changed
    assert "does not show the new grants" in played.warnings[0]


def test_a_race_that_was_lost_is_no_success(run: Play) -> None:
    lost = Exchange(GIVE, refused(409, "ConcurrencyViolation", "x"), body(INCIDENT_READ))
    with pytest.raises(AlreadyExists, match="ConcurrencyViolation"):
        run(CATALOG_MTP, FOUND, Exchange(HELD, page()), lost, replication_timeout=0, **NAMED)


def test_undeclared_grants_are_reported_and_left(run: Play) -> None:
    held = Exchange(HELD, page(assignment(INCIDENT_READ), assignment(SECURITY_INCIDENT_READ, resource_id=GRAPH_PRINCIPAL_ID)))
    played = run(CATALOG_MTP, FOUND, held, WHO_IS_GRAPH, **NAMED)
    assert not played.outcome.changed
    assert played.result["drift"] == {"missing": [], "undeclared": [GRAPH_READ]}
    assert {"permission": GRAPH_READ, "id": "assignment-45cc", "state": "undeclared"} in played.result["grants"]
    assert GRAPH_READ in played.warnings[0]
    assert "exclusive=true" in played.warnings[0]


def test_exclusive_revokes_them_after_the_missing_ones_were_granted(run: Play) -> None:
    reads = [
        CATALOG_MTP,
        FOUND,
        Exchange(HELD, page(assignment(INCIDENT_READWRITE), assignment(SECURITY_INCIDENT_READ, resource_id=GRAPH_PRINCIPAL_ID))),
        WHO_IS_GRAPH,
    ]
    played = run(
        *reads,
        give(INCIDENT_READ),
        Exchange(f"DELETE servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments/assignment-8d90", done()),
        Exchange(f"DELETE servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments/assignment-45cc", missing()),
        Exchange(HELD, page(assignment(INCIDENT_READWRITE), assignment(INCIDENT_READ))),
        Exchange(HELD, page(assignment(INCIDENT_READ))),
        exclusive=True,
        **NAMED,
    )
    predicted = run(*reads, check_mode=True, exclusive=True, **NAMED)
    for outcome in (played.outcome, predicted.outcome):
        assert outcome.changed
        assert outcome.diff == {
            "before": {"service_principal": "present", "granted": [GRAPH_READ, READWRITE]},
            "after": {"service_principal": "present", "granted": [READ]},
        }
    assert played.result["granted"] == predicted.result["granted"] == [READ]
    assert [entry["state"] for entry in played.result["grants"]] == ["revoked", "granted", "revoked"]


def test_the_default_access_is_no_permission_and_is_never_revoked(run: Play) -> None:
    held = Exchange(HELD, page(assignment(INCIDENT_READ), assignment(PLACEHOLDER)))
    assert not run(CATALOG_MTP, FOUND, held, exclusive=True, **NAMED).outcome.changed


def test_a_role_of_an_unknown_resource_is_named_from_its_own_service_principal(run: Play) -> None:
    resource_id, resource_app_id = "66666666-6666-4666-8666-000000000009", "88888888-8888-4888-8888-000000000009"
    role_id = "99999999-9999-4999-8999-000000000009"
    offered = {"id": resource_id, "appId": resource_app_id, "appRoles": [role("Things.Read", role_id)], "oauth2PermissionScopes": []}
    played = run(
        CATALOG_MTP,
        FOUND,
        Exchange(HELD, page(assignment(INCIDENT_READ), assignment(role_id, resource_id=resource_id))),
        Exchange(f"GET servicePrincipals/{resource_id}?$select=id,appId", ok(offered)),
        Exchange(f"GET servicePrincipals(appId='{resource_app_id}')?{SELECT_CATALOG}", ok(offered)),
        **NAMED,
    )
    assert played.result["drift"]["undeclared"] == [f"{resource_app_id}/Things.Read"]


def test_a_resource_that_is_gone_leaves_its_title(run: Play) -> None:
    resource_id = "66666666-6666-4666-8666-000000000009"
    held = Exchange(HELD, page(assignment(INCIDENT_READ), assignment(INCIDENT_READ, resource_id=resource_id, identifier="orphan")))
    played = run(CATALOG_MTP, FOUND, held, Exchange(f"GET servicePrincipals/{resource_id}?$select=id,appId", missing()), **NAMED)
    assert played.result["drift"]["undeclared"] == [f"Some Resource/{INCIDENT_READ}"]


def test_a_disabled_service_principal_is_warned_about(run: Play) -> None:
    held = Exchange(HELD, page(assignment(INCIDENT_READ)))
    played = run(CATALOG_MTP, Exchange(FIND_PRINCIPAL, ok(principal(accountEnabled=False))), held, **NAMED)
    assert not played.outcome.changed
    assert "is disabled" in played.warnings[0]


def test_declared_delegated_permissions_are_left_alone_and_mentioned(run: Play) -> None:
    scope = declares((GRAPH_APP_ID, "e1fe6dd8-ba31-4d61-89e7-88639da4683d"), kind="Scope")
    declared = app(requiredResourceAccess=[*declares((MTP_APP_ID, INCIDENT_READ)), *scope])
    played = run(Exchange(DECLARED, ok(declared)), CATALOG_MTP, FOUND, Exchange(HELD, page(assignment(INCIDENT_READ))), app_id=APP_ID)
    assert not played.outcome.changed
    assert "MicrosoftGraph/User.Read:delegated" in played.warnings[0]


def test_a_declared_permission_that_the_resource_does_not_offer_is_refused_before_any_write(run: Play) -> None:
    catalog = Exchange(CATALOG_MTP.request, ok(mtp(role("Incident.ReadWrite.All", INCIDENT_READWRITE))))
    with pytest.raises(OptionError, match=r"Did you mean MicrosoftThreatProtection/Incident\.ReadWrite\.All"):
        run(Exchange(DECLARED, ok(app())), catalog, app_id=APP_ID)


def test_a_role_that_the_service_does_not_find_on_the_resource_is_explained(run: Play) -> None:
    answer = refused(400, "Request_BadRequest", "Permission being assigned was not found on application 'x'.")
    with pytest.raises(ServiceError, match=r"does not offer Incident\.Read\.All in this tenant"):
        run(CATALOG_MTP, FOUND, Exchange(HELD, page()), Exchange(GIVE, answer, body(INCIDENT_READ)), **NAMED)


def test_a_caller_without_the_right_permission_is_told_so(run: Play) -> None:
    denied = refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    with pytest.raises(PermissionDenied) as caught:
        run(CATALOG_MTP, FOUND, Exchange(HELD, page()), Exchange(GIVE, denied, body(INCIDENT_READ)), **NAMED)
    for piece in (TENANT, READ, "may not do this", "Next step"):
        assert piece in str(caught.value)


def test_tokens_are_forgotten_also_where_a_fault_ends_the_granting_half_way(run: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []

    def purge(_self: StubTokens, tenant_id: str) -> int:
        forgotten.append(tenant_id)
        return 1

    monkeypatch.setattr(StubTokens, "purge", purge)
    denied = Exchange(GIVE, refused(403, "Authorization_RequestDenied", "Insufficient privileges."), body(INCIDENT_READWRITE))
    with pytest.raises(PermissionDenied):
        run(CATALOG_MTP, FOUND, Exchange(HELD, page()), give(INCIDENT_READ), denied, app_id=APP_ID, permissions=[READ, READWRITE])
    assert forgotten == [TENANT]


@pytest.mark.parametrize(
    ("answer", "hint"), [(missing(), "name the permissions"), (ok(app(id=APP_ID, appId=PRINCIPAL_ID)), f"its client id is {PRINCIPAL_ID}")]
)
def test_an_app_that_is_not_registered_here_says_what_to_do(run: Play, answer: Any, hint: str) -> None:
    with pytest.raises(NotFound, match=hint):
        run(Exchange(DECLARED, missing()), Exchange(f"GET applications/{APP_ID}?{SELECT_APP}", answer), app_id=APP_ID)


@pytest.mark.parametrize("check_mode", [False, True])
def test_named_permissions_are_revoked(run: Play, check_mode: bool) -> None:
    writes = [
        Exchange(f"DELETE servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments/assignment-a979", done()),
        Exchange(HELD, page(assignment(INCIDENT_READ), assignment(INCIDENT_READWRITE))),
        Exchange(HELD, page(assignment(INCIDENT_READWRITE))),
    ]
    played = run(
        CATALOG_MTP,
        FOUND,
        Exchange(HELD, page(assignment(INCIDENT_READ), assignment(INCIDENT_READWRITE))),
        *([] if check_mode else writes),
        state="absent",
        check_mode=check_mode,
        **NAMED,
    )
    assert played.outcome.changed
    assert played.outcome.diff == {
        "before": {"service_principal": "present", "granted": [READ, READWRITE]},
        "after": {"service_principal": "present", "granted": [READWRITE]},
    }
    assert played.result["granted"] == [READWRITE]
    # Tokens in the cache carry the roles of before.
    assert played.purged == ([] if check_mode else [TENANT])


def test_without_names_all_application_permissions_are_revoked(run: Play) -> None:
    who_is_mtp = Exchange(f"GET servicePrincipals/{MTP_PRINCIPAL_ID}?$select=id,appId", ok({"id": MTP_PRINCIPAL_ID, "appId": MTP_APP_ID}))
    played = run(
        FOUND,
        Exchange(HELD, page(assignment(INCIDENT_READ))),
        who_is_mtp,
        Exchange(f"DELETE servicePrincipals/{PRINCIPAL_ID}/appRoleAssignments/assignment-a979", done()),
        Exchange(HELD, page()),
        app_id=APP_ID,
        state="absent",
    )
    assert played.result["grants"] == [{"permission": READ, "id": "assignment-a979", "state": "revoked"}]


def test_where_nothing_is_granted_nothing_is_revoked(run: Play) -> None:
    assert not run(CATALOG_MTP, FOUND, Exchange(HELD, page()), state="absent", **NAMED).outcome.changed
    assert not run(Exchange(FIND_PRINCIPAL, missing()), state="absent", app_id=APP_ID).outcome.changed


def test_the_grants_of_an_app_that_would_be_created_are_predicted(run: Play) -> None:
    played = run(CATALOG_MTP, check_mode=True, app_id=PLACEHOLDER, permissions=[READ])
    assert played.outcome.changed
    assert played.result["granted"] == [READ]
    unnamed = run(check_mode=True, app_id=PLACEHOLDER)
    assert unnamed.outcome.changed
    assert "name the permissions" in unnamed.warnings[0]
    with pytest.raises(OptionError, match="stands for no app"):
        run(app_id=PLACEHOLDER)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"app_id": "nope"}, "app_id is not a GUID"),
        ({"app_id": APP_ID, "permissions": ["Incidents.Read.All"]}, "Did you mean MicrosoftThreatProtection/Incident.Read.All"),
        ({"app_id": APP_ID, "permissions": ["Incident.Read:delegated"]}, "not granted by app-role assignments"),
        ({"app_id": APP_ID, "replication_timeout": -1}, "replication_timeout must be from 0 to 1000000000 seconds; got -1"),
    ],
)
def test_bad_input_fails_without_a_request(run: Play, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(**given)
