#!/bin/sh
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the newest Python on the PATH that can carry the tests: 3.11 to 3.14, with venv and ensurepip.
# A candidate must really run: version managers leave launchers on the PATH whose interpreter is not there.
# Of a virtual environment, the interpreter that it was made from is printed: an active one may be among those that set-up makes anew.

for name in python3.14 python3.13 python3.12 python3.11 python3; do
    # A distribution's own interpreter may hide behind a launcher of the same name that does not work, so the name is tried in each directory.
    old_ifs=$IFS
    IFS=:
    for directory in $PATH; do
        candidate="${directory:-.}/$name"
        [ -x "$candidate" ] || continue
        found=$("$candidate" -c 'import ensurepip, os, ssl, sys, venv
suits = (3, 11) <= sys.version_info[:2] <= (3, 14)
base = sys.argv[1] if sys.prefix == sys.base_prefix else getattr(sys, "_base_executable", "")
print(base) if suits and os.access(base, os.X_OK) else sys.exit(1)' "$candidate" </dev/null 2>/dev/null) || continue
        printf '%s\n' "$found"
        exit 0
    done
    IFS=$old_ifs
done
echo "No Python 3.11 to 3.14 with venv and ensurepip was found on the PATH; install one (and its venv package) or name it: make PYTHON=/path/to/python3" >&2
exit 1
