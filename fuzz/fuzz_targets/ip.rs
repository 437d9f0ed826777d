//! libFuzzer on the target `ip`: `cargo +nightly fuzz run --features libfuzzer ip`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cauce_fuzz::target("ip").map_or((), |target| (target.run)(input)));
