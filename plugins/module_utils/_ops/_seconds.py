# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Options that are a number of seconds. Ansible takes `inf` and `nan` for numbers too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import OptionError

# Thirty years. A socket takes no more than ten times as much.
LONGEST_SECONDS = 1_000_000_000


def check_seconds(params: Mapping[str, Any], *names: str, zero: bool = False) -> None:
    """Check options that are a number of seconds; one that is not given is not looked at.

    :param zero: whether 0 means something.
    :raises OptionError: for one that is negative, endless or no number, and for 0 where it means nothing.
    """
    for name in names:
        value = params[name]
        if value is None:
            continue
        # What is no number is neither more nor less than another.
        if not (0 <= value <= LONGEST_SECONDS) or (value == 0 and not zero):
            span = f"from 0 to {LONGEST_SECONDS} seconds" if zero else f"more than 0 seconds and at most {LONGEST_SECONDS}"
            raise OptionError(f"{name} must be {span}; got {value:g}.", next_step=f"Correct {name}.")
