#!/bin/sh
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads all customers in N parts, each by an ansible-runner worker, and merges what they send back.
#   run.sh [N]     N parts, by default 2
# To have another machine do a part, put ssh in front of its worker: ssh worker1 ansible-runner worker < ...
# A worker needs this collection, its Python libraries, and the secret in a file of its own (see inventory/hosts.yml).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
count=${1:-2}
umask 077
rm -rf "$here/artifacts"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
# One after the other: ansible-runner keeps the command line of a transmission in the directory env, of which there is one.
number=1
while [ "$number" -le "$count" ]; do
    ansible-runner transmit "$here" -p read_part.yml --ident "part-$number" --cmdline "-e m365d_shard=$number/$count" > "$parts/$number"
    number=$((number + 1))
done
number=1
while [ "$number" -le "$count" ]; do
    (ansible-runner worker < "$parts/$number" | ansible-runner process "$here" --ident "part-$number" > /dev/null) &
    number=$((number + 1))
done
# A worker that failed leaves no part.json; the merging says so.
wait
ansible-playbook -i "$here/inventory" "$here/project/merge_parts.yml" -e "artifacts=$here/artifacts"
