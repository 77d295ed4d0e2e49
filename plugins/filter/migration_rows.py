# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: migration_rows
short_description: Tell which tenants still lack the permissions of Microsoft Graph
version_added: 0.1.0
description:
  - Takes the C(tenants) of M(m365d.partner.m365d_consent_info) and returns what each tenant needs before the Defender XDR API can be left
    for Microsoft Graph, those that need something first.
  - C(Incident.Read.All) is replaced by C(SecurityIncident.Read.All), C(Incident.ReadWrite.All) by C(SecurityIncident.ReadWrite.All), and
    C(AdvancedHunting.Read.All) by C(ThreatHunting.Read.All). What a tenant needs follows from what it granted so far.
  - A tenant that could not be asked is V(unknown), never ready.
options:
  _input:
    description:
      - The C(tenants) of a result of M(m365d.partner.m365d_consent_info), which was asked for permissions of both APIs.
    type: list
    elements: dictionary
    required: true
  consent_urls:
    description:
      - The C(consent_urls) of a result of M(m365d.partner.m365d_consent_url) for these tenants.
    type: list
    elements: dictionary
    default: []
  names:
    description:
      - The names of the tenants by their ids, or by the domains with which they were asked for.
    type: dictionary
    default: {}
  always:
    description:
      - Permissions of Microsoft Graph that every tenant needs, whatever it granted so far.
    type: list
    elements: string
    default: []
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Ask all tenants what they granted
  m365d.partner.m365d_consent_info:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') }}"
    permissions:
      - MicrosoftThreatProtection/Incident.Read.All
      - MicrosoftGraph/SecurityIncident.Read.All
    max_failed: 100%
  register: consent

- name: Show who has to consent again
  ansible.builtin.debug:
    msg: "{{ consent.tenants | m365d.partner.migration_rows | selectattr('status', '==', 'consent_needed') }}"
"""

RETURN = r"""
_value:
  description:
    - A dictionary for each tenant with C(tenant_id), C(tenant_name), C(status) (V(ready), V(consent_needed), V(nothing_to_migrate) or
      V(unknown)), C(in_use), C(needed), C(missing), C(consent_url), C(next_step) and C(reason).
  type: list
  elements: dictionary
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import MICROSOFT_GRAPH, MICROSOFT_THREAT_PROTECTION
from ansible_collections.m365d.partner.plugins.module_utils._core.migration import plan_migration
from ansible_collections.m365d.partner.plugins.plugin_utils._untrusted import untrusted

_URGENCY = {"consent_needed": 0, "unknown": 1, "nothing_to_migrate": 2, "ready": 3}
_BOTH = (MICROSOFT_THREAT_PROTECTION, MICROSOFT_GRAPH)


def _unread(tenant: Mapping[str, Any]) -> list[str]:
    """Return the APIs that refused a token, so that it is not known what was granted of them."""
    probes = [probe for probe in tenant.get("evidence") or [] if probe.get("probe") == "token"]
    answered = {probe["resource"] for probe in probes if not probe.get("error")}
    return [resource for resource in _BOTH if resource not in answered]


def _row(tenant: Mapping[str, Any], urls: Mapping[str, str], names: Mapping[str, str], always: Sequence[str]) -> dict[str, Any]:
    tenant_id = str(tenant.get("tenant_id"))
    # An inventory may know the tenant by a domain.
    asked_as = [str(name) for name in tenant.get("requested") or []]
    error: Mapping[str, Any] = tenant.get("error") or {}
    was_asked = tenant.get("outcome", "ok") == "ok"
    plan = plan_migration(
        list(tenant.get("roles") or []),
        state=tenant.get("consent_state") if was_asked else None,
        unread=_unread(tenant),
        always=always,
        reason=str(error.get("next_step") or ""),
    )
    return {
        "tenant_id": tenant_id,
        "tenant_name": next((names[name] for name in (tenant_id, *asked_as) if names.get(name)), tenant_id),
        **{key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items()},
        "consent_url": urls.get(tenant_id.lower()) if plan.status == "consent_needed" else None,
        "reason": str(error.get("message") or tenant.get("msg") or "") if plan.status == "unknown" else "",
    }


def migration_rows(
    tenants: Sequence[Mapping[str, Any]],
    consent_urls: Sequence[Mapping[str, Any]] = (),
    names: Mapping[str, str] | None = None,
    always: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return what each tenant needs, those that need something first.

    :param tenants: `tenants` of an `m365d_consent_info` result.
    :param consent_urls: `consent_urls` of an `m365d_consent_url` result.
    :param names: tenant id → name.
    :param always: permissions that every tenant needs.
    """
    if isinstance(tenants, (str, Mapping)) or not all(isinstance(tenant, Mapping) for tenant in tenants):
        raise AnsibleFilterError("migration_rows needs the list tenants of a result of m365d_consent_info.")
    urls = {str(entry.get("tenant_id")).lower(): str(entry.get("url")) for entry in consent_urls}
    rows = [_row(tenant, urls, names or {}, always) for tenant in tenants]
    rows.sort(key=lambda row: (_URGENCY[row["status"]], str(row["tenant_name"]).casefold()))
    # Names and messages come from the services: they must not be taken for templates.
    marked: list[dict[str, Any]] = untrusted(rows)
    return marked


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"migration_rows": migration_rows}
