//! The lower interface (RFC 9293 3.9.2): what stands between packets and connections.

#[cfg(test)]
pub(crate) mod context_for_tests;
pub mod control_segment;
pub mod deadlines;
pub mod demux;
pub mod entity;
pub mod fragments;
pub mod listeners;
pub mod memory;
pub mod metrics_cache;
pub mod neighbours;
pub mod path_mtu_cache;
pub mod ports;
pub mod rate_limit;
pub mod reset;
pub mod route;
pub(crate) mod slab;
pub mod time_wait;
