//! TUN devices: the kernel's side is an interface, ours a descriptor that carries IP packets.

use crate::device::Medium;
use crate::host::{self, HostConfig};
use crate::packet_io::{PacketIo, device_over_packet_io};
use crate::setup::{Privilege, SetupError};
use crate::sys::tuntap::{Flags, open};

/// How a TUN device is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunOptions {
    /// The interface's name; empty, or with `%d` for a number, lets the kernel choose. An interface that
    /// exists already is attached to.
    pub name: String,
    /// Largest IP packet in bytes, 68 to 65,535.
    pub mtu: usize,
    /// How many queues; each becomes a [`Tun`].
    pub queues: u16,
    /// Exchange super-packets and unfinished checksums with the kernel (IFF_VNET_HDR).
    pub offload: bool,
    /// Set the MTU, and the interface up. Off for an interface that somebody else has configured.
    pub configure: bool,
}

impl Default for TunOptions {
    fn default() -> Self {
        TunOptions { name: String::new(), mtu: 1500, queues: 1, offload: true, configure: true }
    }
}

/// One queue of a TUN device. The interface goes when its last queue is dropped.
#[derive(Debug)]
pub struct Tun {
    name: String,
    io: PacketIo,
}

impl Tun {
    /// Opens or creates a device and returns its queues.
    ///
    /// ```no_run
    /// use cauce_device::tun::{Tun, TunOptions};
    /// let options = TunOptions { name: "cauce0".into(), queues: 2, ..TunOptions::default() };
    /// for queue in Tun::open(&options)? {
    ///     println!("{} is open", queue.name());
    /// }
    /// # Ok::<(), cauce_device::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// When the system refuses, in words that say what is missing and which command grants it.
    pub fn open(options: &TunOptions) -> Result<Vec<Tun>, SetupError> {
        let queues = options.queues.max(1);
        let flags = Flags { tap: false, vnet: options.offload, multi_queue: queues > 1 };
        let (descriptors, name) = open_queues(&options.name, flags, queues)?;
        if options.configure {
            host::configure(
                &name,
                &HostConfig { mtu: Some(options.mtu), up: true, ..HostConfig::default() },
            )?;
        }
        let queue = |(index, fd)| Tun {
            name: name.clone(),
            io: PacketIo::new(fd, options.offload, options.mtu, Medium::Ip, index as u16, queues),
        };
        Ok(descriptors.into_iter().enumerate().map(queue).collect())
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

device_over_packet_io!(Tun);

/// Opens all queues of one device.
pub(crate) fn open_queues(
    name: &str,
    flags: Flags,
    queues: u16,
) -> Result<(Vec<std::os::fd::OwnedFd>, String), SetupError> {
    let kind = if flags.tap { "TAP" } else { "TUN" };
    let failed = |error| {
        SetupError::new(format!("open {kind} device {name:?}"), Privilege::Tun { tap: flags.tap }, error)
    };
    let (first, name) = open(name, flags).map_err(failed)?;
    let mut descriptors = vec![first];
    for _ in 1..queues {
        descriptors.push(open(&name, flags).map_err(failed)?.0);
    }
    Ok((descriptors, name))
}
