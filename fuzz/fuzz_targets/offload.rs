//! libFuzzer on the target `offload`: `cargo +nightly fuzz run --features libfuzzer offload`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("offload").map_or((), |target| (target.run)(input))
);
