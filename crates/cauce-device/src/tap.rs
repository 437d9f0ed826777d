//! TAP devices: the kernel's side is an Ethernet interface, ours a descriptor that carries its frames.

use crate::device::Medium;
use crate::host::{self, HostConfig};
use crate::packet_io::{PacketIo, device_over_packet_io};
use crate::setup::SetupError;
use crate::sys::packet_socket::hardware_address;
use crate::sys::tuntap::Flags;
use crate::tun::open_queues;
use rustix::net::{AddressFamily, SocketType, socket};

/// How a TAP device is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapOptions {
    /// The interface's name, as for a TUN device.
    pub name: String,
    /// Largest IP packet in bytes, 68 to 65,535.
    pub mtu: usize,
    /// How many queues; each becomes a [`Tap`].
    pub queues: u16,
    /// Exchange super-packets and unfinished checksums with the kernel (IFF_VNET_HDR).
    pub offload: bool,
    /// Set the MTU, and the interface up.
    pub configure: bool,
    /// The hardware address of our side. By default it is derived from the interface's own.
    pub mac: Option<[u8; 6]>,
}

impl Default for TapOptions {
    fn default() -> Self {
        TapOptions { name: String::new(), mtu: 1500, queues: 1, offload: true, configure: true, mac: None }
    }
}

/// One queue of a TAP device. The interface goes when its last queue is dropped.
#[derive(Debug)]
pub struct Tap {
    name: String,
    io: PacketIo,
}

impl Tap {
    /// Opens or creates a device and returns its queues.
    ///
    /// # Errors
    /// When the system refuses, in words that say what is missing and which command grants it.
    pub fn open(options: &TapOptions) -> Result<Vec<Tap>, SetupError> {
        let queues = options.queues.max(1);
        let flags = Flags { tap: true, vnet: options.offload, multi_queue: queues > 1 };
        let (descriptors, name) = open_queues(&options.name, flags, queues)?;
        if options.configure {
            host::configure(
                &name,
                &HostConfig { mtu: Some(options.mtu), up: true, ..HostConfig::default() },
            )?;
        }
        let mac = match options.mac {
            Some(mac) => mac,
            None => neighbour_of(&name)?,
        };
        let queue = |(index, fd)| Tap {
            name: name.clone(),
            io: PacketIo::new(
                fd,
                options.offload,
                options.mtu,
                Medium::Ethernet { mac },
                index as u16,
                queues,
            ),
        };
        Ok(descriptors.into_iter().enumerate().map(queue).collect())
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

device_over_packet_io!(Tap);

/// An address for the other end of an interface's wire: its own with one bit turned, locally administered.
fn neighbour_of(name: &str) -> Result<[u8; 6], SetupError> {
    let failed = |source| SetupError::Refused { action: format!("read the address of {name}"), source };
    let any = socket(AddressFamily::UNIX, SocketType::DGRAM, None).map_err(|errno| failed(errno.into()))?;
    let mut mac = hardware_address(std::os::fd::AsFd::as_fd(&any), name).map_err(failed)?;
    mac[0] = (mac[0] | 2) & !1;
    mac[5] ^= 1;
    Ok(mac)
}
