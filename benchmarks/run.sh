#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs the benchmarks and prints their tables, in Markdown. The contestants take turns, round after
# round, so that what else the machine does hits all of them. A server runs on core 0 and the load
# on core 1; what counts is the CPU time of the server's process alone, within a window that
# leaves out the set-up of the connections. `./dev bench` builds the programs and calls this.

set -euo pipefail

usage() {
    cat <<'END'
usage: run.sh [echo] [frames] [tasks] [fork_join] [inspect] [idle] [OPTION...]
Runs the named benchmarks, or the first four. `inspect` tells what it costs to record where and by
whom everything is awaited and made: the echo server with and without (CORACLE_INSPECT=OFF). `idle`
tells the memory of a connection that waits for bytes.
  --rounds N              how often the echo servers take turns (default 15)
  --connections "N..."    how many clients at once (default "1 64 1000"; of idle ones 10000)
  --size BYTES            of a message (default 64)
  --quick                 few and short rounds: a look, not a measurement
  --programs FOLDER       where the programs are (default build/release/benchmarks)
END
}

fail() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 1
}

benchmarks=()
rounds=
connections=
size=64
shrink=1
programs=build/release/benchmarks
while [ $# -gt 0 ]; do
    case $1 in
    echo | frames | tasks | fork_join | inspect | idle) benchmarks+=("$1") ;;
    --quick) shrink=4 ;;
    --rounds | --connections | --size | --programs)
        [ $# -gt 1 ] || fail "$1 wants a value"
        declare "${1#--}=$2"
        shift
        ;;
    --help | -h) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
