//! The lower interface (RFC 9293 3.9.2): what stands between packets and connections.

pub mod deadlines;
pub mod demux;
pub mod entity;
pub mod memory;
