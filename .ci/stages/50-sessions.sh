#!/usr/bin/env bash
# Real programs (curl, python3, tshark) with `cauce up` and `cauce nc` in a private network namespace: 1 GiB with
# equal SHA-256, 1,000 small files, 64 at once, both directions; IPv4 and IPv6, with and without offload, over TUN
# and over a veth with AF_PACKET.
# budget: 240
set -euo pipefail

loud() { printf '\n!!! %s\n\n' "$*" >&2; }

for program in python3 curl unshare ip; do
    if ! command -v "$program" >/dev/null; then
        loud "$program is not installed: no session with real programs is checked"
        exit 0
    fi
done
trial='test -w /dev/net/tun && ip tuntap add mode tun name t0'
if unshare -n sh -c "$trial" 2>/dev/null; then
    space=(unshare -n)
elif unshare -r -n sh -c "$trial" 2>/dev/null; then
    space=(unshare -r -n)
else
    loud "neither root nor a user namespace gives a TUN device here: no session with real programs is checked"
    exit 0
fi

child=
trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true; wait' EXIT INT TERM
"${space[@]}" python3 crates/cauce-cli/tests/session.py --cauce "$CAUCE" --patience 60 \
    --big $((1 << 30)) --small 1000 --parallel $((1 << 20)) --bulk $((256 << 20)) &
child=$!
wait "$child" && status=0 || status=$?
child=
exit "$status"
