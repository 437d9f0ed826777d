//! libFuzzer on the target `literal`: `cargo +nightly fuzz run --features libfuzzer literal`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("literal").map_or((), |target| (target.run)(input))
);
