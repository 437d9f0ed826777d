#!/usr/bin/env bash
# budget: 240
# 20,000 random worlds between two stacks of ours keep the invariants; a failure prints the seed that repeats it.
set -euo pipefail
export CAUCE_WORLDS=20000
# With the features of the whole workspace, so that what the stage `test` has built serves here too.
exec cargo test --workspace --locked --test worlds -- --nocapture
