#!/usr/bin/env bash
# Brings the source of lwIP 2.2.1 (crate `lwip` 0.4.0) into cargo's registry, where bench/build.rs finds it.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT INT TERM
mkdir "$dir/src"
touch "$dir/src/lib.rs"
printf '[package]\nname = "fetch"\nedition = "2024"\n\n[dependencies]\nlwip = "=0.4.0"\n' >"$dir/Cargo.toml"
cargo fetch --manifest-path "$dir/Cargo.toml"
