//! libFuzzer on the target `sysctl`: `cargo +nightly fuzz run --features libfuzzer sysctl`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("sysctl").map_or((), |target| (target.run)(input))
);
