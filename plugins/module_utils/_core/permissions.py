# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Permissions by name: `Resource/Role` as users write it, GUIDs as the services want it.

A permission is written `MicrosoftGraph/SecurityIncident.Read.All`. It means the application permission (app role); the
delegated permission (scope) of that value is written with `:delegated` behind it, so that nobody declares one by
accident where an app without a user needs the other. The resource may be left out where the value alone is unique.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from .errors import OptionError
from .guids import is_guid
from .permission_tables import RESOURCES, SHARED_VALUES, Resource

Kind = Literal["application", "delegated"]

DELEGATED_SUFFIX = ":delegated"
# How Microsoft Graph writes the two kinds in `requiredResourceAccess`.
ACCESS_TYPES: Mapping[Kind, str] = {"application": "Role", "delegated": "Scope"}

_HOW_TO_WRITE = "Write it as Resource/Role, such as MicrosoftGraph/SecurityIncident.Read.All."
_BY_APP_ID: Mapping[str, Resource] = {resource.app_id: resource for resource in RESOURCES.values()}
_BY_SPELLING: Mapping[str, Resource] = {
    spelling.replace(" ", "").lower(): resource
    for resource in RESOURCES.values()
    for spelling in (resource.name, resource.app_id, *resource.titles)
}


class Access(NamedTuple):
    """A permission as an app registration declares it: ids in lower case, `type` is `Role` or `Scope`."""

    resource_app_id: str
    id: str
    type: str


@dataclass(frozen=True)
class Permission:
    """A permission that somebody asked for by name.

    :param resource: the resource's name, or its application id where it has no name here.
    :param resource_app_id: the resource's application id.
    :param value: the name of the role or scope within the resource.
    :param id: its GUID, or None where only the tenant can tell.
    """

    resource: str
    resource_app_id: str
    value: str
    kind: Kind
    id: str | None

    @property
    def name(self) -> str:
        """The permission as users write it."""
        return f"{self.resource}/{self.value}{DELEGATED_SUFFIX if self.kind == 'delegated' else ''}"

    @property
    def access(self) -> Access:
        """The permission as an app registration declares it; the id must be known."""
        if self.id is None:
            raise ValueError(f"{self.name} is not resolved")
        return Access(self.resource_app_id, self.id, ACCESS_TYPES[self.kind])


@dataclass(frozen=True)
class Catalog:
    """What a resource offers in one tenant, as its service principal there tells.

    :param service_principal_id: the object id of that service principal; None where the tenant has none.
    :param roles, scopes: value to id; of roles only those that an app may hold.
    :param disabled: values of roles and scopes that exist but are switched off.
    """

    resource_app_id: str
    service_principal_id: str | None
    roles: Mapping[str, str]
    scopes: Mapping[str, str]
    disabled: frozenset[str] = frozenset()

    def of(self, kind: Kind) -> Mapping[str, str]:
        """Return value to id of one kind."""
        return self.roles if kind == "application" else self.scopes


def table_catalog(resource_app_id: str) -> Catalog:
    """Return what the built-in tables know of a resource; empty for a resource that they do not hold."""
    resource = _BY_APP_ID.get(resource_app_id)
    return Catalog(resource_app_id, None, resource.roles if resource else {}, resource.scopes if resource else {})


def catalog_from_graph(service_principal: Mapping[str, Any]) -> Catalog:
    """Return what a resource's service principal (as Microsoft Graph shows it) offers to apps."""
    roles = [role for role in service_principal.get("appRoles") or [] if "Application" in (role.get("allowedMemberTypes") or [])]
    scopes = service_principal.get("oauth2PermissionScopes") or []
    return Catalog(
        resource_app_id=str(service_principal["appId"]).lower(),
        service_principal_id=str(service_principal["id"]).lower(),
        roles=_enabled(roles),
        scopes=_enabled(scopes),
        disabled=frozenset(str(entry.get("value")) for entry in [*roles, *scopes] if not entry.get("isEnabled", True)),
    )


