# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the services that the public documentation does not settle, each with the choice made here.

A scenario's `unverified:` mapping overrides them by name. The README lists them with their evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class Settings:
    """Knobs of the emulated services. Times are in seconds."""

    token_lifetime: int = 3599
    issuer_v1: str = "https://sts.windows.net/{tenantid}/"
    issuer_v2: str = "{origin}/{tenantid}/v2.0"
    missing_service_principal: int = 700016
    scope_without_default: int = 1002012
    consent_without_product: str = "refuse"
    unsubscribed_service_error: str = "invalid_client"
    error_separator: str = "space"
    v1_key_alg: bool = False
    v2_key_alg: bool = False
    graph_nonce: bool = True
    assertion_issuer_audience: bool = True
    assertion_algorithms: tuple[str, ...] = ("RS256", "PS256", "RS384", "RS512")
    federated_error_status: int = 401
    device_code_lifetime: int = 900
    device_code_interval: int = 5
    authorization_code_lifetime: int = 600
    reconsent_revokes: bool = True
    consent_error_delivery: str = "page"
    error_page_status: int = 200
    wrong_method_status: int = 405
    duplicate_grant_status: int = 409
    duplicate_assignment_text: str = "Permission being assigned already exists on the object"
    remove_missing_password_status: int = 400
    delegated_admin_customers_app_only: bool = True
    disabled_checked_before_credential: bool = True
    directory_page_size: int = 100
    secret_length: int = 40
    stale_reads: bool = True
    foreign_discovery: str = "answer"

    @classmethod
    def from_mapping(cls, raw: Mapping[str, Any], *, token_lifetime: int) -> Settings:
        """Defaults overridden by `raw`. Raises ValueError for a name that is not a knob."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise ValueError(f"unknown key(s) under `unverified`: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        values = dict(raw)
        if "assertion_algorithms" in values:
            values["assertion_algorithms"] = tuple(values["assertion_algorithms"])
        return cls(**({"token_lifetime": token_lifetime} | values))
