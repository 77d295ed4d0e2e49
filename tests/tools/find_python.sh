#!/bin/sh
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the newest Python on the PATH that can carry the tests: 3.11 to 3.14, with venv and ensurepip.
# A candidate must really run: version managers leave launchers on the PATH whose interpreter is not there.

for name in python3.14 python3.13 python3.12 python3.11 python3; do
    # A distribution's own interpreter may hide behind a launcher of the same name that does not work, so the name is tried in each directory.
    old_ifs=$IFS
    IFS=:
    for directory in $PATH; do
        candidate="${directory:-.}/$name"
        if [ -x "$candidate" ] && "$candidate" -c 'import ensurepip, ssl, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' </dev/null >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            exit 0
        fi
    done
    IFS=$old_ifs
done
echo "No Python 3.11 to 3.14 with venv and ensurepip was found on the PATH; install one (and its venv package) or name it: make PYTHON=/path/to/python3" >&2
exit 1
