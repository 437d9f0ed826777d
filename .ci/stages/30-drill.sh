#!/usr/bin/env bash
# Every script of ours: against our stack twice, which must say the same byte for byte and take less than 10 s, and
# in every version of IP that it allows; then against the kernel in all these versions, which proves that the scripts
# are true; those below ours/ are about what no kernel has. A script that is about one version says so in a line
# `--ip_version=…`.
# budget: 420
set -euo pipefail

DRILL=crates/cauce-drill
# Seconds in which all scripts must have run against our stack.
MOST=10

loud() { printf '\n!!! %s\n\n' "$*" >&2; }

out=$(mktemp -d)
child=
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true; wait; rm -rf "$out"' EXIT INT TERM

# all NAME ARGUMENT...: runs all scripts, keeps what is printed, and shows all that is not just ok when it fails.
all() {
    local name=$1 status=0
    shift
    "$CAUCE" drill "$@" >"$out/$name" 2>"$out/$name.time" &
    child=$!
    wait "$child" || status=$?
    child=
    if [ "$status" -ne 0 ]; then
        grep -v '^ok ' "$out/$name" || true
        cat "$out/$name.time"
        loud "$name: scripts failed (status $status)"
        return 1
    fi
    printf '%-33s %s (%s)\n' "$name" "$(tail -n 1 "$out/$name")" "$(tail -n 1 "$out/$name.time")"
}

ours=("$DRILL/scripts" "$DRILL/ours")
start=$(date +%s%N)
all 'our stack' "${ours[@]}" --expect "$DRILL/expectations.toml"
took=$((($(date +%s%N) - start) / 1000000))
all 'our stack, once more' "${ours[@]}" --expect "$DRILL/expectations.toml" --jobs 1
if ! cmp "$out/our stack" "$out/our stack, once more"; then
    loud "two runs against our stack are not the same"
    exit 1
fi
if [ "$took" -gt $((MOST * 1000)) ]; then
    loud "all scripts took $took ms against our stack; $MOST s are allowed"
    exit 1
fi
all 'our stack, every version of IP' "${ours[@]}" --expect "$DRILL/expectations.toml" --ip-version all

if ! why=$("$CAUCE" drill --against kernel --dry-run "$DRILL/scripts/open/passive.pkt" 2>&1 >/dev/null); then
    loud "the scripts are NOT CHECKED against the kernel: ${why#cauce: }"
    exit 0
fi
all 'the kernel, every version of IP' "$DRILL/scripts" --against kernel --ip-version all --jobs 8
