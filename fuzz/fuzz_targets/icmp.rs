//! libFuzzer on the target `icmp`: `cargo +nightly fuzz run --features libfuzzer icmp`.
#![no_main]
#![allow(missing_docs)]

libfuzzer_sys::fuzz_target!(
    |input: &[u8]| cauce_fuzz::target("icmp").map_or((), |target| (target.run)(input))
);
