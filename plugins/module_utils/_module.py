# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Runs an operation as a real Ansible module: remote, under another user, or in the background.

The action plugins run the same operations inside Ansible's worker (`plugin_utils/_action.py`); both share
`result_of()` and `failure_of()`, so that a task's result does not tell which way it went.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.m365d.partner.plugins.module_utils._argspec import complete_credential, secrets_in
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task

# Marks the result of a real module for the action plugin, which alone can keep Ansible from showing it.
SECRET_MARK = "_m365d_secret"  # noqa: S105 - a key, not a secret


def result_of(outcome: Outcome) -> dict[str, Any]:
    """Return Ansible's result for an outcome; the caller takes care of `outcome.secret`."""
    result = {**outcome.result, "changed": outcome.changed}
    if outcome.diff is not None:
        result["diff"] = outcome.diff
    if outcome.failed:
        result["failed"] = True
    return result


def failure_of(error: PartnerError, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return Ansible's result for a foreseeable fault: a sentence for people, a diagnosis for conditions."""
    result: dict[str, Any] = {"failed": True, "msg": str(error), "error": error.as_dict()}
    tenant_id = error.tenant_id or params.get("tenant_id")
    if tenant_id:
        result["tenant_id"] = tenant_id
    if error.state:
        result["consent_state"] = error.state
    return result


def run_module(operation: Operation) -> None:
    """Run `operation` with the arguments that Ansible passes to this process, print its result and exit.

    An exception that is no `PartnerError` is a defect: Ansible itself shows its traceback, without the arguments.
    """
    module = AnsibleModule(
        argument_spec={name: dict(spec) for name, spec in operation.argument_spec.items()},
        mutually_exclusive=[list(names) for names in operation.mutually_exclusive],
        required_together=[list(names) for names in operation.required_together],
        required_one_of=[list(names) for names in operation.required_one_of],
        required_if=[list(condition) for condition in operation.required_if],
        required_by={name: list(names) for name, names in operation.required_by.items()},
        supports_check_mode=operation.supports_check_mode,
    )
    params = complete_credential(module.params, os.environ)
    module.no_log_values.update(secrets_in(params))
    task = Task(params=params, check_mode=module.check_mode, run_directory=None, warn=module.warn)
    try:
        outcome = operation.run(task)
    except PartnerError as error:
        failure = failure_of(error, params)
        module.fail_json(**failure)
    result = result_of(outcome)
    if outcome.secret:
        result[SECRET_MARK] = True
    if outcome.failed:
        module.fail_json(**result)
    module.exit_json(**result)