[ ${#benchmarks[@]} -gt 0 ] || benchmarks=(echo frames tasks fork_join)
[ -n "$rounds" ] || rounds=$((15 / shrink))
idle_connections=${connections:-10000}
[ -n "$connections" ] || connections='1 64 1000'

# --- Echo servers -------------------------------------------------------------------------------

# NAME=COMMAND. The names of the yardsticks begin with "raw"; the tables' ratios are to them.
servers=(
    'raw epoll=raw_epoll_echo'
    'raw io_uring, multishot=raw_uring_echo'
    'raw io_uring, single-shot=raw_uring_echo --single-shot'
    'Coracle io_uring=echo_server --backend io_uring'
    'Coracle io_uring, pool=echo_server --backend io_uring --receive-many'
    'Coracle epoll=echo_server --backend epoll'
    'Coracle epoll, pool=echo_server --backend epoll --receive-many'
)

# A second core keeps the load out of the server's way; with one core alone there is no choice.
on_core() {
    local core=$1
    shift
    [ "$(nproc)" -gt 1 ] || core=0
    exec taskset -c "$core" "$@"
}

# Prints the CPU microseconds of one request. A subshell: whatever happens, its end ends the server.
measure_server() ( # COMMAND CLIENTS
    read -ra command <<<"$1"
    clients=$2
    requests=24000
    [ "$clients" -gt 1 ] || requests=6000
    exec {output}< <(on_core 0 "$programs/${command[0]}" "${command[@]:1}")
    server=$!
    trap 'kill "$server" 2>/dev/null && wait "$server"' EXIT
    read -r port <&"$output" || fail "$1 did not start"
    (on_core 1 "$programs/echo_load" --port "${port#port=}" --server-process "$server" \
        --connections "$clients" --size "$size" --requests $((requests / shrink))) |
        sed -n 's/server_cpu_us_per_request=\([0-9.]*\).*/\1/p'
)

run_echo() {
    local round clients each figure figures=
    for ((round = 1; round <= rounds; round++)); do
        for clients in $connections; do
            for each in "${servers[@]}"; do
                figure=$(measure_server "${each#*=}" "$clients") || figure=
                [ -n "$figure" ] || fail "no figure for ${each%%=*} with $clients clients"
                figures+="$clients;${each%%=*};$figure"$'\n'
            done
        done
    done
    printf 'CPU time of the server for each request: %s B, %s rounds, Linux %s, %s\n\n' "$size" \
        "$rounds" "$(uname -r)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    printf %s "$figures" | "$programs/statistics" raw
}

# --- Inspection ---------------------------------------------------------------------------------

# Prints the instructions that a server's process has run outside of the kernel, start included.
count_instructions() ( # PROGRAM REQUESTS
    exec {output}< <(exec valgrind --tool=callgrind \
        --callgrind-out-file=/dev/null --log-fd=1 "$programs/$1" --backend epoll)
    server=$!
    trap 'kill "$server" 2>/dev/null' EXIT
    port=$(sed -n '/^port=/{s///p;q}' <&"$output")
    "$programs/echo_load" --port "$port" --server-process "$server" --connections 64 \
        --requests "$2" >/dev/null
    kill "$server"
    sed -n 's/.*Collected : //p' <&"$output"
)

# The difference of two runs, so that start and end do not count. A tenth more is the warm-up.
instructions_per_request() { # PROGRAM
    local few many
    few=$(count_instructions "$1" 10000) && many=$(count_instructions "$1" 20000) &&
        echo $(((many - few) / 11000))
}

run_inspect() {
    local round clients backend first second figures=
    for ((round = 1; round <= rounds; round++)); do
        for clients in $connections; do
            for backend in io_uring epoll; do
                # In turns also as to who is the first.
                for first in $((round % 2)) $(((round + 1) % 2)); do
                    [ "$first" = 1 ] && second=echo_server || second=echo_server_uninspected
                    figures+="$clients $backend;$second;"
                    figures+="$(measure_server "$second --backend $backend" "$clients")"$'\n'
                done
            done
        done
    done
    printf 'CPU time of the echo server for each request, with what inspection records and without\n\n'
    printf %s "$figures" | "$programs/statistics" echo_server_uninspected
    command -v valgrind >/dev/null || return 0
    echo
    printf 'instructions outside of the kernel, 64 clients, epoll: %s with and %s without\n' \
        "$(instructions_per_request echo_server)" \
        "$(instructions_per_request echo_server_uninspected)"
}

# --- Idle connections ---------------------------------------------------------------------------

# Prints "RESIDENT LIVE": the server's resident memory and what the library has in use, in bytes.
memory_of() { # SERVER SERVER-OUTPUT TELLS-USAGE
    local live=0 resident
    if [ "$3" = yes ]; then
        kill -USR1 "$1"
        read -r live <&"$2"
    fi
    resident=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
    echo $((resident * 1024)) "${live#live_bytes=}"
}

# Prints "RESIDENT LIVE" of one idle connection. Clients that came before do not count, nor does
# what the server made for all.
measure_idle() ( # COMMAND CLIENTS
    read -ra command <<<"$1"
    tells_usage=no
    if [ "${command[0]}" = echo_server ]; then
        tells_usage=yes
        command+=(--usage)
    fi
    exec {output}< <(exec "$programs/${command[0]}" "${command[@]:1}")
    server=$!
    trap 'kill "$server" 2>/dev/null && wait "$server"' EXIT
    read -r port <&"$output" || fail "$1 did not start"
    coproc load { exec "$programs/idle_load" --port "${port#port=}" --connections "$2"; }
    read -r _ <&"${load[0]}" || fail "no connections"
    before=$(memory_of "$server" "$output" $tells_usage)
    echo >&"${load[1]}"
    read -r _ <&"${load[0]}" || fail "no $2 connections"
    after=$(memory_of "$server" "$output" $tells_usage)
    read -r resident_before live_before <<<"$before"
    read -r resident_after live_after <<<"$after"
    echo $(((resident_after - resident_before) / $2)) $(((live_after - live_before) / $2))
)

run_idle() {
    local clients each figures resident live
    for clients in $idle_connections; do
        printf 'memory of each of %s idle connections, in bytes\n\n' "$clients"
        echo '| echo server                |   resident | of the library |'
        echo '|----------------------------|-----------:|---------------:|'
        for each in "${servers[@]}"; do
            figures=$(measure_idle "${each#*=}" "$clients") || figures=
            [ -n "$figures" ] || fail "no figure for ${each%%=*}"
            read -r resident live <<<"$figures"
            printf '| %-26s | %10s | %14s |\n' "${each%%=*}" "$resident" "${live/#0/}"
        done
        echo
    done
}

# --- All of them --------------------------------------------------------------------------------

for benchmark in "${benchmarks[@]}"; do
    case $benchmark in
    echo) run_echo ;;
    inspect) run_inspect ;;
    idle) run_idle ;;
    *) (on_core 1 "$programs/$benchmark" --rounds $((21 / shrink))) ;;
    esac
    echo
done
