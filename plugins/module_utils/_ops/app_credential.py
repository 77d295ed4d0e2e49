# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Brings a client secret of an app to a state: present and not about to end, or absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from .._argspec import shared_options
from .._core import app_credentials, apps
from .._core.app_credentials import NewSecret, Secret, SecretHolder, format_time
from .._core.clouds import MICROSOFT_GRAPH
from .._core.errors import AuthenticationError, CredentialError, NotFound, OptionError, PartnerError
from .._core.graph import GraphClient
from .._core.guids import PLACEHOLDER, checked_guid
from .._core.identity.base import TokenRequest
from .._core.identity.client_secret import ClientSecret
from .._core.service_principals import find_service_principal
from ._seconds import check_seconds
from ._session import Session, open_session
from ._task import Operation, Outcome, Task

DEFAULT_LIFETIME_DAYS = 180

# What the token service answers while it does not know a new secret, or a new app, yet.
_UNKNOWN_APP = ("AADSTS700016", "AADSTS7000229")
_DISABLED_APP = "AADSTS7000112"
_NOT_KNOWN_YET = ("AADSTS7000215", _DISABLED_APP, *_UNKNOWN_APP)

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "app_id": {"type": "str"},
    "app_object_id": {"type": "str"},
    "type": {"type": "str", "choices": ["secret"], "default": "secret"},
    "name": {"type": "str"},
    "key_id": {"type": "str", "no_log": False},
    "lifetime_days": {"type": "int"},
    "end_date_time": {"type": "str"},
    "renew_before_days": {"type": "int", "default": 0},
    "remove_expired": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": True},
    "replication_timeout": {"type": "float", "default": 300.0},
}


