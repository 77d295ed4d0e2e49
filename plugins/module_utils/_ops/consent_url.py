# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Makes the consent links for one or many customers. Offline: no credential, no request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._argspec import shared_options
from .._core import consent_links
from .._core.apps import check_redirect_uri
from .._core.consent_links import ConsentLink, Form
from .._core.errors import OptionError
from .._core.guids import PLACEHOLDER, checked_guid
from .._core.identity.audience import check_resource
from .._core.permissions import parse_all
from ._session import endpoints_of
from ._task import Operation, Outcome, Task

SHORTEST_STATE = 16
SHORTEST_STATE_SECRET = 32

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "tenants": {"type": "list", "elements": "str"},
    "form": {"type": "str", "choices": ["auto", *consent_links.FORMS], "default": "auto"},
    "redirect_uri": {"type": "str"},
    "resource": {"type": "str"},
    "permissions": {"type": "list", "elements": "str"},
    "state": {"type": "str", "no_log": False},
    "state_secret": {"type": "str", "no_log": True},
}


def run(task: Task) -> Outcome:
    """Run the operation `m365d_consent_url`."""
    params = task.params
    client_id = _client_id(task)
    if params["redirect_uri"]:
        check_redirect_uri(params["redirect_uri"])
    resources = _resources(params)
    for resource in resources:
        check_resource(resource)
    form: Form = params["form"]
    if params["form"] == "auto":
        form = consent_links.choose_form(redirect_uri=params["redirect_uri"], resources=resources)
    tenants = _tenants(task)
    _check_state(task, tenants)
    _advise(task, form, resources)
    links = [
        _link(params, form, client_id, tenant, resource)
        for tenant in tenants
        for resource in (resources if form == "v2_admin_consent" else [None]) or [None]
    ]
    result = {
        "client_id": client_id,
        "form": form,
        "consent_url": links[0].url if links else None,
        "state": links[0].state if links else None,
        "consent_urls": [_entry(link) for link in links],
    }
    if len({link.tenant for link in links}) == 1:
        result["tenant_id"] = links[0].tenant
    return Outcome(result)


def _client_id(task: Task) -> str:
    given = task.params["client_id"]
    if not given:
        raise OptionError("No app is named.", next_step="Give client_id, the application id of the app that customers consent to.")
    client_id = checked_guid(given, option="client_id")
    # In check mode an app that an earlier task would create has this id.
    if client_id == PLACEHOLDER and not task.check_mode:
        raise OptionError(f"client_id {PLACEHOLDER} stands for no app.", next_step="Give the application id of your app.")
    return client_id


def _resources(params: Mapping[str, Any]) -> list[str]:
    """Return the resources that links are for: the one named, else those of the permissions."""
    from_permissions = consent_links.resources_of(parse_all(params["permissions"] or ()))
    return [params["resource"]] if params["resource"] else from_permissions


def _tenants(task: Task) -> list[str | None]:
    params = task.params
    if params["tenants"] is None:
        given = [params["tenant_id"]] if params["tenant_id"] else []
        if not given:
            return [None]
    else:
        given = params["tenants"]
    tenants = [consent_links.check_tenant(text) for text in given]
    unique: list[str | None] = list(dict.fromkeys(tenants))
    if not tenants:
        task.warn("tenants is empty: no link was made.")
    if len(unique) < len(tenants):
        task.warn("tenants names some tenants more than once; each gets one link.")
    allowed = params["allowed_tenants"]
    if allowed is not None:
        accepted = {entry.strip().lower() for entry in allowed}
        for tenant in unique:
            if (tenant or "").lower() not in accepted:
                raise OptionError(
                    f"The tenant {tenant} is not among allowed_tenants.",
                    tenant_id=tenant,
                    next_step="Add it to allowed_tenants in the same form (GUID or domain), or correct the tenant.",
                )
    return unique


def _check_state(task: Task, tenants: list[str | None]) -> None:
    state, secret = task.params["state"], task.params["state_secret"]
    if state is not None and len(tenants) > 1:
        raise OptionError("One state for several tenants tells none from the other.", next_step="Leave state out, or give state_secret.")
    if secret is not None and len(secret) < SHORTEST_STATE_SECRET:
        raise OptionError(
            f"state_secret has {len(secret)} characters, which is too short to sign with.",
            next_step=f"Give at least {SHORTEST_STATE_SECRET} random characters.",
        )
    if state is not None and len(state) < SHORTEST_STATE:
        task.warn(f"state has {len(state)} characters, which can be guessed; give at least {SHORTEST_STATE} random ones, or leave it out.")


def _advise(task: Task, form: Form, resources: list[str]) -> None:
    """Warn where one link does not do what all the permissions need."""
    if form != "v2_admin_consent":
        return
    asked_for = consent_links.resources_of(parse_all(task.params["permissions"] or ()))
    uncovered = [name for name in asked_for if name not in resources]
    if uncovered:
        task.warn(
            f"A v2 link covers one resource: this one asks for {', '.join(resources)} only, not for {', '.join(uncovered)}. "
            "Leave resource out to get a link for each, or take form=v1_admin_consent, which asks for all at once."
        )
    elif len(resources) > 1:
        task.warn(
            f"A v2 link covers one resource: each customer has to open {len(resources)} links ({', '.join(resources)}). "
            "form=v1_admin_consent asks for all permissions of the app at once."
        )


def _link(params: Mapping[str, Any], form: Form, client_id: str, tenant: str | None, resource: str | None) -> ConsentLink:
    return consent_links.build_link(
        form,
        endpoints_of(params),
        client_id=client_id,
        tenant=tenant,
        redirect_uri=params["redirect_uri"],
        resource=resource,
        state=_state(params, form, client_id, tenant),
    )


def _state(params: Mapping[str, Any], form: Form, client_id: str, tenant: str | None) -> str | None:
    if params["state"] is not None:
        return str(params["state"])
    if params["state_secret"]:
        return consent_links.signed_state(params["state_secret"], client_id=client_id, tenant=tenant)
    # The authorize link of the source page ends at an address that is not the partner's: nobody would check a state.
    comes_back = bool(params["redirect_uri"]) or form in ("v1_admin_consent", "v2_admin_consent")
    return consent_links.new_state() if comes_back else None


def _entry(link: ConsentLink) -> dict[str, Any]:
    return {"tenant_id": link.tenant, "url": link.url, "state": link.state, "resource": link.resource}


OPERATION = Operation(
    run=run,
    # Of authentication, client_id alone is used, and api not at all. They are taken so that the defaults of the action group can hold them.
    argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC},
    mutually_exclusive=(("state", "state_secret"),),
)
