# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects an emulated directory holds. Times are aware datetimes in UTC, ids are lower-case GUID strings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .replication import Stamp

DEFAULT_ACCESS = "00000000-0000-0000-0000-000000000000"

GLOBAL_ADMINISTRATOR = "Global Administrator"
PRIVILEGED_ROLE_ADMINISTRATOR = "Privileged Role Administrator"
APPLICATION_ADMINISTRATORS = ("Application Administrator", "Cloud Application Administrator")


@dataclass(slots=True)
class PasswordCredential:
    """A client secret; only its digest is kept."""

    key_id: str
    display_name: str | None
    start: datetime
    end: datetime
    hint: str
    digest: bytes
    created: Stamp = field(default_factory=Stamp)
    removed: Stamp | None = None


@dataclass(slots=True)
class KeyCredential:
    """A public certificate that may sign client assertions."""

    key_id: str
    display_name: str
    start: datetime
    end: datetime
    der: bytes
    custom_key_identifier: str
    kind: str = "AsymmetricX509Cert"
    usage: str = "Verify"
    created: Stamp = field(default_factory=Stamp)
    removed: Stamp | None = None

    @property
    def sha1(self) -> bytes:
        """SHA-1 thumbprint of the DER, the value behind `x5t`."""
        return hashlib.sha1(self.der, usedforsecurity=False).digest()

    @property
    def sha256(self) -> bytes:
        """SHA-256 thumbprint of the DER, the value behind `x5t#S256`."""
        return hashlib.sha256(self.der).digest()


@dataclass(slots=True)
class FederatedCredential:
    """Trust in an external issuer's token as client assertion."""

    id: str
    name: str
    issuer: str
    subject: str
    audiences: list[str]
    description: str | None = None
    created: Stamp = field(default_factory=Stamp)


@dataclass(slots=True)
class AppRole:
    """An application permission a resource offers."""

    id: str
    value: str
    display_name: str
    member_types: tuple[str, ...] = ("Application",)
    enabled: bool = True


@dataclass(slots=True)
class PermissionScope:
    """A delegated permission a resource offers."""

    id: str
    value: str
    display_name: str
    kind: str = "Admin"
    enabled: bool = True


@dataclass(slots=True)
class Application:
    """An app registration. `body` holds the plain Graph properties; credentials and owners are kept apart."""

    id: str
    app_id: str
    tenant_id: str
    created_at: datetime
    body: dict[str, Any]
    created: Stamp = field(default_factory=Stamp)
    changed: Stamp = field(default_factory=Stamp)
    previous_body: dict[str, Any] | None = None
    deleted_at: datetime | None = None
    owners: list[str] = field(default_factory=list)
    passwords: list[PasswordCredential] = field(default_factory=list)
    keys: list[KeyCredential] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    first_party: bool = False
    public_only: bool = False

    @property
    def display_name(self) -> str:
        """The name people see; not unique."""
        return str(self.body.get("displayName", ""))

    @property
    def multi_tenant(self) -> bool:
        """Whether other organisations' tenants may use the app."""
        return self.body.get("signInAudience") not in ("AzureADMyOrg", "PersonalMicrosoftAccount")

    @property
    def token_version(self) -> int:
        """Format of the access tokens for this app as a resource (1 unless the manifest says 2)."""
        return int((self.body.get("api") or {}).get("requestedAccessTokenVersion") or 1)

    @property
    def redirect_uris(self) -> list[str]:
        """All registered reply addresses, web first; the order decides which one is the default."""
        found: list[str] = []
        for platform in ("web", "spa", "publicClient"):
            found += (self.body.get(platform) or {}).get("redirectUris") or []
        return found

    @property
    def identifier_uris(self) -> list[str]:
        """App ID URIs under which the app may be asked for as a resource."""
        return list(self.body.get("identifierUris") or [])


@dataclass(slots=True)
class ServicePrincipal:
    """An application's presence in one tenant (an "enterprise application")."""

    id: str
    app_id: str
    tenant_id: str
    owner_tenant_id: str
    created_at: datetime
    body: dict[str, Any] = field(default_factory=dict)
    created: Stamp = field(default_factory=Stamp)
    removed: Stamp | None = None
    deleted_at: datetime | None = None
    account_enabled: bool = True
    enabled_changed: Stamp = field(default_factory=Stamp)
    owners: list[str] = field(default_factory=list)


@dataclass(slots=True)
class AppRoleAssignment:
    """One granted application permission in one tenant."""

    id: str
    principal_id: str
    resource_id: str
    app_role_id: str
    created_at: datetime
    created: Stamp = field(default_factory=Stamp)
    removed: Stamp | None = None


@dataclass(slots=True)
class PermissionGrant:
    """One grant of delegated permissions in one tenant."""

    id: str
    client_id: str
    consent_type: str
    principal_id: str | None
    resource_id: str
    scope: str
    created: Stamp = field(default_factory=Stamp)
    removed: Stamp | None = None


@dataclass(slots=True)
class User:
    """Somebody who can sign in on the pages of the emulator."""

    id: str
    username: str
    display_name: str
    roles: tuple[str, ...]
    digest: bytes
    groups: tuple[str, ...] = ()

    @property
    def administrator(self) -> bool:
        """Whether the user may consent to any application permission."""
        return bool({GLOBAL_ADMINISTRATOR, PRIVILEGED_ROLE_ADMINISTRATOR} & set(self.roles))


def digest(secret: str) -> bytes:
    """What is kept of a secret or a password."""
    return hashlib.sha256(secret.encode()).digest()
