//! libFuzzer on the target `stack`: `cargo +nightly fuzz run --features libfuzzer stack`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("stack").map_or((), |target| (target.run)(input))
);
