//! To be written.
pub mod phase;
