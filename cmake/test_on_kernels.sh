#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: test_on_kernels.sh IO-TESTS RESULTS [SUITE...]
# Boots the kernel of each Debian SUITE (default: all that are known here) under qemu, by software
# emulation, with the conformance suite of io as the only program, once for each backend. Writes
# RESULTS/BACKEND-VERSION/conformance.tsv for results_table.sh. Kernels are kept in ~/.cache/coracle.
# Exits 77, and says why, where no kernel can be fetched.

set -eu
program=$1
results=$2
shift 2
[ $# -gt 0 ] || set -- bookworm trixie sid
here=$(dirname -- "$0")
cache=${XDG_CACHE_HOME:-${HOME:?there is no home folder for a cache}/.cache}/coracle/kernels
guard_s=900 # against hanging; a minute or two is usual
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Prints the path of the newest kernel of a suite.
fetch_kernel() { # SUITE
    kept=$cache/$1
    mkdir -p "$kept/lists/partial" "$kept/archives/partial"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] $("$here/debian_mirror.sh") $1 main" >"$kept/sources.list"
    set -- -q -o "Dir::State::Lists=$kept/lists" -o "Dir::Cache=$kept" -o Dir::Etc::SourceParts=- \
        -o "Dir::Etc::SourceList=$kept/sources.list" -o Dir::State::Status=/dev/null \
        -o Acquire::Check-Valid-Until=false # the mirror may be a snapshot
    {
        apt-get "$@" update
        package=$(apt-cache "$@" depends linux-image-amd64 | sed -n 's/.*Depends: linux-image-/linux-image-/p')
        if [ -n "$package" ] && [ ! -e "$kept/vmlinuz-$package" ]; then
            # Since Debian 14 the kernel itself is in a package of its own.
            binary=$(apt-cache "$@" depends "$package" | sed -n 's/.*Depends: linux-binary-/linux-binary-/p')
            (cd "$work" && apt-get "$@" download "${binary:-$package}" && dpkg-deb -x ./*.deb unpacked && rm ./*.deb)
            rm -f "$kept"/vmlinuz-*
            mv "$(find "$work/unpacked" -name 'vmlinuz*' -type f | head -n 1)" "$kept/vmlinuz-$package"
            rm -rf "$work/unpacked"
        fi
    } >&2
    ls "$kept"/vmlinuz-* 2>/dev/null
}

# A system of busybox, the program and its libraries. What the tests say of each case goes to the
# console behind a mark.
make_initramfs() {
    root=$work/root
    mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$program" "$root/io_tests"
    ldd "$program" | grep -o '/[^ ]*' | xargs cp -L --parents -t "$root"
    cat >"$root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
ln -s /proc/self/fd /dev/fd
ip link set lo up
for backend in io_uring epoll; do
    CORACLE_BACKEND=$backend CORACLE_RESULTS=/tmp/results timeout 400 \
        /io_tests '--source-file=*/conformance_*' --no-version --no-colors >/tmp/said 2>&1
    status=$?
    cat /tmp/said
    [ $status != 77 ] || sed -n 's/^skipped, because /skipped\t/p' /tmp/said >/tmp/results
    sed "s/^/@$backend\t/" /tmp/results
    printf '@status\t%s\t%s\n' $backend $status
    rm -f /tmp/results
done
poweroff -f
END
    chmod +x "$root/init"
    (cd "$root" && find . | cpio --create --format=newc --quiet | gzip -1) >"$work/initramfs"
}

boot() { # KERNEL
    timeout "$guard_s" qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1024 -nic none -no-reboot \
        -display none -monitor none -serial stdio -kernel "$1" -initrd "$work/initramfs" \
        -append 'console=ttyS0 quiet panic=-1' </dev/null | tr -d '\r' >"$work/said" || true
}

# Fails where a test failed, or where the kernel did not come to its end.
take_results() { # VERSION
    for backend in io_uring epoll; do
        status=$(sed -n "s/^@status\t$backend\t//p" "$work/said")
        case $status in
        0) echo "kernels: Linux $1: $backend passes $(grep -c "^@$backend	passed" "$work/said") cases" ;;
        77) echo "kernels: Linux $1: $backend does not work: $(sed -n "s/^@$backend\tskipped\t//p" "$work/said")" ;;
        *)
            cat "$work/said"
            echo "kernels: Linux $1: $backend fails (${status:-no end})"
            failed=yes
            ;;
        esac
        mkdir -p "$results/$backend-$1"
        sed -n "s/^@$backend\t//p" "$work/said" >"$results/$backend-$1/conformance.tsv"
    done
}

failed=''
booted=''
make_initramfs
for suite in "$@"; do
    kernel=$(fetch_kernel "$suite") || {
        echo "kernels: there is no kernel of $suite to be had"
        continue
    }
    booted=yes
    boot "$kernel"
    take_results "$(printf '%s' "${kernel##*/vmlinuz-linux-image-}" | grep -oE '^[0-9]+\.[0-9]+')"
done
[ -n "$booted" ] || {
    echo 'dev: kernels is skipped, because no kernel is to be had'
    exit 77
}
[ -z "$failed" ]
