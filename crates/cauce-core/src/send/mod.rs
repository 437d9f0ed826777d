//! Sending: what may leave now, and in which segments (RFC 9293 3.8.6, 3.8.7).
//!
//! [`output`] asks, in order, every room that has a say: the peer's window, the congestion window, Nagle,
//! pacing; each answer lives in its own file. [`segmentize`] turns a decision into headers and slices. Bytes
//! live in [`write_queue`] as far as the [`buffer`] has room, what was sent in [`retransmit_queue`]. How large segments may be is found by ICMP, or by probes
//! (`path_mtu`).

mod below;
pub mod buffer;
pub mod nagle;
pub mod output;
pub mod pacing;
pub(crate) mod path_mtu;
pub mod persist;
pub mod retransmit_queue;
pub mod segmentize;
pub mod window;
pub mod write_queue;
