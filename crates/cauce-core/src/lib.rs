//! The TCP engine of Cauce: sans-IO, `no_std`, and free of clocks, locks and randomness of its own.
//!
//! Whoever embeds the engine owns a [`stack::Stack`], feeds it the packets that arrive and the time, and
//! carries away what it wants to send. Everything else (sockets of tokio, descriptors, virtual time) is
//! built around those few doors.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod addr;
pub mod batch;
pub mod congestion;
pub mod connection;
pub mod context;
pub mod counters;
pub mod drop_reason;
pub mod frame;
pub mod journal;
pub mod listen;
pub mod receive;
pub mod recovery;
pub mod rng;
mod segment_arrives;
pub mod send;
pub mod socket;
pub mod stack;
pub mod sysctl;
pub mod time;
pub mod trace;
