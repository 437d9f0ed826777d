//! A TUN device: packets from the IP header on, read and written through a descriptor.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// The largest packet that can be read.
const LARGEST: usize = 65_536;

/// A TUN device, gone when dropped.
#[derive(Debug)]
pub(crate) struct Tun {
    file: File,
}

impl Tun {
    /// Makes the device `name` in the calling thread's network namespace.
    ///
    /// # Errors
    /// The device node cannot be opened, or the name is taken.
    pub fn new(name: &str) -> io::Result<Tun> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        let mut request = [0u8; size_of::<libc::ifreq>()];
        let name = name.as_bytes().get(..libc::IFNAMSIZ - 1).unwrap_or(name.as_bytes());
        request[..name.len()].copy_from_slice(name);
        let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as u16;
        request[libc::IFNAMSIZ..libc::IFNAMSIZ + 2].copy_from_slice(&flags.to_ne_bytes());
        // SAFETY: the kernel reads and writes one ifreq, which `request` has room for.
        match unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) } {
            0 => Ok(Tun { file }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// The device is down or the packet is refused.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        (&self.file).write(packet).map(|_| ())
    }

    /// The next packet; `None` when none comes within `nanos`.
    ///
    /// # Errors
    /// The device is gone.
    pub fn read(&self, nanos: i64) -> io::Result<Option<Vec<u8>>> {
        let mut wanted = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let nanos = nanos.max(0);
        let timeout = libc::timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 };
        // SAFETY: one pollfd and one timespec, both alive during the call; no signal mask.
        let ready = unsafe { libc::ppoll(&mut wanted, 1, &timeout, std::ptr::null()) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        if ready == 0 {
            return Ok(None);
        }
        let mut packet = vec![0; LARGEST];
        match (&self.file).read(&mut packet) {
            Ok(len) => {
                packet.truncate(len);
                Ok(Some(packet))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
