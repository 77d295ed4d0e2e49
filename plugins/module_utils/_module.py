# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Runs an operation as a real Ansible module: remote, under another user, or in the background.

The action plugins run the same operations inside Ansible's worker (`plugin_utils/_action.py`); both share
`result_of()` and `failure_of()`, so that a task's result does not tell which way it went.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.m365d.partner.plugins.module_utils._argspec import complete_credential, refused_secrets, secrets_in, shown_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError, redact
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task

# Marks the result of a real module for the action plugin, which alone can keep Ansible from showing it.
SECRET_MARK = "_m365d_secret"  # noqa: S105 - a key, not a secret


COLLECTION = "m365d.partner"

# Names the run's directory to a real module that runs on the controller, so that it shares the tokens of the run.
RUN_DIRECTORY_ENV = "M365D_RUN_DIRECTORY"


def result_of(outcome: Outcome, *, diff_mode: bool) -> dict[str, Any]:
    """Return Ansible's result for an outcome, the diff in diff mode only; the caller takes care of `outcome.secret`."""
    result = {**outcome.result, "changed": outcome.changed}
    if diff_mode and outcome.diff is not None:
        result["diff"] = outcome.diff
    if outcome.failed:
        result["failed"] = True
    return result


def failure_of(error: PartnerError, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return Ansible's result for a foreseeable fault: a sentence for people, a diagnosis for conditions."""
    if error.tenant_id is None and params.get("tenant_id"):
        # The message names the tenant also where the fault was found before any request: its reader has many hosts.
        error.tenant_id = str(params["tenant_id"])
    result: dict[str, Any] = {"failed": True, "msg": str(error), "error": error.as_dict()}
    if error.tenant_id:
        result["tenant_id"] = error.tenant_id
    if error.state:
        result["consent_state"] = error.state
    return result


def defect_of(exc: Exception) -> dict[str, Any]:
    """Return Ansible's result for an exception that nobody foresaw, with the place it comes from, without secrets.

    The caller also removes the values of secret options. The traceback is shown as Ansible's settings say.
    """
    origin = traceback.extract_tb(exc.__traceback__)[-1]
    what = f"Unexpected {type(exc).__name__} ({os.path.basename(origin.filename)}, line {origin.lineno}): {redact(str(exc))}."
    return {
        "failed": True,
        "msg": f"{what} This is a defect of the collection m365d.partner, please report it.",
        "exception": redact("".join(traceback.format_exception(exc))),
    }


def run_module(operation: Operation) -> None:
    """Run `operation` with the arguments that Ansible passes to this process, print its result and exit."""
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
    module.no_log_values -= refused_secrets(params)
    module.params = shown_options(module.params)

    def _warn(message: str) -> None:
        # From ansible-core 2.19 on, AnsibleModule removes secrets from its result, but not from its warnings.
        module.warn(remove_values(message, module.no_log_values))

    def _deprecate(message: str, date: str) -> None:
        module.deprecate(remove_values(message, module.no_log_values), date=date, collection_name=COLLECTION)

    task = Task(
        params=params, check_mode=module.check_mode, run_directory=os.environ.get(RUN_DIRECTORY_ENV), warn=_warn, deprecate=_deprecate
    )
    try:
        outcome = operation.run(task)
    except PartnerError as error:
        module.fail_json(**failure_of(error, params))
    except Exception as exc:  # noqa: BLE001 - the one place that translates defects, see defect_of()
        module.fail_json(**defect_of(exc))
    result = result_of(outcome, diff_mode=module._diff)
    if outcome.secret:
        result[SECRET_MARK] = True
    if outcome.failed:
        module.fail_json(**result)
    module.exit_json(**result)
