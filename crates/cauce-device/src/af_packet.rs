//! Packet sockets: a stack on an interface that exists, such as one end of a veth pair.
//!
//! The kernel's own stack sees the same packets. Either the interface has no address of the kernel's, or
//! the stack is given a hardware address of its own.
//!
//! The interface's queueing discipline and filters see SO_PRIORITY, or what IP_TOS implies, and SO_MARK of the sender (O-42).

use crate::device::Medium;
use crate::host;
use crate::packet_io::{PacketIo, device_over_packet_io};
use crate::setup::{Privilege, SetupError};
use crate::sys::packet_socket::{hardware_address, mtu, open};
use std::io;
use std::os::fd::AsFd;

/// How a packet socket is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AfPacketOptions {
    /// The interface.
    pub interface: String,
    /// Hand super-packets and unfinished checksums to the kernel. What the kernel hands over is its own
    /// choice: it is told apart by virtio-net headers (PACKET_VNET_HDR) in either case.
    pub offload: bool,
    /// The stack's hardware address; by default the interface's own. Another one makes the interface
    /// promiscuous.
    pub mac: Option<[u8; 6]>,
}

/// A packet socket on one Ethernet interface. Packets that the host itself sends there are not seen.
#[derive(Debug)]
pub struct AfPacket {
    interface: String,
    io: PacketIo,
}

impl AfPacket {
    /// Opens a packet socket.
    ///
    /// ```no_run
    /// use cauce_device::af_packet::{AfPacket, AfPacketOptions};
    /// let options = AfPacketOptions { interface: "veth1".into(), offload: true, mac: None };
    /// println!("on {}", AfPacket::open(&options)?.interface());
    /// # Ok::<(), cauce_device::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// When the interface does not exist or the system refuses, in words that say what is missing and which
    /// command grants it.
    pub fn open(options: &AfPacketOptions) -> Result<AfPacket, SetupError> {
        let name = &options.interface;
        let failed = |source: io::Error| {
            SetupError::new(format!("open a packet socket on {name:?}"), Privilege::NetRaw, source)
        };
        let index = host::index_of(name).map_err(failed)?;
        let fd = open(index, options.mac.is_some()).map_err(failed)?;
        let mac = match options.mac {
            Some(mac) => mac,
            None => hardware_address(fd.as_fd(), name).map_err(failed)?,
        };
        let mtu = mtu(fd.as_fd(), name).map_err(failed)?;
        let io = PacketIo::new(fd, true, mtu, Medium::Ethernet { mac }, 0, 1).of_packet_socket();
        let io = if options.offload { io } else { io.finish_in_software() };
        Ok(AfPacket { interface: name.clone(), io })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }
}

device_over_packet_io!(AfPacket);
