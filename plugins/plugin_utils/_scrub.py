# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removes the values of secret options from results, as `AnsibleModule` does, and quickly where there are none."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from ansible.module_utils.common.parameters import remove_values


def without_secrets(result: dict[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    """Return the result with each of the secrets masked wherever a text or a number below it contains it.

    Ansible's own walk over a large result takes as long as reading it did. A secret that is in a text is also in the JSON of
    that text, since JSON escapes character by character, and looking there takes an eighth of the time; so the walk is made
    only for those members of the result where one is found, or that JSON cannot hold.
    """
    patterns = [_json(secret)[1:-1] for secret in secrets]
    return {key: _masked(value, secrets, patterns) for key, value in result.items()}


def _masked(value: Any, secrets: Collection[str], patterns: Collection[str]) -> Any:
    if isinstance(value, list):
        # One after the other, since the JSON of ten thousand tenants would be in memory beside them.
        return [_masked(item, secrets, patterns) for item in value]
    return remove_values(value, secrets) if _may_hold(value, patterns) else value


def _may_hold(value: Any, patterns: Collection[str]) -> bool:
    try:
        text = _json(value)
    except (TypeError, ValueError, RecursionError):
        return True
    return any(pattern in text for pattern in patterns)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
