# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An operation without network that tells what reached it, so that tests see what the runners around it do."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._argspec import shared_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import AuthenticationError
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task

IMPORTED_IN = os.getpid()
SECRET_TEXT = "-".join(("returned", "canary", "0815"))


def types_in(value: Any) -> set[str]:
    """Return the names of all types that occur in a value."""
    names = {type(value).__name__}
    parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return names.union(*(types_in(part) for part in parts))


def run(task: Task) -> Outcome:
    """Do what the options say."""
    params = task.params
    if params["warning"]:
        task.warn(params["warning"])
    time.sleep(params["seconds"])
    if params["fail"] == "partner":
        raise AuthenticationError(
            "The app is not consented.", attempted="probing", tenant_id=params["tenant_id"], state="not_consented", next_step="Consent."
        )
    if params["fail"] == "defect":
        raise RuntimeError(f"nobody foresaw {params['client_secret']}")
    result = {
        "check_mode": task.check_mode,
        "environment": {name: value for name, value in os.environ.items() if name.startswith("PROBE_")},
        "options": {name: value for name, value in params.items() if value is not None},
        "imported_in": IMPORTED_IN,
        "parent": os.getppid(),
        "run_directory": task.run_directory,
        "run_directory_mode": oct(os.stat(task.run_directory).st_mode & 0o777) if task.run_directory else None,
        "types": sorted(types_in(dict(params))),
        "secret_was": len(params["client_secret"] or ""),
    }
    if params["return_token"]:
        result["access_token"] = SECRET_TEXT
    if params["fail"] == "finding":
        result["msg"] = "The finding counts as a failure."
    return Outcome(
        result,
        changed=params["changed"],
        diff={"before": "old\n", "after": f"new {params['client_secret']}\n"},
        secret=params["return_token"],
        failed=params["fail"] == "finding",
    )


OPERATION = Operation(
    run=run,
    argument_spec={
        **shared_options(),
        "changed": {"type": "bool", "default": False},
        "data": {"type": "raw"},
        "fail": {"type": "str", "choices": ["partner", "defect", "finding"]},
        "return_token": {"type": "bool", "default": False, "no_log": False},
        "seconds": {"type": "float", "default": 0.0},
        "warning": {"type": "str"},
    },
    mutually_exclusive=(("warning", "data"),),
)
