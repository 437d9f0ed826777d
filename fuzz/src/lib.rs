//! Bad input: what strangers send must end in a counter and a drop reason, never in a panic.
//!
//! Each target is a function from bytes to nothing that panics when a promise is broken; [`TARGETS`] lists
//! them. The same functions serve three runners: the test `tests/replay.rs`, which replays the committed
//! corpus and seeded mutations of it, so that `cargo test` covers them on stable Rust and repeats exactly;
//! libFuzzer, through the files in `fuzz_targets/`; and the program `reproduce`, which runs one input.

pub mod fragments;
pub mod input;
pub mod mutate;
pub mod offload;
pub mod parsers;
pub mod shrink;
pub mod stack;
pub mod text;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its corpus directory, and of its file in `fuzz_targets/`.
    pub name: &'static str,
    /// Runs one input. Panics when something is wrong.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "stack", run: stack::run },
    Target { name: "ip", run: parsers::ip },
    Target { name: "tcp", run: parsers::tcp },
    Target { name: "icmp", run: parsers::icmp },
    Target { name: "ethernet", run: parsers::ethernet },
    Target { name: "fragments", run: fragments::run },
    Target { name: "offload", run: offload::run },
    Target { name: "literal", run: text::literal },
    Target { name: "sysctl", run: text::sysctl },
    Target { name: "drill", run: text::drill },
];

/// The target with this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
