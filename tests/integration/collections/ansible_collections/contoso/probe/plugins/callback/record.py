# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records what Ansible hands to callbacks, one JSON object a line: what any callback could show or store."""

from __future__ import annotations

DOCUMENTATION = """
name: record
type: notification
short_description: Record what Ansible hands to callbacks
description: Appends one JSON object for each result to the file that E(PROBE_RECORD) names.
"""

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """Writes down each event."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "contoso.probe.record"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, event: str, result: Any) -> None:
        entry = {"event": event, "host": result._host.get_name(), "task": result._task.get_name(), "result": result._result}
        with open(os.environ["PROBE_RECORD"], "a", encoding="utf-8") as record:
            record.write(json.dumps(entry, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record("unreachable", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record("skipped", result)

    def v2_runner_retry(self, result: Any) -> None:
        self._record("retry", result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._record("item_ok", result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._record("item_failed", result)

    def v2_on_file_diff(self, result: Any) -> None:
        self._record("diff", result)
