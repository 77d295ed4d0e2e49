# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One hierarchy of errors. A diagnosis is a value: each error carries state, code and next step, not only a text.

Errors are raised in the core and translated once per kind of plugin (module, action, lookup). No error ever holds
a secret, a token or an assertion: what a service answered is passed through `excerpt()`.
"""

from __future__ import annotations

import re
from typing import Any, Literal

Scope = Literal["tenant", "credential", "request"]

# Client secrets have about 40 characters. A shorter text than this is none; to mask it would mask half of every message.
SHORTEST_SECRET = 8

# Anything shaped like a JWT, and whatever follows a secret-bearing parameter name in a form or a JSON body.
_SECRET_SHAPES = re.compile(
    r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){1,4}"
    r"|(?i:(client_secret|client_assertion|access_token|refresh_token|id_token|secretText|password|code)(\"?\s*[=:]\s*\"?))[^\s\"&,}]+"
    r"|(?i:(bearer)(\s+))[A-Za-z0-9._~+/=-]{8,}"
)
# What no terminal should be sent and no UTF-8 file can hold: control characters other than tab and line ends, half surrogate pairs.
UNPRINTABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def redact(text: str) -> str:
    """Return `text` as it may be shown: with asterisks for tokens and the values of secret-bearing parameters, and nothing unprintable.

    A token that was given is written by whoever made it, and so are the names of its roles, which a message repeats.
    """

    def _mask(match: re.Match[str]) -> str:
        if match.group(1):
            return f"{match.group(1)}{match.group(2)}********"
        if match.group(3):
            return f"{match.group(3)}{match.group(4)}********"
        return "********"

    return _SECRET_SHAPES.sub(_mask, UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def excerpt(text: str, *, limit: int = 300) -> str:
    """Return at most `limit` characters of what a service said, on one line and free of secrets."""
    line = redact(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


class PartnerError(Exception):
    """A foreseeable fault: what was tried, for which tenant, what the service said, what to do next.

    :param message: the cause in one sentence, without secrets.
    :param attempted: what was being done, as a gerund phrase ("getting a token for MicrosoftGraph").
    :param tenant_id: the tenant it was done for; a GUID where one is known, else what the user gave.
    :param state: the consent state that the fault implies (see `identity.diagnosis`), or None.
    :param code: the service's own code (`AADSTS700016`, `Authorization_RequestDenied`), or None.
    :param next_step: what the reader should do, as a sentence.
    :param http_status: the HTTP status of the answer, or None when there was no answer.
    :param request_id: the service's request or trace id, for a support case.
    :param service_message: what the service said; shortened and stripped of secrets.
    :param scope: `tenant` when only this tenant is concerned, `credential` when every tenant that uses the same
        credential will fail alike, `request` when this request alone is at fault.
    :param retryable: whether the same call may succeed later without anybody changing anything.
    """

    default_scope: Scope = "tenant"

    def __init__(
        self,
        message: str,
        *,
        attempted: str | None = None,
        tenant_id: str | None = None,
        state: str | None = None,
        code: str | None = None,
        next_step: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        service_message: str | None = None,
        scope: Scope | None = None,
        retryable: bool = False,
    ) -> None:
        self.message = redact(message)
        self.attempted = attempted
        self.tenant_id = tenant_id
        self.state = state
        self.code = code
        self.next_step = next_step
        self.http_status = http_status
        self.request_id = request_id
        self.service_message = excerpt(service_message) if service_message else None
        self.scope: Scope = scope or self.default_scope
        self.retryable = retryable
        super().__init__(self.message)

    def __str__(self) -> str:
        """One paragraph: attempt and tenant, cause, what the service said, next step."""
        parts = []
        if self.attempted and self.tenant_id:
            parts.append(f"{self.attempted[:1].upper()}{self.attempted[1:]} for tenant {self.tenant_id} failed:")
        elif self.attempted:
            parts.append(f"{self.attempted[:1].upper()}{self.attempted[1:]} failed:")
        elif self.tenant_id and self.tenant_id not in self.message:
            parts.append(f"Tenant {self.tenant_id}:")
        parts.append(self.message)
        facts = [
            f"HTTP {self.http_status}" if self.http_status else "",
            self.code or "",
            f"request id {self.request_id}" if self.request_id else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        if known:
            parts.append(f"({known})")
        if self.service_message and self.service_message not in self.message:
            parts.append(f"The service said: {self.service_message}")
        if self.next_step:
            parts.append(f"Next step: {self.next_step}")
        return " ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values, for a result's `error` key."""
        return {
            "attempted": self.attempted,
            "code": self.code,
            "http_status": self.http_status,
            "message": self.message,
            "next_step": self.next_step,
            "request_id": self.request_id,
            "scope": self.scope,
            "service_message": self.service_message,
            "state": self.state,
            "tenant_id": self.tenant_id,
        }


class OptionError(PartnerError):
    """An option is wrong; found before any request is made."""

    default_scope: Scope = "request"


class LibraryMissing(PartnerError):
    """A Python library that the collection needs is not installed."""

    default_scope: Scope = "credential"


class TransportError(PartnerError):
    """No usable answer: name resolution, connection, TLS, time-out, a body that is not what it should be."""


class ForeignOrigin(TransportError):
    """A link or redirect points to another origin; the bearer token was not sent there."""


class CredentialError(PartnerError):
    """The credential itself is at fault: every tenant that uses it would fail alike."""

    default_scope: Scope = "credential"


class AuthenticationError(PartnerError):
    """The token endpoint refused; `state` and `scope` say whether the tenant or the credential is at fault."""


class ContractViolation(PartnerError):
    """A token was issued but does not satisfy the contract."""


class ServiceError(PartnerError):
    """Microsoft Graph or the Defender API answered with an error."""


class NotFound(ServiceError):
    """HTTP 404: the object does not exist or is not replicated yet."""


class AlreadyExists(ServiceError):
    """The object is already there; what a writer wanted is done."""


class PermissionDenied(ServiceError):
    """HTTP 403: a role is missing, the product is not licensed, or a feature is off."""


class Throttled(ServiceError):
    """HTTP 429 that outlasted the deadline. `retry_after` is the wait that the service asked for, in seconds."""

    retry_after: float | None = None


class FleetStopped(PartnerError):
    """A fault that is no tenant's and ends the work for all of them, such as a full disk."""

    default_scope: Scope = "request"