def _enabled(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {str(entry["value"]): str(entry["id"]).lower() for entry in entries if entry.get("value") and entry.get("isEnabled", True)}


def resource_name(resource_app_id: str) -> str:
    """Return the name of a resource, or its application id where it has none here."""
    resource = _BY_APP_ID.get(resource_app_id.lower())
    return resource.name if resource else resource_app_id.lower()


def parse(text: str) -> Permission:
    """Return the permission that `text` names, from the built-in tables alone.

    A value that the tables do not hold is returned without an id where its resource is named: the tenant may know it.

    :raises OptionError: for anything that cannot be a permission; the message suggests the nearest.
    """
    plain = text.strip()
    is_delegated = plain.lower().endswith(DELEGATED_SUFFIX)
    kind: Kind = "delegated" if is_delegated else "application"
    body = plain[: -len(DELEGATED_SUFFIX)] if is_delegated else plain
    prefix, separator, value = body.rpartition("/")
    if not value.strip() or (separator and not prefix.strip()):
        raise OptionError(f"'{text}' is not a permission.", next_step=_HOW_TO_WRITE)
    if not separator:
        return _parse_bare(value.strip(), kind)
    return _parse_in(_resource(prefix, text), value.strip(), kind)


def _resource(spelling: str, text: str) -> Resource:
    wanted = spelling.strip().lower()
    found = _BY_SPELLING.get(wanted.replace(" ", ""))
    if found:
        return found
    if is_guid(wanted):
        return Resource(name=wanted, app_id=wanted, titles=(), roles={}, scopes={})
    near = difflib.get_close_matches(wanted.replace(" ", ""), _BY_SPELLING, n=1, cutoff=0.5)
    names = ", ".join(sorted(RESOURCES))
    hint = f"Did you mean {_BY_SPELLING[near[0]].name}? " if near else ""
    raise OptionError(
        f"Unknown resource '{spelling.strip()}' in the permission '{text}'.",
        next_step=f"{hint}Known resources: {names}. Any other API is named by its application id.",
    )


def _parse_in(resource: Resource, value: str, kind: Kind) -> Permission:
    if is_guid(value):
        known = {identifier: name for name, identifier in _table(resource, kind).items()}
        return Permission(resource.name, resource.app_id, known.get(value.lower(), value.lower()), kind, value.lower())
    canonical = _spelling(value, _table(resource, kind))
    if canonical:
        return Permission(resource.name, resource.app_id, canonical, kind, _table(resource, kind)[canonical])
    if kind == "application" and _spelling(value, resource.scopes):
        raise _only_delegated(resource, value)
    return Permission(resource.name, resource.app_id, value, kind, None)


def _parse_bare(value: str, kind: Kind) -> Permission:
    homes = [resource for resource in RESOURCES.values() if _spelling(value, _table(resource, kind))]
    if len(homes) == 1 and value.lower() not in SHARED_VALUES:
        return _parse_in(homes[0], value, kind)
    if homes:
        offers = sorted({resource.name for resource in homes} | ({"MicrosoftGraph"} if value.lower() in SHARED_VALUES else set()))
        raise OptionError(
            f"The permission '{value}' is ambiguous: several resources offer it.",
            next_step=f"Name the resource: {' or '.join(f'{offer}/{value}' for offer in offers)}.",
        )
    delegated_homes = [resource for resource in RESOURCES.values() if _spelling(value, resource.scopes)]
    if kind == "application" and delegated_homes:
        raise _only_delegated(delegated_homes[0], value)
    raise unknown_permission(value, (name for name in _all_names(kind)))


def _only_delegated(resource: Resource, value: str) -> OptionError:
    canonical = _spelling(value, resource.scopes) or value
    near = difflib.get_close_matches(canonical, resource.roles, n=1, cutoff=0.5)
    instead = f"For an app without a user take {resource.name}/{near[0]}. " if near else ""
    return OptionError(
        f"{resource.name}/{canonical} is a delegated permission: it works for signed-in users only.",
        next_step=f"{instead}To declare the delegated permission all the same, write {resource.name}/{canonical}{DELEGATED_SUFFIX}.",
    )


def _table(resource: Resource, kind: Kind) -> Mapping[str, str]:
    return resource.roles if kind == "application" else resource.scopes


def _spelling(value: str, table: Mapping[str, str]) -> str | None:
    """Return the entry of `table` that `value` spells, whatever its case."""
    return next((known for known in table if known.lower() == value.lower()), None)


def _all_names(kind: Kind) -> list[str]:
    suffix = DELEGATED_SUFFIX if kind == "delegated" else ""
    return [f"{resource.name}/{value}{suffix}" for resource in RESOURCES.values() for value in _table(resource, kind)]


def nearest(name: str, candidates: Iterable[str], *, count: int = 3) -> list[str]:
    """Return the candidates most like `name`, best first; compared without regard to case and to a resource before a slash."""
    by_key: dict[str, list[str]] = {}
    for candidate in candidates:
        by_key.setdefault(candidate.rpartition("/")[2].lower(), []).append(candidate)
    wanted = name.rpartition("/")[2].lower()
    keys = difflib.get_close_matches(wanted, by_key, n=count, cutoff=0.6)
    # What is clearly less like it than the best would only distract.
    likeness = [difflib.SequenceMatcher(a=key, b=wanted).ratio() for key in keys]
    close = [key for key, ratio in zip(keys, likeness, strict=True) if ratio >= likeness[0] - 0.15]
    return [candidate for key in close for candidate in by_key[key]][:count]


def unknown_permission(name: str, candidates: Iterable[str], *, tenant_id: str | None = None) -> OptionError:
    """Return the error for a permission that nobody offers, with the nearest that somebody does."""
    near = nearest(name, candidates)
    return OptionError(
        f"Unknown permission '{name}'.",
        tenant_id=tenant_id,
        next_step=f"Did you mean {' or '.join(near)}?" if near else _HOW_TO_WRITE,
    )


def parse_all(texts: Iterable[str]) -> list[Permission]:
    """Return the permissions that `texts` name, each once, in order.

    :raises OptionError: see `parse()`.
    """
    return list(dict.fromkeys(parse(text) for text in texts))


def resolve(permission: Permission, catalog: Catalog, *, tenant_id: str) -> Permission:
    """Return `permission` with the id that it has in the tenant.

    A tenant's service principal is the authority; a catalog without one (see `table_catalog()`) serves in its stead.

    :raises OptionError: where the resource does not offer it; the message suggests the nearest.
    """
    offered = catalog.of(permission.kind)
    if is_guid(permission.value):
        if catalog.service_principal_id is None:
            return permission
        known = {identifier: value for value, identifier in offered.items()}
        if permission.value in known:
            return replace(permission, value=known[permission.value])
    canonical = _spelling(permission.value, offered)
    if canonical:
        return replace(permission, value=canonical, id=offered[canonical])
    if permission.value in catalog.disabled:
        raise OptionError(
            f"{permission.name} is switched off by its resource.",
            tenant_id=tenant_id,
            next_step="Leave it out; it cannot be granted.",
        )
    if permission.kind == "application" and _spelling(permission.value, catalog.scopes):
        named = Resource(permission.resource, permission.resource_app_id, (), catalog.roles, catalog.scopes)
        raise _only_delegated(named, permission.value)
    suffix = DELEGATED_SUFFIX if permission.kind == "delegated" else ""
    candidates = [f"{permission.resource}/{value}{suffix}" for value in offered] or _all_names(permission.kind)
    raise unknown_permission(permission.name, candidates, tenant_id=tenant_id)


def names(accesses: Iterable[Access], catalogs: Mapping[str, Catalog]) -> list[str]:
    """Return how users write the given declarations, sorted; ids that nobody can name stand for themselves.

    :param catalogs: what is known of resources by application id; the tables serve for the others.
    """
    return sorted(_name(access, catalogs) for access in accesses)


def _name(access: Access, catalogs: Mapping[str, Catalog]) -> str:
    kind: Kind = "application" if access.type == "Role" else "delegated"
    value = role_names([access.id], access.resource_app_id, catalogs, kind=kind)[0]
    return f"{resource_name(access.resource_app_id)}/{value}{DELEGATED_SUFFIX if kind == 'delegated' else ''}"


def role_names(
    ids: Iterable[str], resource_app_id: str, catalogs: Mapping[str, Catalog] | None = None, *, kind: Kind = "application"
) -> list[str]:
    """Return the values of a resource's permissions by id; an unknown id stands for itself."""
    sources = [table_catalog(resource_app_id.lower())]
    if catalogs and resource_app_id in catalogs:
        sources.insert(0, catalogs[resource_app_id])
    known = {identifier: value for catalog in reversed(sources) for value, identifier in catalog.of(kind).items()}
    return [known.get(identifier.lower(), identifier.lower()) for identifier in ids]
