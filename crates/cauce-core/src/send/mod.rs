//! To be written.
pub mod pacing;
