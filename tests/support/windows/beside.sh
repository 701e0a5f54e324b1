#!/bin/sh
# SPDX-License-Identifier: MIT
#
# usage: beside.sh LAUNCHER PROGRAM [ARGUMENT...]
# Runs a program of doctest while it begins and ends again and again beside itself.

set -u
"$@" &
tested=$!
while kill -0 $tested 2>/dev/null; do
    "$1" "$2" --version >/dev/null 2>&1
done
wait $tested
