//! Devices: they carry packets, batch in and batch out, between a Cauce stack and the outside.
//!
//! A [`Device`] moves packets and nothing else. What the engine leaves to it (checksums, segmentation) it
//! does itself or hands to the kernel; what it cannot send stays in the batch. The one loop body that
//! joins a stack and a device is in [`pump`].
//!
//! `unsafe` lives in the private module `sys` only.
#![deny(unsafe_code)]

pub mod af_packet;
pub mod device;
pub mod gro;
pub mod host;
pub mod offload;
pub mod packet;
mod packet_io;
pub mod pipe;
pub mod pool;
pub mod pump;
pub mod setup;
mod sys;
pub mod tap;
pub mod tun;
pub mod vnet;
pub mod wrap;

pub use af_packet::{AfPacket, AfPacketOptions};
pub use device::{Capabilities, Device, DeviceCounters, Medium};
pub use packet::Packet;
pub use pipe::{Pipe, PipeOptions, pipe};
pub use setup::SetupError;
pub use sys::checksum;
pub use tap::{Tap, TapOptions};
pub use tun::{Tun, TunOptions};
