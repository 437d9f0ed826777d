//! Quantities as people write them: rates, sizes, spans of time, shares in a hundred.
//!
//! The spellings are those of tc(8). What is wrong is said by naming the value and what is allowed.

mod quantity;
mod rate;
mod share;
mod size;
mod span;

pub use rate::{Rate, bits_per_second};
pub use share::Share;
pub use size::{QueueSize, Size};
pub use span::Span;
