#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Loads a server that runs under heaptrack, and fails if it leaks memory. usage: heaptrack.sh SOAK SECONDS COMMAND...

set -eu
soak=$1
seconds=$2
shift 2
command -v heaptrack >/dev/null || {
    echo 'skipped, because there is no heaptrack'
    exit 77
}

record=$(mktemp -d)
trap 'rm -rf "$record"' EXIT
# heaptrack is a script, which the signal that ends the server would end as well.
(
    trap '' INT
    exec "$soak" --seconds "$seconds" --clients 20 -- heaptrack -o "$record/heap" "$@"
)
heaptrack_print -f "$record"/heap.* -a0 -p0 -T0 -l1 -n 1000 >"$record/report"
grep -q '^total memory leaked:' "$record/report"
# Kept on purpose: the C library's buffer of stdout, and two lists that static objects may need after
# the end of main. Suppressions of heaptrack 1.4 would match everything.
if awk '/ leaked over .* from$/ { getline; print }' "$record/report" |
    grep -vE '_IO_file_doallocate|::all_lists\(|::tallies_lock\('; then
    cat "$record/report"
    exit 1
fi
