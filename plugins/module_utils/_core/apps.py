# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""App registrations: find one, compare it with what is wanted, create, change, delete, restore.

Sources: the application resource of Microsoft Graph v1.0, its upsert by `uniqueName`, and the deletedItems pages.
Creating an app does not create its service principal; deleting it in its home tenant deletes that one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from .errors import AlreadyExists, NotFound, OptionError, PermissionDenied
from .graph import GraphClient, by_key, is_concurrency, odata_text
from .guids import PLACEHOLDER
from .permissions import Access

DEFAULT_REDIRECT_URI = "https://portal.azure.com"
AUDIENCES = ("AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")
LONGEST_NAME = 120
LONGEST_NOTES = 1024
MOST_REDIRECT_URIS = 256

_SELECT = "id,appId,displayName,uniqueName,signInAudience,web,requiredResourceAccess,notes,createdDateTime"
_SELECT_DELETED = f"{_SELECT},deletedDateTime"
_DELETED = "directory/deletedItems"


@dataclass(frozen=True)
class AppKey:
    """What one app is told from the others by: its client id, its unique name, or its display name."""

    app_id: str | None = None
    unique_name: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.app_id:
            return f"the app with the client id {self.app_id}"
        return f"the app with the unique name '{self.unique_name}'" if self.unique_name else f"the app '{self.name}'"


@dataclass(frozen=True)
class App:
    """An app registration.

    :param object_id: id of the directory object; app_id: the client id.
    :param access: the permissions that it declares; declaring grants nothing.
    :param web: the web platform's settings as Microsoft Graph shows them.
    """

    object_id: str
    app_id: str
    display_name: str
    unique_name: str | None
    sign_in_audience: str
    redirect_uris: tuple[str, ...]
    access: frozenset[Access]
    notes: str | None = None
    created: str | None = None
    web: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AppSettings:
    """What an app should be like; None leaves a property as it is.

    :param access: the permissions to declare, in order.
    :param access_exclusive: whether `access` is the whole list, or a part that must be in it.
    """

    sign_in_audience: str
    name: str | None = None
    unique_name: str | None = None
    redirect_uris: tuple[str, ...] | None = None
    access: tuple[Access, ...] | None = None
    access_exclusive: bool = True
    notes: str | None = None


@dataclass(frozen=True)
class DeletedApp:
    """An app registration that was deleted and can be restored for 30 days; it keeps its unique name for itself.

    :param deleted: when it was deleted, as the service writes it.
    """

    app: App
    deleted: str | None


def app_from_graph(raw: Mapping[str, Any]) -> App:
    """Return the app that Microsoft Graph's `application` describes."""
    web = raw.get("web") or {}
    return App(
        object_id=str(raw["id"]),
        app_id=str(raw["appId"]).lower(),
        display_name=str(raw.get("displayName") or ""),
        unique_name=raw.get("uniqueName"),
        sign_in_audience=str(raw.get("signInAudience") or ""),
        redirect_uris=tuple(web.get("redirectUris") or ()),
        access=frozenset(access_from_graph(raw.get("requiredResourceAccess"))),
        notes=raw.get("notes"),
        created=raw.get("createdDateTime"),
        web=web,
    )


def access_from_graph(required: Iterable[Mapping[str, Any]] | None) -> list[Access]:
    """Return the declarations in Graph's `requiredResourceAccess`."""
    return [
        Access(str(entry["resourceAppId"]).lower(), str(item["id"]).lower(), str(item["type"]))
        for entry in required or ()
        for item in entry.get("resourceAccess") or ()
    ]


def access_to_graph(accesses: Iterable[Access]) -> list[dict[str, Any]]:
    """Return Graph's `requiredResourceAccess` for declarations, resources and permissions in the given order."""
    by_resource: dict[str, list[dict[str, str]]] = {}
    for access in accesses:
        by_resource.setdefault(access.resource_app_id, []).append({"id": access.id, "type": access.type})
    return [{"resourceAppId": app_id, "resourceAccess": entries} for app_id, entries in by_resource.items()]


def check_settings(settings: AppSettings) -> None:
    """Check what needs no service: lengths and the form of redirect URIs.

    :raises OptionError: naming the option and what to do.
    """
    if settings.name is not None and not 1 <= len(settings.name.strip()) <= LONGEST_NAME:
        raise OptionError(
            f"name must have 1 to {LONGEST_NAME} characters; got {len(settings.name.strip())}.", next_step="Choose another name."
        )
    if settings.notes is not None and len(settings.notes) > LONGEST_NOTES:
        raise OptionError(f"notes may have {LONGEST_NOTES} characters; got {len(settings.notes)}.", next_step="Shorten notes.")
    uris = settings.redirect_uris or ()
    if len(uris) > MOST_REDIRECT_URIS:
        raise OptionError(f"An app may have {MOST_REDIRECT_URIS} redirect URIs; got {len(uris)}.", next_step="Shorten redirect_uris.")
    for uri in uris:
        check_redirect_uri(uri)


