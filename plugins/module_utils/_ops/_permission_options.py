# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Roles as they are written in options: by value, or with their resource before a slash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.errors import OptionError
from .._core.identity.audience import resource_of


def role_values(option: str, roles: Iterable[str] | None, *, resource: str) -> tuple[str, ...]:
    """Return the values of roles, each once.

    :param resource: URI or GUID of the resource that the token is for.
    :raises OptionError: for an empty role, and for one that is written with another resource.
    """
    values = []
    for role in roles or ():
        prefix, value = _parted(role)
        if not value:
            raise OptionError(f"{option} holds an empty role.", next_step=f"Remove it from {option}.")
        if prefix and prefix != resource_of(resource) and prefix != resource:
            raise OptionError(
                f"{option} holds '{role}', but the token is for {resource_of(resource) or resource}.",
                next_step="Ask for a token of that resource in a task of its own, or correct resource.",
            )
        values.append(value)
    return tuple(dict.fromkeys(values))


def refuse_contradictions(params: Mapping[str, Any]) -> None:
    """Find roles that are required and cannot be in a token that satisfies the rest of the contract.

    :raises OptionError: for roles that are required and forbidden, or required and not allowed, as the contract compares them.
    """
    required = {value for _prefix, value in map(_parted, params["required_roles"] or ()) if value}
    forbidden = {value.lower() for _prefix, value in map(_parted, params["forbidden_roles"] or ())}
    both = sorted(value for value in required if value.lower() in forbidden)
    if both:
        raise OptionError(
            f"{', '.join(both)} is both required and forbidden, so that no token can satisfy the contract.",
            next_step="Remove it from required_roles or from forbidden_roles.",
        )
    if params["allowed_roles"] is None:
        return
    allowed = {value for _prefix, value in map(_parted, params["allowed_roles"])}
    beyond = sorted(required - allowed)
    if beyond:
        in_other_case = {value.lower() for value in beyond} & {value.lower() for value in allowed}
        hint = "Write it alike in both options, since the contract tells upper from lower case; else add" if in_other_case else "Add"
        raise OptionError(
            f"{', '.join(beyond)} is required but not among allowed_roles, so that no token can satisfy the contract.",
            next_step=f"{hint} it to allowed_roles, or remove it from required_roles.",
        )


def _parted(role: str) -> tuple[str, str]:
    """Return the resource before the slash, empty where there is none, and the value."""
    prefix, _slash, value = role.strip().rpartition("/")
    return prefix, value
