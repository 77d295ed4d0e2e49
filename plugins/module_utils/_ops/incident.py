# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Brings incidents to a state."""

from __future__ import annotations

from .._argspec import shared_options
from .._core.incidents.changes import INCIDENT_STATUS
from .._core.incidents.editor import Editor
from .._core.incidents.schema import Place
from .._core.incidents.writing import incident_writer
from ._incident_options import checked_ids
from ._retirement import note_retirement
from ._session import open_session
from ._task import Operation, Outcome, Task
from ._writing import Kind, bring


def _checked_id(incident_id: str) -> str:
    return (checked_ids([incident_id]) or [incident_id])[0]


KIND = Kind("incident", "incident_status", INCIDENT_STATUS, _checked_id, tagged=True)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_incident`."""
    params = task.params
    api = params["api"]
    wishes = KIND.wishes(params)
    session = open_session(task)
    note_retirement(task, permission="SecurityIncident.ReadWrite.All")
    place = Place(tenant_id=session.tenant.tenant_id, portal_url=session.endpoints.portal_url)
    writer = incident_writer(session.client(api), api=api, place=place)
    editor = Editor(writer, dry_run=task.check_mode, follow=params["follow_redirects"], warn=task.warn)
    return bring(task, KIND, editor, wishes, facts={"tenant_id": place.tenant_id, "api": api})


OPERATION = Operation(
    run=run,
    argument_spec={
        **shared_options("connection", "tenant", "auth", "api"),
        **KIND.argument_spec(),
        "follow_redirects": {"type": "bool", "default": False},
    },
    mutually_exclusive=KIND.alternatives(),
    required_one_of=KIND.alternatives(),
)
