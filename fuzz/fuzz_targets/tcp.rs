//! libFuzzer on the target `tcp`: `cargo +nightly fuzz run --features libfuzzer tcp`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cauce_fuzz::target("tcp").map_or((), |target| (target.run)(input)));
