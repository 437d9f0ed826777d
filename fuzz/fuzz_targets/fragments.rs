//! libFuzzer on the target `fragments`: `cargo +nightly fuzz run --features libfuzzer fragments`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("fragments").map_or((), |target| (target.run)(input))
);
