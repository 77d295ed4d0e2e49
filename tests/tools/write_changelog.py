# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the changelog of the version in galaxy.yml from its fragments and from the plugins that are there.

    python tests/tools/write_changelog.py

antsibull-changelog lists new plugins once, when a version is released, and then leaves the list alone. Until a version is
published it grows, so this takes its entry apart into one fragment and has it made again, with the fragments that came since.
The date stays that of the first time.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = ROOT / "changelogs" / "changelog.yaml"
# Sorts before others, so that what was there stays first
EARLIER = ROOT / "changelogs" / "fragments" / "0-earlier.yml"


def take_apart(version: str) -> str:
    """Turn the entry of ``version`` back into a fragment and return its date; today when there is no entry."""
    content = yaml.safe_load(CHANGELOG.read_text(encoding="utf-8")) if CHANGELOG.is_file() else {"ancestor": None, "releases": {}}
    entry = content["releases"].pop(version, None)
    if entry is None:
        return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    if entry.get("changes"):
        EARLIER.write_text(yaml.safe_dump(entry["changes"], allow_unicode=True), encoding="utf-8")
    CHANGELOG.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return str(entry["release_date"])


def main() -> int:
    """Command line entry; when the release fails, nothing is changed."""
    version = str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])
    before = CHANGELOG.read_bytes() if CHANGELOG.is_file() else None
    date = take_apart(version)
    tool = Path(sys.executable).parent / "antsibull-changelog"
    done = subprocess.run([tool, "release", "--version", version, "--date", date, "--reload-plugins"], cwd=ROOT, check=False)
    EARLIER.unlink(missing_ok=True)
    if done.returncode and before is not None:
        CHANGELOG.write_bytes(before)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
