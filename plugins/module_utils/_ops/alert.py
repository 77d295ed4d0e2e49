# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Brings alerts to a state."""

from __future__ import annotations

from .._argspec import shared_options
from .._core.incidents.changes import ALERT_STATUS
from .._core.incidents.editor import Editor
from .._core.incidents.schema import Place
from .._core.incidents.writing import alert_writer
from ._alert_options import checked_alert_id
from ._session import open_session
from ._task import Operation, Outcome, Task
from ._writing import Kind, bring

KIND = Kind("alert", "alert_status", ALERT_STATUS, checked_alert_id, tagged=False)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_alert`."""
    wishes = KIND.wishes(task.params)
    session = open_session(task)
    place = Place(tenant_id=session.tenant.tenant_id, portal_url=session.endpoints.portal_url)
    editor = Editor(alert_writer(session.client("graph"), place=place), dry_run=task.check_mode, follow=False, warn=task.warn)
    return bring(task, KIND, editor, wishes, facts={"tenant_id": place.tenant_id})


OPERATION = Operation(
    run=run,
    argument_spec={**shared_options("connection", "tenant", "auth", "api"), **KIND.argument_spec()},
    mutually_exclusive=KIND.alternatives(),
    required_one_of=KIND.alternatives(),
)
