# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator's security services as its own tests make them."""

from __future__ import annotations

from unit.emulator_security.conftest import signing_keys, world

__all__ = ["signing_keys", "world"]
