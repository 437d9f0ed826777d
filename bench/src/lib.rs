//! Measurements of Cauce beside other stacks: the same work, back to back in one run, as ratios.
//!
//! Every figure is a median of several rounds in which Cauce and each peer take turns, so that what else
//! the machine does falls on all of them. What each subcommand does, and what may be concluded from it,
//! stands in `docs/performance.md`.

pub mod clock;
pub mod counting;
pub mod host;
pub mod netns;
pub mod ours;
pub mod peers;
pub mod report;
pub mod work;
