#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Tests of ./dev: what it makes of bad input, and of tools that are missing or fail. A copy of it runs
# where there are the plain tools of a system and stand-ins for all others, so that nothing is built,
# installed or fetched. Prints each expectation that was not met, and fails then.

set -eu
source_folder=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
world=$(mktemp -d)
trap 'rm -rf "$world"' EXIT
failures=0

# --- The world of a test --------------------------------------------------------------------------

stand_in() { # NAME [EXIT-CODE [WORDS]]: writes down that it was called
    rm -f "$world/tools/$1"
    printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n[ -z "%s" ] || echo "%s"\nexit %s\n' \
        "$1" "$world" "${3:-}" "${3:-}" "${2:-0}" >"$world/tools/$1"
    chmod +x "$world/tools/$1"
}

without() { # TOOL...
    for tool in "$@"; do
        rm "$world/tools/$tool"
    done
}

# A machine with all that ./dev could want but windows and macos, root's rights and no network.
new_world() {
    rm -rf "$world"
    mkdir -p "$world/tools" "$world/home" "$world/project/.ci" \
        "$world/include/doctest" "$world/include/fmt"
    cp "$source_folder/dev" "$world/project"
    cp -R "$source_folder/cmake" "$world/project"
    cd "$world/project"
    mkdir memory runtime io examples tests benchmarks
    for folder in memory runtime io examples; do
        mkdir "tests/$folder"
        touch "tests/$folder/any_test.cpp"
    done
    touch "$world/calls" "$world/include/doctest/doctest.h" "$world/include/fmt/core.h"
    for tool in awk cat chmod cksum date dirname env find grep head ls mkdir mktemp mv nproc rm sed \
        sh sha512sum sort tail tar touch tr uname xargs; do
        ln -s "$(command -v "$tool")" "$world/tools/$tool"
    done
    for tool in clang++-19 clang-format-19 clang-tidy-19; do
        stand_in "$tool" 0 19.1
    done
    stand_in g++-12 0 12.2
    for tool in ctest ninja pkg-config valgrind heaptrack gnuplot shellcheck; do
        stand_in "$tool"
    done
    stand_in cmake 0 'cmake version 3.31.0'
    stand_in id 0 0
    # Its update says 0 where nothing could be fetched.
    # shellcheck disable=SC2016  # for the stand-in to expand
    stand_in apt-get '$(case "$*" in *install*) echo 100 ;; *) echo 0 ;; esac)' 'E: no network'
    stand_in apt-cache
    stand_in curl 6 'curl: no network'
}

add_windows() {
    for tool in x86_64-w64-mingw32-g++-posix wine64 wineserver64; do
        stand_in "$tool"
    done
}

add_debian() { # what the lanes of Debian and of its kernels need
    for tool in debootstrap qemu-system-x86_64 busybox cpio; do
        stand_in "$tool"
    done
}

add_zig() { # as if it had been fetched before
    version=$(sed -n 's/^version=//p' cmake/fetch_zig.sh)
    mkdir -p "$world/home/.cache/coracle/zig-$version/bin"
    cp "$world/tools/cmake" "$world/home/.cache/coracle/zig-$version/bin/ar"
}

# --- Expectations ---------------------------------------------------------------------------------

run() { # ARGUMENT...: ./dev with them
    ran="./dev $*"
    status=0
    said=$(env -i PATH="$world/tools" HOME="$world/home" CPATH="$world/include" \
        ./dev "$@" 2>&1) || status=$?
}

unmet() { # WORDS
    failures=$((failures + 1))
    printf '%s: %s. It exits with %s and says:\n%s\n\n' "$ran" "$1" "$status" "$said"
}

exits() { # STATUS
    [ "$status" = "$1" ] || unmet "does not exit with $1"
}

says() { # PATTERN...
    for pattern in "$@"; do
        printf '%s\n' "$said" | grep -qE -e "$pattern" || unmet "does not say '$pattern'"
    done
}

never_says() { # PATTERN
    ! printf '%s\n' "$said" | grep -qE -e "$1" || unmet "says '$1'"
}

calls() { # PATTERN
    grep -qE -e "$1" "$world/calls" || unmet "does not call '$1'"
}

never_calls() { # PATTERN
    ! grep -qE -e "$1" "$world/calls" || unmet "calls '$1'"
}

# --- Bad input ------------------------------------------------------------------------------------

refuses() { # WHAT ARGUMENT...: names it, and has done nothing by then
    named=$1
    shift
    run "$@"
    exits 2
    says "'$named'"
    never_calls '^(apt-get|curl|ctest)|--(build|preset)'
}

