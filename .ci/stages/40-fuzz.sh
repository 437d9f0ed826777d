#!/usr/bin/env bash
# Bad input: every fuzz target on its corpus and on many seeded mutants of it. A failure prints the seed and
# the input; `cargo run -p cauce-fuzz -- TARGET HEX` repeats it. Other seeds: set CAUCE_FUZZ_SEED.
# budget: 240
set -euo pipefail
export CAUCE_FUZZ_ROUNDS=${CAUCE_FUZZ_ROUNDS:-1000}
export CAUCE_FUZZ_SEED=${CAUCE_FUZZ_SEED:-1}
echo "CAUCE_FUZZ_SEED=$CAUCE_FUZZ_SEED CAUCE_FUZZ_ROUNDS=$CAUCE_FUZZ_ROUNDS"
# With the features of the whole workspace, so that what the stage `test` has built serves here too.
exec cargo test --workspace --locked --test replay
