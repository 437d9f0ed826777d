//! To be written.
pub mod pacing;
pub mod retransmit_queue;