new_world
refuses bild bild
refuses nonsense build nonsense
refuses windows build windows
refuses release build dev release
refuses nonsense test nonsense
refuses nonsense test windows nonsense -- -R tcp
refuses tests/nonsense test --only io,nonsense
refuses --only test kernels --only io
refuses --some setup --some
refuses more setup --all more
refuses 0 soak 0
refuses long soak long
refuses 2 soak 1 2
refuses --chekc format --chekc
refuses more format --check more
refuses --chekc table --chekc
refuses more table --check more
refuses more lint more
refuses more ci more
run test nonsense
says ' windows macos '

run
exits 0
says '^usage: ./dev COMMAND'
for command in setup build chat test soak format table lint ci; do
    run "$command" --help
    exits 0
    never_calls .
done

# --- What is missing ------------------------------------------------------------------------------

# Nothing is: so nothing is installed, and no network is wanted.
new_world
run setup
exits 0
says 'everything is there'
run build
exits 0
calls '^cmake --build --preset dev'
run test tsan --only io,runtime -- -V
calls '^cmake --build --preset tsan --target io_tests runtime_tests$'
calls '^ctest --preset tsan -R \^\(io\|runtime\)/ -V'
run test --only
exits 2
says '--only takes folders'
never_calls '^(apt-get|curl)'

# Something is, and cannot be installed.
new_world
without ninja
for arguments in setup build test 'test asan' ci; do
    # shellcheck disable=SC2086  # one or two words
    run $arguments
    exits 1
    says ninja-build
done
never_calls '^ctest|--build'

# Who may install nothing builds with what there is.
without clang++-19
stand_in ninja
stand_in g++ 0 12.2
stand_in id 0 1000
run build
exits 0
says 'building dev with .*/g\+\+$'
without g++ g++-12
run build
exits 1
says 'root or sudo.* clang-19'

new_world
run setup --all
says mingw-w64-x86-64-posix
without curl
run setup --all
says curl

new_world
add_windows
add_debian
run setup --all
exits 0
says 'but zig, without which macos is skipped: cannot fetch http.*curl: no network'
add_zig
run setup --all
exits 0
says 'everything is there$'
never_calls '^apt-get'

# --- Lanes ----------------------------------------------------------------------------------------

skips() { # LANE WHY
    run test "$1"
    exits 77
    says "$1 is skipped, because .*$2"
    never_calls '^ctest|--(build|preset)'
}

new_world
skips windows mingw-w64-x86-64-posix
for lane in debian13 sid kernels; do
    skips $lane 'debootstrap|qemu-system-x86'
done

new_world
add_debian
run test debian13 -- everything
exits 2
says "'everything'"
skips macos 'zig is not to be had: cannot fetch http.*curl: no network'
skips macos-x86_64 'cannot fetch http'
stand_in apt-get 0 'says that it is there already'
skips windows mingw-w64-x86-64-posix
without ninja curl
skips kqueue ninja-build
skips macos curl

new_world
add_windows
stand_in wine64 1 'wine: cannot do this here'
skips windows 'Wine does not start here: wine: cannot do this here'

# A lane that is skipped does not keep the others from running, nor do they hide it.
run test windows kqueue
exits 77
says 'windows is skipped, because'
calls '^ctest --preset kqueue'

# A lane that can run, with arguments for ctest.
new_world
add_windows
add_zig
run test windows macos kqueue -- -R tcp
exits 0
calls '^cmake --build --preset windows'
calls '^ctest --preset windows -R tcp'
calls '^wineserver64 --kill'
calls '^cmake --build --preset macos-aarch64'
calls '^cmake --build --preset macos-x86_64'
calls '^ctest --preset kqueue -R tcp'
never_calls '^(apt-get|curl)'
never_says skipped

# One that fails is not skipped.
stand_in ctest 8
run test windows
exits 1
never_says skipped
calls '^wineserver64 --kill'
stand_in cmake 1 'cmake version 3.31.0'
for lane in windows macos kqueue; do
    run test $lane
    exits 1
    never_says skipped
done

# --- All of it ------------------------------------------------------------------------------------

new_world
run ci
says '^release +[0-9]+ s +passed'
for lane in windows macos debian13; do
    says "^$lane +[0-9]+ s +skipped"
done
never_says '^(windows|macos|debian13) .*(passed|FAILED)'

new_world
add_windows
add_zig
stand_in ctest 8
run ci
exits 1
says '^windows +[0-9]+ s +FAILED' '^macos +[0-9]+ s +passed' '^release +[0-9]+ s +FAILED'

[ $failures -eq 0 ]
