# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# /// script
# dependencies = ["nox>=2025.02.09", "antsibull-nox"]
# ///
"""Sessions of antsibull-nox, for those who have nox at hand; ``make test`` does not need it."""

from __future__ import annotations

import sys

import nox

try:
    import antsibull_nox
except ImportError:
    print("antsibull-nox has to be installed in the environment that nox runs in.")
    sys.exit(1)

antsibull_nox.load_antsibull_nox_toml()


@nox.session(name="gates", python=False)
def gates(session: nox.Session) -> None:
    """The repository's own gates; arguments after ``--`` are names of gates."""
    session.run(sys.executable, "tests/tools/run_gates.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
