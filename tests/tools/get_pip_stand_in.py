# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let ``ansible-test --venv`` work where only a package index can be reached.

ansible-test fills its virtual environments with a ``get-pip.py`` that it downloads from a host of its own and keeps in
``$HOME/.ansible/test/cache``. This puts a stand-in at that place: a script that runs pip straight from its wheel, which comes from the
package index like everything else. Where that host can be reached the stand-in does the same work, so it is used everywhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SCRIPT = '''\
"""Install pip, and what else is named, with the pip of the wheel beside this file."""
import os
import runpy
import sys

WHEEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), {wheel!r})
# options of the real get-pip.py that pip itself does not know
OWN_OPTIONS = ("--no-setuptools", "--no-wheel", "--no-pip")

sys.path.insert(0, WHEEL)
sys.argv[1:] = ["install", "--upgrade", "--find-links", os.path.dirname(WHEEL)] + [arg for arg in sys.argv[1:] if arg not in OWN_OPTIONS]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
'''


def wanted_pip_version() -> str:
    """The pip version that the installed ansible-test asks for.

    Read from its source: importing ansible-test's internals outside ansible-test has side effects.

    :raises SystemExit: when ansible-test is not installed or no longer names the version where it did up to 2.21.
    """
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible-test is not installed in this environment")
    source = Path(next(iter(spec.submodule_search_locations))) / "_internal" / "python_requirements.py"
    match = re.search(r"default_packages = dict\(\s*pip='([0-9.]+)'", source.read_text(encoding="utf-8"))
    if match is None:
        raise SystemExit(f"{source.name} of ansible-test does not name the pip version where it was expected")
    return match.group(1)


def place_stand_in(home: Path) -> Path:
    """Put the stand-in into the ansible-test cache below ``home`` and return its path; nothing happens when it is there.

    :raises subprocess.CalledProcessError: when the package index does not have that pip.
    """
    version = wanted_pip_version()
    cache = home / ".ansible" / "test" / "cache"
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    wheel = f"pip-{version}-py3-none-any.whl"
    if script.is_file() and (cache / wheel).is_file():
        return script
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--dest", str(cache), f"pip=={version}"],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    script.write_text(SCRIPT.format(wheel=wheel), encoding="utf-8")
    return script


def main() -> int:
    """Command line entry: the only argument is the HOME that ansible-test will be given."""
    if len(sys.argv) != 2:
        print("usage: get_pip_stand_in.py HOME", file=sys.stderr)
        return 2
    place_stand_in(Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
