#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A table of what each backend does, made from the results of the conformance suite:
# RESULTS/COLUMN/*.tsv, which test programs write where CORACLE_RESULTS tells them. It stands in PAGE
# between two comments with its NAME. A column without results, because its lane did not run here,
# stays as it is; a new one comes last.
# usage: results_table.sh [--check] PAGE NAME RESULTS...

set -eu
check=''
if [ "$1" = --check ]; then
    check=yes
    shift
fi
page=$1
name=$2
shift 2
made=$(mktemp)
trap 'rm -f "$made"' EXIT

files=$(find "$@" -name '*.tsv' -size +0 2>/dev/null | sort)
[ -n "$files" ] || {
    echo "there are no results in $*" >&2
    exit 1
}

# shellcheck disable=SC2086,SC2016  # a list of files; the program is awk's
awk -F '\t' -v name="$name" '
function row_of(name,    row) {
    if (match(name, /<.*>/)) { # a template: the way of doing it
        row = substr(name, RSTART + 1, RLENGTH - 2)
        sub(/.*::/, "", row)
        gsub(/_/, " ", row)
        return row
    }
    row = name
    sub(/:.*/, "", row)
    if (row == "read" || row == "write") return "plain " row
    if (row == "read_exactly") return "exact read"
    if (row !~ /^(accept|accept_many|connect|receive_many)$/) return "sockets and listeners"
    return row
}
function add_column(title) { if (!(title in columns)) { columns[title] = 1; column[++count] = title } }
function keep(row) { if (!(row in known)) { known[row] = 1; rows[++row_count] = row } }
{ sub(/\r$/, "") } # of programs for Windows
FILENAME ~ /\.tsv$/ {
    backend = FILENAME
    sub(/\/[^\/]*$/, "", backend)
    sub(/.*\//, "", backend)
    sub(/-/, " ", backend)
    if (!(backend in fresh)) fresh_column[++fresh_count] = backend
    fresh[backend] = 1
    if ($1 == "skipped") next # then "not supported" is all there is to say
    row = row_of($2)
    keep(row)
    if ($1 != "passed") verdict[row, backend] = "fails"
    else if (!((row, backend) in verdict)) verdict[row, backend] = "works"
    if (verdict[row, backend] == "works" && $3 ~ /^(falls back|not supported)/)
        verdict[row, backend] = $3
    next
}
index($0, "<!-- " name ": ") == 1 { inside = 1; print; next }
index($0, "<!-- end of " name) == 1 {
    inside = 0
    for (i = 1; i <= fresh_count; ++i) add_column(fresh_column[i])
    head = "| operation |"
    line = "|---|"
    for (i = 1; i <= count; ++i) { head = head " " column[i] " |"; line = line "---|" }
    print head
    print line
    # In an order that does not depend on that of the tests.
    for (i = 2; i <= row_count; ++i)
        for (j = i; j > 1 && rows[j - 1] > rows[j]; --j) {
            swapped = rows[j]; rows[j] = rows[j - 1]; rows[j - 1] = swapped
        }
    for (r = 1; r <= row_count; ++r) {
        text = "| " rows[r] " |"
        for (i = 1; i <= count; ++i) {
            answer = column[i] in fresh ? verdict[rows[r], column[i]] : old[rows[r], column[i]]
            if (answer == "") answer = column[i] in fresh ? "not supported" : "not run"
            text = text " " answer " |"
        }
        print text
    }
    print
    next
}
inside {
    cells = split($0, cell, / *\| */)
    if (cell[2] == "operation") { for (i = 3; i < cells; ++i) add_column(title[i] = cell[i]) }
    else if (cell[2] !~ /^-/) {
        keep(cell[2])
        for (i = 3; i < cells; ++i) old[cell[2], title[i]] = cell[i]
    }
    next
}
{ print }' $files "$page" >"$made"

if [ -n "$check" ]; then
    diff -u "$page" "$made" || {
        echo 'the table is stale: ./dev table makes it' >&2
        exit 1
    }
else
    cat "$made" >"$page"
fi
