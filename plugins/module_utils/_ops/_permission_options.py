# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Roles as they are written in options: by value, or with their resource before a slash."""

from __future__ import annotations

from collections.abc import Iterable

from .._core.errors import OptionError
from .._core.identity.audience import resource_of


def role_values(option: str, roles: Iterable[str] | None, *, resource: str) -> tuple[str, ...]:
    """Return the values of roles, each once.

    :param resource: URI or GUID of the resource that the token is for.
    :raises OptionError: for an empty role, and for one that is written with another resource.
    """
    values = []
    for role in roles or ():
        prefix, _slash, value = role.strip().rpartition("/")
        if not value:
            raise OptionError(f"{option} holds an empty role.", next_step=f"Remove it from {option}.")
        if prefix and prefix != resource_of(resource) and prefix != resource:
            raise OptionError(
                f"{option} holds '{role}', but the token is for {resource_of(resource) or resource}.",
                next_step="Ask for a token of that resource in a task of its own, or correct resource.",
            )
        values.append(value)
    return tuple(dict.fromkeys(values))
