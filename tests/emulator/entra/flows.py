# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What waits between two requests of a user flow: device codes, authorization codes, refresh tokens and open sign-in pages."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from ..clock import Clock


@dataclass(slots=True)
class SignIn:
    """Somebody who signed in on a page; `used` makes a flow token a single-use one."""

    username: str
    tenant_id: str
    expires: float


@dataclass(slots=True)
class DeviceCode:
    """One device authorization request."""

    device_code: str
    user_code: str
    client_id: str
    target: str
    version: int
    tenant_name: str
    expires: float
    status: str = "pending"
    username: str | None = None


@dataclass(slots=True)
class AuthorizationCode:
    """One authorization code, redeemable once."""

    code: str
    client_id: str
    tenant_id: str
    username: str
    redirect_uri: str
    target: str
    version: int
    expires: float
    challenge: str | None = None
    challenge_method: str | None = None
    nonce: str | None = None
    redeemed: bool = False


@dataclass(slots=True)
class RefreshToken:
    """A refresh token of a user."""

    client_id: str
    tenant_id: str
    username: str
    expires: float


class PendingFlows:
    """All of them; expired ones are forgotten when new ones come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pages: dict[str, float] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.device_codes: dict[str, DeviceCode] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}

    def open_page(self) -> str:
        """An anti-forgery value for a page that is shown now; valid for an hour."""
        self._forget(self.pages, lambda expires: expires)
        token = secrets.token_urlsafe(24)
        self.pages[token] = self._clock.timestamp() + 3600
        return token

    def close_page(self, token: str) -> bool:
        """Whether `token` was given out with a page and not used yet."""
        return self.pages.pop(token, 0.0) > self._clock.timestamp()

    def signed_in(self, username: str, tenant_id: str) -> str:
        """Remember a sign-in; returns the flow token that continues it."""
        self._forget(self.sign_ins, lambda one: one.expires)
        token = secrets.token_urlsafe(24)
        self.sign_ins[token] = SignIn(username, tenant_id, self._clock.timestamp() + 3600)
        return token

    def who(self, token: str) -> SignIn | None:
        """The sign-in a flow token continues; it can be used once."""
        found = self.sign_ins.pop(token, None)
        return found if found is not None and found.expires > self._clock.timestamp() else None

    def device(self, *, client_id: str, target: str, version: int, tenant_name: str, lifetime: int) -> DeviceCode:
        """A new device code."""
        self._forget(self.device_codes, lambda one: one.expires + 3600)
        user_code = "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _unused in range(9))
        expires = self._clock.timestamp() + lifetime
        made = DeviceCode(secrets.token_urlsafe(90), user_code, client_id, target, version, tenant_name, expires)
        self.device_codes[made.device_code] = made
        return made

    def device_by_user_code(self, user_code: str) -> DeviceCode | None:
        """The open device request somebody types the code of."""
        now = self._clock.timestamp()
        wanted = user_code.strip().upper()
        return next(
            (one for one in self.device_codes.values() if one.user_code == wanted and one.status == "pending" and one.expires > now), None
        )

    def code(self, **values: Any) -> AuthorizationCode:
        """A new authorization code."""
        self._forget(self.codes, lambda one: one.expires + 3600)
        made = AuthorizationCode(code=f"1.A{secrets.token_urlsafe(120)}", **values)
        self.codes[made.code] = made
        return made

    def refresh(self, *, client_id: str, tenant_id: str, username: str) -> str:
        """A new refresh token, valid for 90 days."""
        token = f"1.A{secrets.token_urlsafe(150)}"
        self.refresh_tokens[token] = RefreshToken(client_id, tenant_id, username, self._clock.timestamp() + 90 * 86400)
        return token

    def _forget(self, table: dict[str, Any], expires: Any) -> None:
        now = self._clock.timestamp()
        for key in [key for key, value in table.items() if expires(value) < now]:
            del table[key]