def check_redirect_uri(uri: str) -> None:
    """Check a web redirect URI: https (http for this machine only), a host, no wildcard, no fragment.

    :raises OptionError: saying what is wrong with it.
    """
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    fault = None
    if parts.scheme not in ("https", "http") or not host:
        fault = "it is not a complete https URL"
    elif parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        fault = "http is accepted for localhost only"
    elif "*" in uri:
        fault = "wildcards are refused for apps of several tenants"
    elif "#" in uri:
        fault = "it must not have a fragment"
    elif any(character.isspace() for character in uri):
        fault = "it holds white space"
    if fault:
        raise OptionError(f"'{uri}' cannot be a redirect URI: {fault}.", next_step="Write it as https://host/path.")


def find_app(client: GraphClient, key: AppKey) -> App | None:
    """Return the app with that key, or None.

    :raises OptionError: where several apps bear the display name; the message lists them.
    """
    attempted = f"looking for {key}"
    if key.app_id or key.unique_name:
        path = by_key("applications", "appId", key.app_id) if key.app_id else by_key("applications", "uniqueName", key.unique_name or "")
        raw = client.find(path, attempted=attempted, params={"$select": _SELECT})
        return app_from_graph(raw) if raw else None
    name = key.name or ""
    found = client.list_all(
        "applications", attempted=attempted, params={"$filter": f"displayName eq {odata_text(name)}", "$select": _SELECT}
    )
    # The service compares names without regard to case.
    apps = [app_from_graph(raw) for raw in found if str(raw.get("displayName") or "").casefold() == name.casefold()]
    if len(apps) > 1:
        raise _ambiguous(apps, name, client.tenant_id)
    return apps[0] if apps else None


def _ambiguous(apps: list[App], name: str, tenant_id: str) -> OptionError:
    listed = "; ".join(
        f"client id {app.app_id}, object id {app.object_id}, created {app.created or 'at an unknown time'}"
        + (f", unique name '{app.unique_name}'" if app.unique_name else "")
        for app in sorted(apps, key=lambda app: (app.created or "", app.app_id))
    )
    return OptionError(
        f"{len(apps)} apps bear the display name '{name}': {listed}.",
        attempted=f"looking for the app '{name}'",
        tenant_id=tenant_id,
        next_step="Say which one is meant with app_id or unique_name, or delete the ones that are not needed.",
    )


def find_deleted_apps(client: GraphClient, key: AppKey) -> list[DeletedApp]:
    """Return the deleted apps with that key that can still be restored, the last deleted first.

    The collection of deleted objects promises no filter, so that they are picked here.

    :raises PermissionDenied: where the caller may not see deleted objects.
    """
    found = client.list_all(
        f"{_DELETED}/microsoft.graph.application",
        attempted=f"looking for {key} among the deleted ones",
        params={"$select": _SELECT_DELETED},
    )
    apps = [DeletedApp(app=app_from_graph(raw), deleted=raw.get("deletedDateTime")) for raw in found]
    return sorted((app for app in apps if _matches(app.app, key)), key=lambda app: app.deleted or "", reverse=True)


def _matches(app: App, key: AppKey) -> bool:
    if key.app_id:
        return app.app_id == key.app_id
    if key.unique_name:
        return (app.unique_name or "").casefold() == key.unique_name.casefold()
    return app.display_name.casefold() == (key.name or "").casefold()


def creation_body(settings: AppSettings) -> dict[str, Any]:
    """Return the body that creates an app. The audience is always in it: Graph's own default is not the portal's."""
    uris = settings.redirect_uris if settings.redirect_uris is not None else (DEFAULT_REDIRECT_URI,)
    body: dict[str, Any] = {
        "displayName": settings.name,
        "signInAudience": settings.sign_in_audience,
        "web": {"redirectUris": list(uris)},
        "requiredResourceAccess": access_to_graph(settings.access or ()),
    }
    if settings.notes is not None:
        body["notes"] = settings.notes
    return body


def changes(app: App, settings: AppSettings) -> dict[str, Any]:
    """Return the body that makes `app` what `settings` say; empty where it is so already.

    Lists are compared as sets: the service keeps no order.
    """
    body: dict[str, Any] = {}
    if settings.name is not None and settings.name != app.display_name:
        body["displayName"] = settings.name
    if settings.sign_in_audience != app.sign_in_audience:
        body["signInAudience"] = settings.sign_in_audience
    if settings.redirect_uris is not None and set(settings.redirect_uris) != set(app.redirect_uris):
        body["web"] = {**_kept_web(app), "redirectUris": list(settings.redirect_uris)}
    wanted = _wanted_access(app, settings)
    if set(wanted) != app.access:
        body["requiredResourceAccess"] = access_to_graph(wanted)
    if settings.notes is not None and settings.notes != (app.notes or ""):
        body["notes"] = settings.notes
    return body


def _wanted_access(app: App, settings: AppSettings) -> list[Access]:
    declared = sorted(app.access)
    if settings.access is None:
        return declared
    if settings.access_exclusive:
        return list(settings.access)
    return [*declared, *(access for access in settings.access if access not in app.access)]


