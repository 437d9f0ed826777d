//! A whole stack under hostile traffic: packets of live, half-open and ended connections, bent in every way,
//! between time steps and user calls, over IPv4 and IPv6, with and without Ethernet.
//!
//! After every step the promises are checked: what leaves is sound, the right edge of no window moves left,
//! nobody gets more answers than packets justify, what was refused is in a counter and in the trace. At the
//! end everything is closed, virtual time passes, and nothing may be left.

mod craft;
mod flow;
mod link;
mod options;
mod settings;
mod user;
mod world;

use crate::input::Input;
use std::sync::atomic::{AtomicBool, Ordering};
use world::World;

/// Whether the packets of a run are printed to standard error (the program `reproduce` wants them).
pub static NARRATE: AtomicBool = AtomicBool::new(false);

fn narrate(line: impl FnOnce() -> String) {
    if NARRATE.load(Ordering::Relaxed) {
        eprintln!("{}", line());
    }
}

/// Most steps of one input.
const MAX_STEPS: usize = 400;

/// Runs one input: settings first, then steps until its bytes run out.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.finish();
}
