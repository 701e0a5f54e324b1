# SPDX-License-Identifier: MIT
#
# Prints each `if`, `while`, `for` or `switch` whose parentheses hold a co_await. It follows the
# parentheses over line ends and leaves comments out; a lambda inside a condition counts as well.

FNR == 1 {
    depth = 0
}

{
    line = $0
    sub(/\/\/.*/, "", line)
    gsub(/operator co_await/, "", line) # a name, not an await
    while (line != "") {
        if (depth == 0) {
            if (!match(line, /(^|[^A-Za-z0-9_])(if|while|for|switch)( +constexpr)? *\(/))
                next
            line = substr(line, RSTART + RLENGTH)
            depth = 1
            start = FNR ": " $0
        }
        while (depth > 0 && match(line, /[()]|co_await/)) {
            token = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (token == "(")
                ++depth
            else if (token == ")")
                --depth
            else
                print FILENAME ":" start
        }
        if (depth > 0)
            next
    }
}
