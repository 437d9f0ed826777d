#!/usr/bin/env bash
# Bad input: every fuzz target on its corpus and on many seeded mutants of it. A failure prints the seed and
# the input; `cargo run -p cauce-fuzz -- TARGET HEX` repeats it.
# budget: 120
set -euo pipefail
export CAUCE_FUZZ_ROUNDS=${CAUCE_FUZZ_ROUNDS:-4000}
# Another seed for every commit, the same one whenever that commit is tested.
commit=$(git rev-parse HEAD 2>/dev/null || echo 1)
export CAUCE_FUZZ_SEED=${CAUCE_FUZZ_SEED:-$((16#${commit:0:5}))}
echo "CAUCE_FUZZ_SEED=$CAUCE_FUZZ_SEED CAUCE_FUZZ_ROUNDS=$CAUCE_FUZZ_ROUNDS"
cargo test --locked -p cauce-fuzz --test replay
