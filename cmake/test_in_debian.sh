#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: test_in_debian.sh debian13|sid [chat|io]
# Runs the README's two commands in a fresh Debian, as a newcomer does who has just cloned this tree:
# the chat server is built, answers a client and is ended, then everything is built and tested. In sid
# the tests are those of io and the examples, and its default clang and g++ compile everything. With
# `chat`, only the first of the two commands; with `io`, then the tests of io and the examples once, built
# by the compiler that ./dev prefers.
#
# The bare system, the packages and ccache's objects are kept for a week in ~/.cache/coracle. Mounts
# are made in a namespace of its own, so none outlives it. Exits 77, and says why, where no Debian can
# be made.

set -eu
lane=$1
part=${2:-all}
case $part in
all | chat | io) ;;
*)
    printf "dev: %s runs everything, or only 'chat' or 'io', so not '%s'\n" "$lane" "$part" >&2
    exit 2
    ;;
esac
case $lane in
debian13) suite=trixie ;;
*) suite=$lane ;;
esac
cd "$(dirname -- "$0")/.."
cache=${XDG_CACHE_HOME:-${HOME:?there is no home folder for a cache}/.cache}/coracle
base=$cache/$lane
kept=$cache/$lane-kept # packages and objects

skip() {
    printf 'dev: %s is skipped, because %s\n' "$lane" "$*"
    exit 77
}

make_base() {
    [ -z "$(find "$base" -maxdepth 0 -mtime -7 2>/dev/null)" ] || return 0
    made=$(mktemp -d "$cache/$lane.XXXXXX")
    echo "dev: making a fresh Debian for $lane"
    if debootstrap --variant=minbase --include=ca-certificates,ccache "$suite" "$made" "$(cmake/debian_mirror.sh)" \
        >"$made.log" 2>&1; then
        rm -rf --one-file-system "$base"
        touch "$made"
        mv "$made" "$base"
        rm "$made.log"
    else
        said=$(tail -n 1 "$made.log")
        rm -rf --one-file-system "$made" "$made.log"
        [ -d "$base" ] || skip "debootstrap fails: $said"
    fi
}

# What runs in there, from the root of the tree.
newcomer() {
    cat <<'END'
set -eu
if [ "$lane" = sid ]; then # a package there may lack another for a day
    ./dev setup || { echo "dev: sid is skipped, because its packages cannot be installed today" && exit 77; }
fi
mkfifo /tmp/said
echo "newcomer: ./dev chat"
./dev chat --port 0 >/tmp/said 2>&1 &
chat=$!
exec 4</tmp/said
while read -r line <&4; do
    printf '%s\n' "$line"
    case $line in 'chat: connect with: nc '*) break ;; esac
done
cat <&4 &
where=${line#*: nc }
[ "$where" != "$line" ]
answer=$(bash -c 'exec 3<>"/dev/tcp/${1% *}/${1#* }" && read -r -t 60 line <&3 && echo "$line"' \
    client "$where")
printf 'newcomer: the server says: %s\n' "$answer"
[ -n "$answer" ]
kill -TERM $chat
wait $chat
[ "$part" != chat ] || exit 0
if [ "$part" = io ]; then
    echo "newcomer: ./dev test --only io,examples"
    exec ./dev test dev --only io,examples
fi
if [ "$lane" != sid ]; then
    echo "newcomer: ./dev test"
    exec ./dev test
fi
echo "newcomer: ./dev test, by the default compilers"
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends clang g++ >/dev/null
CXX=clang++ ./dev test dev -- -R '^(io|examples)/'
CXX=g++ ./dev test release -- -R '^(io|examples)/'
END
}

[ "$(id -u)" = 0 ] || skip 'only root can make a system to change into'
command -v debootstrap >/dev/null || skip 'there is no debootstrap'
tried=$(unshare --mount --pid --fork true 2>&1) || skip "namespaces are not to be had: $tried"
mkdir -p "$cache" "$kept/archives" "$kept/ccache"
make_base

root=$(mktemp -d "$cache/$lane.XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
cp -a --reflink=auto "$base/." "$root"
chmod 755 "$root" # tests become another user
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90mirror" # it may be a snapshot
cp -L /etc/resolv.conf /etc/hosts "$root/etc"
mkdir -p "$root/coracle" "$root/root/.cache/ccache"
git ls-files -z | xargs -0 cp --parents -t "$root/coracle"
newcomer >"$root/newcomer"

# shellcheck disable=SC2016  # the inner shell expands these
unshare --mount --pid --fork --kill-child sh -eu -c '
    mount --rbind /dev "$1/dev"
    mount -t proc proc "$1/proc"
    mount --bind "$2/archives" "$1/var/cache/apt/archives"
    mount --bind "$2/ccache" "$1/root/.cache/ccache"
    exec chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin lane="$3" part="$4" \
        ${http_proxy:+http_proxy="$http_proxy"} sh -c "cd /coracle && exec sh /newcomer"' \
    test_in_debian "$root" "$kept" "$lane" "$part" </dev/null
