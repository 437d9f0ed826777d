#!/usr/bin/env bash
# Instructions per segment, per round trip and per connection, counted by callgrind: the same on every machine
# with the same compiler, however busy it is. Each kind of work runs twice, with COUNT and with 5 * COUNT units;
# the difference divided by 4 * COUNT leaves the start of the program out. Both hosts' work and that of the
# device between them is included.
#
# usage: bash bench/callgrind.sh [COUNT]      (default 2000; the profiles stay in $CARGO_TARGET_DIR/callgrind)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=${1:-2000}
target=${CARGO_TARGET_DIR:-target}

if ! command -v valgrind >/dev/null; then
    printf '\n!!! SKIPPED: valgrind is not installed (Debian: apt-get install valgrind); no instruction is counted\n\n' >&2
    exit 0
fi

cargo build --release --locked -p cauce-bench
mkdir -p "$target/callgrind"

# Callgrind counts one instruction for each byte that `rep movsb` copies; without it a copy is counted as it is paid.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000

# instructions WHO KIND COUNT: runs it and prints the total.
instructions() {
    local file=$target/callgrind/$1-$2-$3.out
    valgrind --tool=callgrind --callgrind-out-file="$file" --quiet \
        "$target/release/cauce-bench" work "$2" --who "$1" --count "$3" >/dev/null
    sed -n 's/^\(summary\|totals\): *\([0-9][0-9]*\).*/\2/p' "$file" | tail -n 1
}

printf '%-10s %-8s %14s\n' who work 'instructions'
for pair in cauce:bulk smoltcp:bulk cauce:super cauce:rtt smoltcp:rtt cauce:short smoltcp:short; do
    who=${pair%%:*} kind=${pair##*:}
    few=$(instructions "$who" "$kind" "$count")
    many=$(instructions "$who" "$kind" "$((5 * count))")
    printf '%-10s %-8s %14d\n' "$who" "$kind" "$(((many - few) / (4 * count)))"
done
printf '\nprofiles: callgrind_annotate %s/callgrind/cauce-bulk-%s.out\n' "$target" "$((5 * count))"
