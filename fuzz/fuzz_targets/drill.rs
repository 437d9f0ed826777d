//! libFuzzer on the target `drill`: `cargo +nightly fuzz run --features libfuzzer drill`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("drill").map_or((), |target| (target.run)(input))
);
