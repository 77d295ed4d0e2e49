# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the probe inside Ansible's worker."""

from __future__ import annotations

from ansible_collections.contoso.probe.plugins.module_utils.probe import OPERATION
from ansible_collections.m365d.partner.plugins.plugin_utils._action import OperationAction


class ActionModule(OperationAction):
    """The action plugin of the probe."""

    operation = OPERATION
