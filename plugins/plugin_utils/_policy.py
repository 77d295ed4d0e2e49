# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permissions and patterns of a policy, brought into the one spelling in which granted roles are reported.

A policy that says nothing because of a typo would call every tenant compliant, so a name that nearly is another one is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.permission_tables import RESOURCES
from ansible_collections.m365d.partner.plugins.module_utils._core.permissions import Permission, parse

_WILDCARDS = frozenset("*?[")
# So like a known name is a typo; names that merely share their endings (`….ReadWrite.All`) stay below it.
_TYPO = 0.9


class Policy(NamedTuple):
    """One list of a policy.

    :param patterns: names and shell patterns, each as `Resource/Role`.
    :param unknown: those of them that nobody here knows to exist.
    """

    patterns: list[str]
    unknown: list[str]


def _parse(option: str, text: str) -> Permission:
    try:
        return parse(text)
    except OptionError as exc:
        raise AnsibleFilterError(f"{option}: {exc.message} Next step: {exc.next_step}") from exc


def _is_pattern(text: str) -> bool:
    return bool(_WILDCARDS & set(text))


def _listed(entries: str | Iterable[str]) -> list[str]:
    """Return the entries of a list that may come from a command line, where it is one text with commas."""
    return [part.strip() for part in entries.split(",") if part.strip()] if isinstance(entries, str) else [str(entry) for entry in entries]


def canonical(option: str, names: str | Iterable[str]) -> list[str]:
    """Return permissions as `Resource/Role`, each once.

    :raises AnsibleFilterError: for what cannot be a permission; the message names the option and the nearest.
    """
    return list(dict.fromkeys(_parse(option, name).name for name in _listed(names)))


def _pattern(option: str, text: str) -> str:
    resource, slash, value = text.rpartition("/")
    if not slash:
        return f"*/{value}"
    return text if _is_pattern(resource) else f"{_parse(option, f'{resource}/any').resource}/{value}"


def _refuse_typo(option: str, permission: Permission) -> None:
    table = RESOURCES[permission.resource].roles if permission.resource in RESOURCES else {}
    by_key = {value.lower(): value for value in table}
    near = difflib.get_close_matches(permission.value.lower(), by_key, n=1, cutoff=_TYPO)
    if near:
        raise AnsibleFilterError(
            f"{option}: unknown permission '{permission.name}'. Next step: Did you mean {permission.resource}/{by_key[near[0]]}?"
        )


def policy(option: str, entries: str | Iterable[str], *, confirmed: Collection[str]) -> Policy:
    """Return the names and patterns of a policy as they are compared with granted roles.

    :param option: what the list is called in messages.
    :param confirmed: permissions, as `Resource/Role`, that are known to exist although the built-in tables may not hold them.
    :raises AnsibleFilterError: for what cannot be a permission, for an unknown resource, and for what is nearly a known permission.
    """
    found = Policy([], [])
    known = {*confirmed, *(f"{resource.name}/{value}" for resource in RESOURCES.values() for value in resource.roles)}
    for entry in _listed(entries):
        text = entry.strip()
        if _is_pattern(text):
            pattern = _pattern(option, text)
            exists = any(matches(name, [pattern]) for name in known)
        else:
            permission = _parse(option, text)
            pattern, exists = permission.name, permission.name in known
            if not exists and permission.kind == "application":
                _refuse_typo(option, permission)
        found.patterns.append(pattern)
        if not exists:
            found.unknown.append(pattern)
    return found


def matches(permission: str, patterns: Iterable[str]) -> bool:
    """Tell whether a permission is one of the names or patterns; like the services, without regard to case."""
    return any(fnmatchcase(permission.lower(), pattern.lower()) for pattern in patterns)