@dataclass(frozen=True)
class _Wanted:
    """What the options ask for, checked.

    :param end: when a new secret would end.
    :param renew_at: a secret that ends before this moment is not good enough.
    """

    app_id: str | None
    object_id: str | None
    name: str | None
    key_id: str | None
    now: datetime
    end: datetime
    renew_at: datetime

    @property
    def placeholder(self) -> bool:
        """Whether the app is one that an earlier task of a check-mode run would have created."""
        return PLACEHOLDER in (self.app_id, self.object_id)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_app_credential`."""
    check_seconds(task.params, "replication_timeout", zero=True)
    wanted = _wanted(task.params, now=_now())
    if wanted.placeholder and not task.check_mode:
        raise OptionError(f"The id {PLACEHOLDER} stands for no app.", next_step="Give the client id of the app in app_id.")
    session = open_session(task)
    client = session.graph()
    holder = SecretHolder(PLACEHOLDER, PLACEHOLDER, "", ()) if wanted.placeholder else _holder(client, wanted)
    if task.params["state"] == "absent":
        return _absent(task, client, wanted, holder)
    if holder is None:
        raise _no_app(client, wanted)
    return _present(task, session, client, wanted, holder)


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)


def _wanted(params: Mapping[str, Any], *, now: datetime) -> _Wanted:
    name = params["name"]
    if name is not None and not name.strip():
        raise OptionError("name is empty.", next_step="Give the secret a name: it is what finds it again.")
    days, renew_before = params["lifetime_days"], params["renew_before_days"]
    if days is not None and days < 1:
        raise OptionError(f"lifetime_days must be at least 1; got {days}.", next_step="Give the number of days that the secret shall work.")
    if renew_before < 0:
        raise OptionError(f"renew_before_days must not be negative; got {renew_before}.", next_step="Give 0 to renew after the end only.")
    try:
        end = now + timedelta(days=DEFAULT_LIFETIME_DAYS if days is None else days)
        renew_at = now + timedelta(days=renew_before)
    except OverflowError as exc:
        raise OptionError("lifetime_days or renew_before_days is beyond all calendars.", next_step="Give fewer days.") from exc
    if params["end_date_time"] is not None:
        end = app_credentials.checked_end(params["end_date_time"], now=now)
    if params["state"] == "present" and end <= renew_at:
        raise OptionError(
            f"A secret that ends on {format_time(end)} would be renewed at once, since renew_before_days is {renew_before}.",
            next_step="Give a smaller renew_before_days, or let the secret live longer.",
        )
    return _Wanted(
        app_id=checked_guid(params["app_id"], option="app_id") if params["app_id"] is not None else None,
        object_id=checked_guid(params["app_object_id"], option="app_object_id") if params["app_object_id"] is not None else None,
        name=name,
        key_id=checked_guid(params["key_id"], option="key_id") if params["key_id"] is not None else None,
        now=now,
        end=end,
        renew_at=renew_at,
    )


def _holder(client: GraphClient, wanted: _Wanted) -> SecretHolder | None:
    return app_credentials.find_holder(client, app_id=wanted.app_id, object_id=wanted.object_id)


def _no_app(client: GraphClient, wanted: _Wanted) -> NotFound:
    if wanted.app_id:
        return NotFound(
            f"The tenant has no app with the client id {wanted.app_id}.",
            tenant_id=client.tenant_id,
            next_step=apps.explain_missing(client, wanted.app_id),
        )
    return NotFound(
        f"The tenant has no app with the object id {wanted.object_id}.",
        tenant_id=client.tenant_id,
        next_step="Check app_object_id (it is not the client id, which app_id takes) and that tenant_id is the app's home tenant.",
    )


def _present(task: Task, session: Session, client: GraphClient, wanted: _Wanted, holder: SecretHolder) -> Outcome:
    params = task.params
    same_name = app_credentials.named(holder.secrets, str(wanted.name))
    good = next((secret for secret in same_name if secret.end > wanted.renew_at), None)
    expired = [secret for secret in same_name if secret.end <= wanted.now] if params["remove_expired"] else []
    planned = None if good else Secret(key_id="", name=str(wanted.name), start=wanted.now, end=wanted.end)
    kept = [secret for secret in same_name if secret not in expired]
    diff = {"before": _view(same_name), "after": _view([*([planned] if planned else []), *kept])}
    result = _about(client.tenant_id, holder)
    new: NewSecret | None = None
    if not task.check_mode:
        if planned:
            new = app_credentials.add_secret(client, holder, name=planned.name, end=planned.end, timeout=params["replication_timeout"])
            result["verified"] = _settle(task, session, client, holder, new)
        _remove_expired(task, client, holder, expired, new)
    result.update(_describe(new.secret if new else good or planned))
    result["secret_available"] = new is not None
    if new:
        result["secret_text"] = new.text
    return Outcome(result, changed=bool(planned or expired), diff=diff, secret=new is not None)


def _remove_expired(task: Task, client: GraphClient, holder: SecretHolder, expired: list[Secret], new: NewSecret | None) -> None:
    """Remove what has ended. Once a new value is in hand, nothing may fail the task: the value would be lost."""
    try:
        for secret in expired:
            app_credentials.remove_secret(client, holder, secret.key_id, timeout=task.params["replication_timeout"])
    except PartnerError as error:
        if new is None:
            raise
        task.warn(f"The new secret is there, but an expired one could not be removed. {error}")


def _settle(task: Task, session: Session, client: GraphClient, holder: SecretHolder, new: NewSecret) -> bool:
    """Wait until directory and token service know the new secret; return whether the token service took it.

    Never raises for a fault of the services: the only copy of the value is in this process and must reach the user.
    """
    timeout = task.params["replication_timeout"]
    try:
        if not app_credentials.await_secrets(client, holder, lambda key_ids: new.secret.key_id in key_ids, timeout=timeout):
            task.warn(f"The directory does not show the new secret {new.secret.key_id} after {timeout:g} s; it may take longer to work.")
        return task.params["verify"] and _verify(task, session, client, holder, new, timeout=timeout)
    except PartnerError as error:
        task.warn(f"The new secret was added, but whether it works already could not be checked. {error}")
        return False


def _verify(task: Task, session: Session, client: GraphClient, holder: SecretHolder, new: NewSecret, *, timeout: float) -> bool:
    """Get a token in the app's home tenant with the new secret, again and again while the token service does not know it.

    The credential is asked past all caches: neither the token nor an early refusal is to be remembered.
    """
    request = TokenRequest(
        tenant_id=client.tenant_id,
        client_id=holder.app_id,
        resource=session.endpoints.resource_uri(MICROSOFT_GRAPH),
        endpoints=session.endpoints,
        transport=session.transport,
    )
    hopeless: list[str] = []

    def _settled() -> bool:
        try:
            ClientSecret(new.text).acquire(request)
        except (AuthenticationError, CredentialError) as error:
            if error.code not in _NOT_KNOWN_YET:
                raise
            if error.code in (_DISABLED_APP, *_UNKNOWN_APP):
                # The token service may lag behind the directory; what the directory itself says is final.
                hopeless.extend(_why_no_token(client, holder.app_id))
            return bool(hopeless)
        return True

    if client.wait_until(_settled, timeout=timeout) and not hopeless:
        return True
    why = hopeless[0] if hopeless else f"it did not accept it within {timeout:g} s"
    task.warn(f"Whether the token service takes the new secret {new.secret.key_id} could not be seen: {why}.")
    return False


def _why_no_token(client: GraphClient, app_id: str) -> list[str]:
    """Return why waiting for a token would be in vain; empty where it would not."""
    principal = find_service_principal(client, app_id)
    if principal is None:
        return ["the app has no service principal in its home tenant"]
    return [] if principal.enabled else ["the app's service principal in its home tenant is disabled"]


def _absent(task: Task, client: GraphClient, wanted: _Wanted, holder: SecretHolder | None) -> Outcome:
    if holder is None:
        task.warn(
            f"Tenant {client.tenant_id} has no app {wanted.app_id or wanted.object_id}, so it has no such secret either; "
            "if the app exists, check its id and the tenant."
        )
        holder = SecretHolder(wanted.object_id or "", wanted.app_id or "", "", ())
    if wanted.key_id:
        doomed = [secret for secret in holder.secrets if secret.key_id == wanted.key_id]
    else:
        doomed = app_credentials.named(holder.secrets, str(wanted.name))
    diff = {"before": _view(doomed), "after": _view([])}
    if doomed and not task.check_mode:
        timeout = task.params["replication_timeout"]
        for secret in doomed:
            app_credentials.remove_secret(client, holder, secret.key_id, timeout=timeout)
        gone = {secret.key_id for secret in doomed}
        if not app_credentials.await_secrets(client, holder, lambda key_ids: not gone & key_ids, timeout=timeout):
            task.warn(f"The directory still shows the removed secret after {timeout:g} s.")
    result = {**_about(client.tenant_id, holder), "removed": [secret.key_id for secret in doomed], "secret_available": False}
    return Outcome(result, changed=bool(doomed), diff=diff)


def _about(tenant_id: str, holder: SecretHolder) -> dict[str, Any]:
    return {"tenant_id": tenant_id, "app_id": holder.app_id or None, "object_id": holder.object_id or None}


def _describe(secret: Secret | None) -> dict[str, Any]:
    if secret is None:
        return {}
    return {
        "name": secret.name,
        "key_id": secret.key_id or None,
        "start_date_time": format_time(secret.start),
        "end_date_time": format_time(secret.end),
        "hint": secret.hint,
    }


def _view(secrets: list[Secret]) -> dict[str, Any]:
    """Return what a diff shows; ends to the day, so that a prediction and the run after it agree."""
    return {
        "secrets": sorted(({"name": secret.name, "ends": f"{secret.end:%Y-%m-%d}"} for secret in secrets), key=lambda entry: entry["ends"])
    }


OPERATION = Operation(
    run=run,
    argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC},
    mutually_exclusive=(("app_id", "app_object_id"), ("name", "key_id"), ("lifetime_days", "end_date_time")),
    required_one_of=(("app_id", "app_object_id"),),
    required_if=(("state", "present", ("name",)), ("state", "absent", ("name", "key_id"), True)),
    returns_secret=lambda params: params["state"] == "present",
)
