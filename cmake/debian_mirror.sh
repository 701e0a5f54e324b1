#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Prints the address of a mirror of Debian: the one that this machine uses, where it is a Debian.

# shellcheck disable=SC2016  # the fields are for apt-get to expand
mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
    sed -n '/^Debian /{s///p;q}')
printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
