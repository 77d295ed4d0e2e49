# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells what reached it."""

from __future__ import annotations

from ansible_collections.contoso.probe.plugins.module_utils.probe import OPERATION
from ansible_collections.m365d.partner.plugins.module_utils._module import run_module


def main() -> None:
    """Run the probe as a real module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
