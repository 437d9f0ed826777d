//! Where our stack answers otherwise than the kernel, on purpose: at most 30, each with its row.

use super::sequence::Op;
use cauce_drill::call::{Call, Outcome};

/// One of them.
#[derive(Debug)]
pub struct Exception {
    /// The row of REQUIREMENTS.
    pub row: &'static str,
    pub why: &'static str,
    /// Whether a step falls under it: the operation, the kernel's answer, ours.
    pub applies: fn(&Op, &Outcome, &Outcome) -> bool,
}

/// An operation on this option.
#[allow(dead_code, reason = "the list may be without options")]
fn option(op: &Op, level: i32, name: i32) -> bool {
    match op {
        Op::Call(Call::SetSockOpt { level: l, name: n, .. } | Call::GetSockOpt { level: l, name: n, .. }) => {
            (*l, *n) == (level, name)
        }
        _ => false,
    }
}

/// All of them.
pub const ALL: &[Exception] = &[];

/// True when a difference is meant.
pub fn excused(op: &Op, kernel: &Outcome, ours: &Outcome) -> bool {
    ALL.iter().any(|exception| (exception.applies)(op, kernel, ours))
}
