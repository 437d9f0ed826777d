#!/usr/bin/env bash
# Random sequences of options, ioctls and calls on sockets in random states, here and on the kernel: results, errors and
# readiness must be the same, but for the exceptions that the test lists. Says loudly when the kernel cannot be asked.
# budget: 120
set -euo pipefail
export CAUCE_SURFACE=${CAUCE_SURFACE:-5000}
export CAUCE_SEED=${CAUCE_SEED:-1}
echo "CAUCE_SEED=$CAUCE_SEED CAUCE_SURFACE=$CAUCE_SURFACE"
# With the features of the whole workspace, so that what the stage `test` has built serves here too.
exec cargo test --workspace --locked --test surface
