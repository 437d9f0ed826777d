//! libFuzzer on the target `ethernet`: `cargo +nightly fuzz run --features libfuzzer ethernet`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("ethernet").map_or((), |target| (target.run)(input))
);