def _kept_web(app: App) -> dict[str, Any]:
    """Return the other web settings, sent along so that they survive; redirectUriSettings mirrors redirectUris and is left out."""
    return {
        name: value
        for name, value in (app.web or {}).items()
        if name in ("homePageUrl", "logoutUrl", "implicitGrantSettings") and value is not None
    }


def expected(app: App | None, settings: AppSettings) -> App:
    """Return what the app will be once `settings` hold: the prediction of check mode, and what a read must show."""
    if app is None:
        body = creation_body(settings)
        base = App(PLACEHOLDER, PLACEHOLDER, "", settings.unique_name, "", (), frozenset())
    else:
        body, base = changes(app, settings), app
    access = frozenset(access_from_graph(body["requiredResourceAccess"])) if "requiredResourceAccess" in body else base.access
    return replace(
        base,
        display_name=body.get("displayName", base.display_name),
        sign_in_audience=body.get("signInAudience", base.sign_in_audience),
        redirect_uris=tuple(body["web"]["redirectUris"]) if "web" in body else base.redirect_uris,
        access=access,
        notes=body.get("notes", base.notes),
    )


def create_app(client: GraphClient, settings: AppSettings) -> App:
    """Create an app and return it; by unique name as an upsert, so that a repeated request makes no second one.

    :raises AlreadyExists: where a deleted app keeps the unique name for itself.
    """
    attempted = f"creating the app '{settings.name}'"
    body = creation_body(settings)
    if settings.unique_name is None:
        return app_from_graph(client.post("applications", body, attempted=attempted))
    path = by_key("applications", "uniqueName", settings.unique_name)
    try:
        created = client.patch(path, body, attempted=attempted, headers={"Prefer": "create-if-missing"})
    except AlreadyExists as error:
        if not is_concurrency(error):
            error.next_step = "A deleted app seems to keep the unique name for itself: set restore=true, or delete that app for good."
        raise
    if created is not None:
        return app_from_graph(created)
    # Somebody, or an earlier attempt of this very request, created it in the meantime: it has been updated instead.
    key = AppKey(unique_name=settings.unique_name)
    found = find_app(client, key)
    if found is None:
        raise NotFound(
            "The service says that the app exists, but does not show it.",
            attempted=attempted,
            tenant_id=client.tenant_id,
            next_step="Run the task again.",
        )
    return found


def update_app(client: GraphClient, app: App, body: Mapping[str, Any]) -> None:
    """Change the properties in `body`; lists are replaced as a whole."""
    client.when_replicated(
        lambda: client.patch(f"applications/{app.object_id}", body, attempted=f"changing the app '{app.display_name}'"),
        timeout=client.transport.settings.deadline,
    )


def restore_app(client: GraphClient, app: App, *, timeout: float) -> App:
    """Bring a deleted app back and return it as it is then."""
    attempted = f"restoring the deleted app '{app.display_name}'"
    try:
        client.post(f"{_DELETED}/{app.object_id}/restore", {}, attempted=attempted)
    except AlreadyExists as error:
        if is_concurrency(error):
            raise
    raw = client.when_replicated(
        lambda: client.get(f"applications/{app.object_id}", attempted=attempted, params={"$select": _SELECT}), timeout=timeout
    )
    return app_from_graph(raw)


def await_app(client: GraphClient, key: AppKey, settings: AppSettings, app: App, *, timeout: float) -> App | None:
    """Wait until a search by `key` shows `app` as `settings` want it, so that the next run finds nothing to do.

    :returns: the app as read, or None where the directory did not catch up in time.
    """
    found: list[App] = []

    def _settled() -> bool:
        now = find_app(client, key)
        if now is None or now.object_id != app.object_id or changes(now, settings):
            return False
        found.append(now)
        return True

    client.wait_until(_settled, timeout=timeout)
    return found[0] if found else None


def delete_app(client: GraphClient, app: App, key: AppKey, *, timeout: float) -> bool:
    """Delete an app (it can be restored for 30 days); return whether a search stopped showing it in time."""
    client.delete(f"applications/{app.object_id}", attempted=f"deleting the app '{app.display_name}'")
    return client.wait_until(lambda: find_app(client, key) is None, timeout=timeout)


def purge_app(client: GraphClient, object_id: str, *, timeout: float) -> None:
    """Delete a deleted app for good, which frees its unique name."""
    attempted = f"deleting the app {object_id} for good"
    client.wait_until(lambda: client.find(f"{_DELETED}/{object_id}", attempted=attempted) is not None, timeout=timeout)
    client.delete(f"{_DELETED}/{object_id}", attempted=attempted)


def explain_missing(client: GraphClient, app_id: str) -> str:
    """Return the next step for a client id that no app has: most often it is an object id."""
    try:
        raw = client.find(
            f"applications/{app_id}", attempted=f"looking for an app with the object id {app_id}", params={"$select": _SELECT}
        )
    except PermissionDenied:
        raw = None
    if raw:
        app = app_from_graph(raw)
        return f"{app_id} is the object id of the app '{app.display_name}'; its client id is {app.app_id}."
    return "Check app_id (the application id of the portal's overview page, not the object id) and that tenant_id is the app's home tenant."
