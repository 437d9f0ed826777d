#!/usr/bin/env bash
# budget: 400
# Our TCP and the kernel's over bad paths: 2,000 connections, 200 at once, in network namespaces of the test's own.
# The test prints its seed, what every path did, and for a failure how to run that connection again.
set -euo pipefail

export CAUCE_INTEROP_CONNECTIONS=${CAUCE_INTEROP_CONNECTIONS:-2000}
export CAUCE_INTEROP_AT_ONCE=${CAUCE_INTEROP_AT_ONCE:-200}
export CAUCE_INTEROP_LIMIT=${CAUCE_INTEROP_LIMIT:-240}

# With the features of the whole workspace, so that what the stage `test` has built serves here too.
exec cargo test --workspace --locked --test interop -- --nocapture
