# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""An access token and what may be read from it without trusting it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AccessToken:
    """A bearer token for one resource in one tenant. Its value never appears in `repr()`.

    :param value: the token itself.
    :param tenant_id: GUID of the tenant it was asked for.
    :param resource: App ID URI it was asked for.
    :param client_id: the app it was asked for.
    :param expires_at: end of life as told by the token endpoint, seconds since the epoch.
    :param auth_method: which kind of credential obtained it.
    :param source: `network`, `cache` or `given`.
    """

    value: str = field(repr=False)
    tenant_id: str
    resource: str
    client_id: str
    expires_at: float
    auth_method: str
    source: str = "network"

    @property
    def claims(self) -> Mapping[str, Any]:
        """The claims as they stand in the token, unverified; empty where the token is not a JWT."""
        return peek_claims(self.value)

    @property
    def roles(self) -> tuple[str, ...]:
        """The app roles in the token, unverified; empty where there are none."""
        roles = self.claims.get("roles")
        return tuple(str(role) for role in roles) if isinstance(roles, list) else ()


def peek_claims(token: str) -> Mapping[str, Any]:
    """Return the payload of a JWT without checking its signature; an empty mapping where it cannot be read."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}
