# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs an operation inside Ansible's worker, or hands over to the real module.

A real module is zipped, copied and started in a new Python for each host, which costs a quarter of a second; the same
function called in the worker costs some milliseconds. What `AnsibleModule` does around the function is done here with
its own building blocks: `ArgumentSpecValidator` for the options, `remove_values` for the secrets.

This file is imported in Ansible's main process, before workers fork: what it imports is loaded once for all of them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash
from ansible_collections.m365d.partner.plugins.module_utils._argspec import (
    environment_options,
    refused_secrets,
    secrets_in,
    shown_options,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._module import (
    COLLECTION,
    RUN_DIRECTORY_ENV,
    SECRET_MARK,
    defect_of,
    failure_of,
    result_of,
)
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Task
from ansible_collections.m365d.partner.plugins.plugin_utils._first_use import prepare_workers
from ansible_collections.m365d.partner.plugins.plugin_utils._options import options_from_variables, plain, wants_in_process
from ansible_collections.m365d.partner.plugins.plugin_utils._placement import (
    connection_chosen,
    is_local,
    local_connection,
    with_own_python,
)
from ansible_collections.m365d.partner.plugins.plugin_utils._run import run_directory
from ansible_collections.m365d.partner.plugins.plugin_utils._scrub import without_secrets

prepare_workers()

# Whether somebody watches the run; a worker of ansible-core 2.19 and later has no terminal of its own.
_WATCHED = sys.stdout.isatty()


def progress_shown_by(display: Any) -> Callable[[str], None] | None:
    """Return what shows a line on the terminal, and not in the log file; None where nobody watches."""
    return functools.partial(display.display, screen_only=True) if _WATCHED else None


class OperationAction(ActionBase):  # type: ignore[misc]
    """The action plugin of one operation; a subclass names the operation."""

    operation: ClassVar[Operation]
    TRANSFERS_FILES = False
    _supports_async = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task and return its result, see `ActionBase.run()`."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        here = self._place_on_controller(variables)
        with self._task_environment() if here else contextlib.nullcontext():
            try:
                arguments = self._arguments(variables, environ=os.environ if here else {})
                in_process = here and not self._needs_process(variables)
            except PartnerError as error:
                return merge_hash(result, failure_of(error, plain(self._task.args)))
            outcome = self._run_here(arguments, variables) if in_process else self._run_module(arguments, variables, here=here)
        return self._keep_secret(merge_hash(result, outcome))

    def _place_on_controller(self, variables: Mapping[str, Any]) -> bool:
        """Return whether the task runs on the controller; put a local connection in the place of one that nobody chose."""
        if is_local(self._connection):
            return True
        if connection_chosen(task=self._task, connection=self._connection, variables=variables):
            return False
        self._connection = local_connection(
            loader=self._shared_loader_obj.connection_loader,
            play_context=self._play_context,
            become=self._connection.become,
            variables=variables,
            templar=self._templar,
        )
        return True

    def _needs_process(self, variables: Mapping[str, Any]) -> bool:
        """Tell whether the task needs a process of its own: in the background, as another user, or because it is wanted."""
        if self._task.async_val or self._connection.become is not None:
            return True
        try:
            return not wants_in_process(variables=variables, templar=self._templar, environ=os.environ)
        except TypeError as exc:
            raise AnsibleActionFail(f"m365d_in_process must be a boolean: {exc}") from exc

    def _arguments(self, variables: Mapping[str, Any], *, environ: Mapping[str, str]) -> dict[str, Any]:
        """Return the task's options: its arguments (which hold `module_defaults` already), variables, environment."""
        names = list(self.operation.argument_spec)
        arguments = plain(self._task.args)
        arguments.update(options_from_variables(names, given=arguments, variables=variables, templar=self._templar))
        return {**environment_options(arguments, names, environ), **arguments}

    @contextlib.contextmanager
    def _task_environment(self) -> Iterator[None]:
        """Apply the `environment` keyword to this process for a while, as it is to the process of a real module."""
        wanted: dict[str, Any] = {}
        self._compute_environment_string(wanted)
        before = {str(name): os.environ.get(str(name)) for name in wanted}
        try:
            os.environ.update({str(name): str(plain(value)) for name, value in wanted.items()})
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def _validator(self) -> ArgumentSpecValidator:
        operation = self.operation
        return ArgumentSpecValidator(
            {name: dict(spec) for name, spec in operation.argument_spec.items()},
            mutually_exclusive=[list(names) for names in operation.mutually_exclusive],
            required_together=[list(names) for names in operation.required_together],
            required_one_of=[list(names) for names in operation.required_one_of],
            required_if=[list(condition) for condition in operation.required_if],
            required_by={name: list(names) for name, names in operation.required_by.items()},
        )

    def _run_here(self, arguments: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the options as `AnsibleModule` does, run the operation, and return what a real module would."""
        validation = self._validator().validate(arguments)
        params = validation.validated_parameters
        secrets: set[str] = (set(validation._no_log_values) | secrets_in(params)) - refused_secrets(params)
        warnings: list[str] = [f"{item['option']}: both the option and its alias {item['alias']} are set." for item in validation._warnings]
        deprecations = [_deprecation(item) for item in validation._deprecations]

        def _deprecate(message: str, date: str) -> None:
            deprecation = _deprecation({"msg": message, "date": date, "collection_name": COLLECTION})
            # Each tenant of a fleet says the same.
            if deprecation not in deprecations:
                deprecations.append(deprecation)

        if validation.error_messages:
            result = self._invalid(validation, arguments)
        else:
            task = Task(
                params=params,
                check_mode=bool(self._task.check_mode),
                run_directory=run_directory(),
                warn=warnings.append,
                deprecate=_deprecate,
                announce=self._display.display,
                notify=progress_shown_by(self._display),
            )
            result = self._outcome(task)
        if _injects_invocation(variables):
            result["invocation"] = {"module_args": shown_options(params)}
        if warnings:
            result["warnings"] = list(dict.fromkeys(warnings))
        if deprecations:
            result["deprecations"] = deprecations
        return without_secrets(result, secrets)

    def _outcome(self, task: Task) -> dict[str, Any]:
        """Run the operation and translate what it returns or raises."""
        try:
            outcome = self.operation.run(task)
        except PartnerError as error:
            return failure_of(error, task.params)
        except Exception as exc:  # noqa: BLE001 - the one place that translates defects, see defect_of()
            return defect_of(exc)
        result = result_of(outcome, diff_mode=bool(self._task.diff))
        if outcome.secret:
            result[SECRET_MARK] = True
        return result

    def _invalid(self, validation: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a task whose options do not fit, in the same words as any other foreseeable fault."""
        error = validation.errors[0]
        message = error.msg
        if isinstance(error, UnsupportedError):
            message = f"Unsupported parameters for ({self._task.action}) module: {message}"
        fault = OptionError(f"{message.rstrip('.')}.", next_step=f"Correct the option; ansible-doc {self._task.action} describes it.")
        return failure_of(fault, arguments)

    def _run_module(self, arguments: dict[str, Any], variables: dict[str, Any], *, here: bool) -> dict[str, Any]:
        """Run the real module over the task's connection and return its result."""
        background = bool(self._task.async_val) and not self._connection.has_native_async
        if self._task.async_val and not self._task.no_log:
            self._refuse_secret_in_background(arguments)
        if here:
            validation = self._validator().validate(arguments)
            if validation.error_messages:
                secrets = set(validation._no_log_values) | secrets_in(validation.validated_parameters)
                return without_secrets(self._invalid(validation, arguments), secrets)
            variables = with_own_python(variables, delegate_to=self._task.delegate_to)
            # The module goes to Python by its standard input, secrets among its options included, and not through a file.
            self._connection.always_pipeline_modules = self._connection.become is None and not self._task.async_val
        with self._shared_run_directory(here and not self._task.async_val):
            result: dict[str, Any] = self._execute_module(module_args=dict(arguments), task_vars=variables, wrap_async=background)
        if not background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        elif here:
            result = self._wait_for(result, variables)
        return result

    def _refuse_secret_in_background(self, arguments: dict[str, Any]) -> None:
        params = self._validator().validate(arguments).validated_parameters
        if self.operation.returns_secret(params):
            raise AnsibleActionFail(
                "With these options the task returns a secret, which Ansible would show when it fetches the result of a background job."
                " Next step: leave out async, or set no_log on this task and on the async_status task that fetches its result."
            )

    @contextlib.contextmanager
    def _shared_run_directory(self, shared: bool) -> Iterator[None]:
        """Tell a real module of this user on the controller about the run's directory, so that it shares its tokens."""
        if not shared or self._connection.become is not None:
            yield
            return
        environment = self._task.environment
        self._task.environment = [*(environment or []), {RUN_DIRECTORY_ENV: run_directory()}]
        try:
            yield
        finally:
            self._task.environment = environment

    def _wait_for(self, started: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Wait for a background job of a host whose connection nobody chose; Ansible itself would look for it by SSH."""
        job = started.get("ansible_job_id")
        if job is None or self._task.poll <= 0:
            return started
        limit, self._task.async_val = self._task.async_val, 0
        end = time.monotonic() + limit
        status: dict[str, Any] = started
        while time.monotonic() < end:
            time.sleep(self._task.poll)
            status = self._job_status(job, "status", variables)
            if status.get("finished") in (1, True):
                self._job_status(job, "cleanup", variables)
                return status
        return {"failed": True, "msg": f"The background job did not end within the requested {limit} s.", "async_result": status}

    def _job_status(self, job: str, mode: str, variables: dict[str, Any]) -> dict[str, Any]:
        arguments = {"jid": job, "mode": mode, "_async_dir": self.get_shell_option("async_dir", default="~/.ansible_async")}
        status: dict[str, Any] = self._execute_module(
            module_name="ansible.builtin.async_status", module_args=arguments, task_vars=variables
        )
        return status

    def _keep_secret(self, result: dict[str, Any]) -> dict[str, Any]:
        """Keep Ansible from showing a result that holds a secret; it registers all the same."""
        if result.pop(SECRET_MARK, False):
            result["_ansible_no_log"] = True
            # Before ansible-core 2.19 the list of a loop's results is hidden only where the task says so.
            self._task.no_log = True
        return result


def _injects_invocation(variables: Mapping[str, Any]) -> bool:
    """Tell whether results show their options: a setting since ansible-core 2.21, always before."""
    try:
        return bool(C.config.get_config_value("INJECT_INVOCATION", variables=dict(variables)))
    except AnsibleError:
        return True


def _deprecation(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "msg": item.get("msg") or f"Alias '{item.get('name')}' is deprecated.",
        "version": item.get("version"),
        "date": item.get("date"),
        "collection_name": item.get("collection_name"),
    }
