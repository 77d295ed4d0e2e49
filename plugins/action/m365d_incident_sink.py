# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs m365d_incident_sink inside Ansible's worker where it can be."""

from __future__ import annotations

from ansible_collections.m365d.partner.plugins.module_utils._ops.incident_sink import OPERATION
from ansible_collections.m365d.partner.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    """The action plugin of m365d_incident_sink."""

    operation = OPERATION
