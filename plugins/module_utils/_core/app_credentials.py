# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Client secrets of an app: list, add, remove, and what a tenant's policy says about them.

Sources: the addPassword and removePassword actions of Microsoft Graph v1.0 and the app management policy pages. A secret
cannot be changed, and its value is answered once, when it is added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .errors import NotFound, OptionError, ServiceError, TransportError
from .graph import GraphClient, by_key

_SELECT = "id,appId,displayName,passwordCredentials"
_NO_SUCH_SECRET = re.compile(r"no (password )?credential found|keyId", re.IGNORECASE)
_POLICY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Secret:
    """A client secret as a read shows it: everything but its value.

    :param hint: its first characters, by which people tell secrets apart.
    """

    key_id: str
    name: str
    start: datetime
    end: datetime
    hint: str | None = None


@dataclass(frozen=True)
class NewSecret:
    """A secret that was just added; its value is in no `repr()`."""

    secret: Secret
    text: str = field(repr=False)


@dataclass(frozen=True)
class SecretHolder:
    """An app and its secrets."""

    object_id: str
    app_id: str
    display_name: str
    secrets: tuple[Secret, ...]


def parse_time(text: str) -> datetime:
    """Return a moment written in ISO 8601, in UTC; without a zone it is taken as UTC.

    :raises ValueError: where it is none.
    """
    # fromisoformat() of Python 3.10 knows neither Z nor seven digits of a second, which Microsoft Graph writes.
    plain = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    plain = re.sub(r"\.(\d{1,5})(?!\d)", lambda match: f".{match.group(1):0<6}", plain)
    moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", plain))
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def format_time(moment: datetime) -> str:
    """Return a moment as Microsoft Graph writes it, whole seconds, UTC."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _secret(raw: Mapping[str, Any]) -> Secret:
    earliest, latest = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)
    return Secret(
        key_id=str(raw["keyId"]).lower(),
        name=str(raw.get("displayName") or ""),
        start=parse_time(raw["startDateTime"]) if raw.get("startDateTime") else earliest,
        end=parse_time(raw["endDateTime"]) if raw.get("endDateTime") else latest,
        hint=raw.get("hint"),
    )


def find_holder(client: GraphClient, *, app_id: str | None = None, object_id: str | None = None) -> SecretHolder | None:
    """Return an app, named by its client id or else its object id, with its secrets; None where there is none."""
    path = by_key("applications", "appId", app_id) if app_id else f"applications/{object_id}"
    raw = client.find(path, attempted=f"reading the secrets of the app {app_id or object_id}", params={"$select": _SELECT})
    if raw is None:
        return None
    return SecretHolder(
        object_id=str(raw["id"]),
        app_id=str(raw["appId"]).lower(),
        display_name=str(raw.get("displayName") or ""),
        secrets=tuple(_secret(entry) for entry in raw.get("passwordCredentials") or ()),
    )


def named(secrets: Iterable[Secret], name: str) -> list[Secret]:
    """Return the secrets of that name, the one that lives longest first."""
    return sorted((secret for secret in secrets if secret.name == name), key=lambda secret: secret.end, reverse=True)


def add_secret(client: GraphClient, holder: SecretHolder, *, name: str, end: datetime, timeout: float) -> NewSecret:
    """Add a secret and return it with its value.

    :param end: when it stops working; always sent, since the service's own default of two years breaks many policies.
    :raises ServiceError: where a policy forbids it (explained), or the service refuses for another reason.
    :raises TransportError: where the answer was lost; the secret may exist then, and its value is lost.
    """
    attempted = f"adding the secret '{name}' to the app {holder.app_id}"
    body = {"passwordCredential": {"displayName": name, "endDateTime": format_time(end)}}
    try:
        raw = client.when_replicated(
            lambda: client.post(f"applications/{holder.object_id}/addPassword", body, attempted=attempted), timeout=timeout
        )
    except TransportError as error:
        error.next_step = (
            f"The secret may have been added, but its value is lost: remove it with state=absent and name='{name}', then run again. "
            f"{error.next_step or ''}"
        ).strip()
        raise
    except ServiceError as error:
        raise _explained(error, end=end) from error
    text = raw.get("secretText")
    if not isinstance(text, str) or not text:
        raise ServiceError(
            "The service added a secret but did not return its value.",
            attempted=attempted,
            tenant_id=client.tenant_id,
            next_step=f"Remove it with state=absent and name='{name}', then run again.",
        )
    return NewSecret(_secret(raw), text)


def remove_secret(client: GraphClient, holder: SecretHolder, key_id: str, *, timeout: float) -> None:
    """Remove a secret; one that is gone already is as good.

    :param timeout: seconds to wait where the directory does not know the app yet.
    """

    def _remove() -> None:
        try:
            client.post(
                f"applications/{holder.object_id}/removePassword",
                {"keyId": key_id},
                attempted=f"removing the secret {key_id} of the app {holder.app_id}",
                repeatable=True,
            )
        except ServiceError as error:
            if error.http_status not in (400, 404) or not _NO_SUCH_SECRET.search(error.service_message or ""):
                raise

    client.when_replicated(_remove, timeout=timeout)


def await_secrets(client: GraphClient, holder: SecretHolder, condition: Callable[[frozenset[str]], bool], *, timeout: float) -> bool:
    """Wait until the key ids that a read of the app shows satisfy `condition`; return whether they did in time."""

    def _settled() -> bool:
        now = find_holder(client, object_id=holder.object_id)
        if now is None:
            raise NotFound("The app is not to be seen.")
        return condition(frozenset(secret.key_id for secret in now.secrets))

    return client.wait_until(_settled, timeout=timeout)


def _explained(error: ServiceError, *, end: datetime) -> ServiceError:
    """Return the error with cause and next step where a tenant's app management policy is behind it."""
    said = error.service_message or ""
    policy = _POLICY_ID.search(said)
    which = f"policy {policy.group(0)}" if policy else "an app management policy"
    if error.code == "CredentialTypeNotAllowedAsPerAppPolicy":
        return _restated(
            error,
            f"The tenant forbids client secrets on this app ({which}).",
            "Use a certificate or a federated credential instead, or have an administrator exempt this app in its app management policy.",
        )
    if error.code == "CredentialInvalidLifetimeAsPerAppPolicy":
        return _restated(
            error,
            f"The tenant does not allow a secret to live until {format_time(end)} ({which}).",
            "Give a smaller lifetime_days (or an earlier end_date_time), or have an administrator change the policy.",
        )
    return error


def _restated(error: ServiceError, message: str, next_step: str) -> ServiceError:
    return type(error)(
        message,
        attempted=error.attempted,
        tenant_id=error.tenant_id,
        code=error.code,
        next_step=next_step,
        http_status=error.http_status,
        request_id=error.request_id,
        service_message=error.service_message,
    )


def checked_end(text: str, *, now: datetime) -> datetime:
    """Return the moment at which a secret shall end.

    :raises OptionError: where it is no ISO 8601 time, or not in the future.
    """
    try:
        end = parse_time(text)
    except ValueError as exc:
        raise OptionError(
            f"end_date_time is not a date and time: '{text}'.", next_step="Write it in ISO 8601, such as 2027-01-31T00:00:00Z."
        ) from exc
    if end <= now:
        raise OptionError(f"end_date_time {format_time(end)} is over.", next_step="Give a time in the future.")
    return end
