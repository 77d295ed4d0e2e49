# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Says that a service is retired, through Ansible's own channel for what comes to an end on a date."""

from __future__ import annotations

from .._core.incidents.defender import RETIREMENT_DATE
from ._task import Task


def note_retirement(task: Task, *, permission: str) -> None:
    """Deprecate `api=defender` where the task uses it.

    :param permission: what the customer has to consent to for the other service.
    """
    if task.params["api"] != "defender":
        return
    task.deprecate(
        f"api=defender uses the Microsoft Defender XDR API, which Microsoft retires on {RETIREMENT_DATE} (message centre MC1220762). "
        f"Use api=graph; the customer has to consent to MicrosoftGraph/{permission} for it.",
        RETIREMENT_DATE,
    )
