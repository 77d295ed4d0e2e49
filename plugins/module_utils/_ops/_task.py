# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What an operation is given and what it gives back, whichever kind of plugin runs it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.breaker import Breaker
from .._core.budget import Budgets
from .._core.fleet import Places
from .._core.tenants import TenantInfo


def _discard(_message: str) -> None:
    """Take a warning from a caller that shows none."""


def _disregard(_message: str, _date: str) -> None:
    """Take a deprecation from a caller that shows none."""


@dataclass(frozen=True)
class Task:
    """One run of an operation.

    :param params: the validated options, complete with defaults; plain types only.
    :param check_mode: predict, do not write.
    :param run_directory: directory of this run (mode 0700) that ends with it and that all its processes share, for the
        token cache; None where there is none.
    :param warn: shows a warning to the user.
    :param deprecate: tells the user of something that stops working on a date (`YYYY-MM-DD`).
    :param announce: shows a message at once that the user has to act upon; None where it could be shown only after the end.
    :param notify: shows the progress of long work; None where nobody watches.
    :param places: the places of the fleet that this run is part of; None for a run of its own.
    :param shared: what tenants of a fleet have in common and is made once for all of them; None for a run of its own.
    :param known: what the fleet found out about the tenant already, when it resolved its domain.
    """

    params: Mapping[str, Any]
    check_mode: bool = False
    run_directory: str | None = None
    warn: Callable[[str], None] = _discard
    deprecate: Callable[[str, str], None] = _disregard
    announce: Callable[[str], None] | None = None
    notify: Callable[[str], None] | None = None
    places: Places | None = None
    breaker: Breaker | None = None
    budgets: Budgets | None = None
    known: TenantInfo | None = None
    shared: dict[Hashable, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What an operation found or did.

    :param result: the return values; plain types only.
    :param changed: whether something was, or in check mode would be, changed.
    :param diff: Ansible's diff structure (`before`, `after`, optional headers), or None.
    :param secret: the result holds a secret or a token; it registers, but must never be shown.
    :param failed: the operation ended properly, but its finding counts as a failure; `result["msg"]` says why.
    """

    result: dict[str, Any] = field(repr=False)
    changed: bool = False
    diff: dict[str, Any] | None = None
    secret: bool = False
    failed: bool = False


def _returns_token(params: Mapping[str, Any]) -> bool:
    """Tell whether the token itself was asked for, the one secret that an operation gives back by option."""
    return bool(params.get("return_token"))


@dataclass(frozen=True)
class Operation:
    """An operation and the options it takes; what `AnsibleModule` and its look-alike are built from.

    :param run: does the work; raises `PartnerError` for a foreseeable fault.
    :param argument_spec: Ansible's argument spec, shared options included.
    :param supports_check_mode: True for all operations of this collection.
    :param returns_secret: whether a run with these validated options may give back a secret (`Outcome.secret`). Such a run
        is refused as a background job (`async`), since Ansible itself shows what a background job returned.
    """

    run: Callable[[Task], Outcome]
    argument_spec: Mapping[str, Mapping[str, Any]]
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_one_of: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[Any, ...], ...] = ()
    required_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    supports_check_mode: bool = True
    returns_secret: Callable[[Mapping[str, Any]], bool] = _returns_token
