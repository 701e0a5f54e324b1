#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The rules of the tree that no compiler knows. Prints each line that breaks one, and fails then.
# usage: check_style.sh SOURCE-FOLDER

set -eu
cd "$1"
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

files() { # FOLDER...: the C++ files in them
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" \( -name '*.cpp' -o -name '*.hpp' \)
    done | sort
}

rule() { # TITLE: takes the offending lines from standard input
    lines=$(cat)
    [ -z "$lines" ] || printf '%s:\n%s\n\n' "$1" "$lines" >>"$findings"
}

matching() { # PATTERN: takes the names of files from standard input
    xargs -r grep -nHE -e "$1" || true
}

library='memory runtime io'
ring_fields='[.>](sq|cq)([.]|->)|ring_?(\.|->)(sq|cq|flags|features)\>|\<io_uring_[sc]q\>'
ring_fields="$ring_fields|\<(sqe_(head|tail)|k(head|tail|flags|overflow|dropped|ring_(mask|entries)))\>"
ring_fields="$ring_fields|\<(enter_)?ring_fd\>"
platform_headers='sys/|arpa/|linux/|netinet/|fcntl|liburing|poll|pthread|unistd|windows|winsock'
# shellcheck disable=SC2086  # a list of folders
{
    files $library examples tests benchmarks | while read -r file; do
        head -n 1 "$file" | grep -qxF '// SPDX-License-Identifier: MIT' || echo "$file"
    done | rule 'Files that do not open with the SPDX line'

    files memory | matching '#include.*(runtime|io)/' |
        rule 'memory/ includes from a layer above it'
    files runtime | matching '#include.*[/"<]io/' |
        rule 'runtime/ includes from a layer above it'
    files $library | matching '#include *<coracle/' |
        rule 'The library includes itself relatively, not as <coracle/...>'
    files examples tests benchmarks | matching '#include *".*/(memory|runtime|io)/' |
        rule 'Outside the library it is <coracle/...>'
    files memory runtime io | grep '\.hpp$' | grep -vE '^io/(posix|linux|bsd|windows)/' |
        matching "#include *<($platform_headers|fmt/)" |
        rule 'Public headers include a platform header or fmt'
    files $library examples | grep -vE '^(io/(posix|linux|bsd|windows)/|memory/page_)' |
        matching '^ *# *(el)?if.*(__linux__|__unix__|_WIN32|__APPLE__|__FreeBSD__)' |
        rule 'Conditions on the system outside the folders of the platforms and memory/page_*'
    files $library examples tests benchmarks | matching "$ring_fields" |
        rule 'Fields of io_uring, which differ by the version of liburing: call its functions'
    files $library | grep -vx memory/thread_end_posix.cpp | matching '\<thread_local\>' |
        grep -v '[:/ ]//' | grep -v 'constinit thread_local' |
        rule 'thread_locals with a destructor, which mingw runs in freed memory: see memory/thread_end.hpp'
    files tests | matching 'this_thread::sleep|usleep *\(|nanosleep *\(' |
        rule 'Tests that sleep'
    find . -name '*.md' -not -path './build/*' | while read -r page; do
        grep -oE '\]\([^)#:& ]+[)#]' "$page" | tr -d ']()#' | while read -r target; do
            [ -e "$(dirname "$page")/$target" ] || echo "$page: $target"
        done
    done | rule 'Links to files that are not there'
    files $library examples tests benchmarks | xargs -r awk -f cmake/check_awaits.awk |
        rule 'co_await in a condition, which g++ 12 miscompiles: await first, then test'
}

cat "$findings"
[ ! -s "$findings" ]
