//! Devices: they carry packets, batch in and batch out, between a Cauce stack and the outside.
//!
//! A [`Device`] moves packets and nothing else. What the engine leaves to it (checksums, segmentation) it
//! does itself or hands to the kernel; what it cannot send stays in the batch. The one loop body that
//! joins a stack and a device is `pump`.
//!
//! `unsafe` lives in the private module `sys` only.
#![deny(unsafe_code)]

pub mod device;
pub mod gro;
pub mod offload;
pub mod packet;
pub mod pipe;
mod sys;

pub use device::{Capabilities, Device, DeviceCounters, Medium};
pub use packet::Packet;
pub use pipe::{Pipe, PipeOptions, pipe};
pub use sys::checksum;
