//! The lower interface (RFC 9293 3.9.2): what stands between packets and connections.

pub mod control_segment;
pub mod deadlines;
pub mod demux;
pub mod entity;
pub mod listeners;
pub mod memory;
pub mod ports;
pub mod rate_limit;
pub mod reset;
pub(crate) mod slab;
pub mod time_wait;
