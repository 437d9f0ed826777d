//! Socket addresses as programs pass them: `struct sockaddr` and its length (A-22, A-23, A-26).
//!
//! This room only reads and writes the structure. Whether an address may be used is the engine's decision.

use cauce_core::socket::errno::Errno;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Bytes of `struct sockaddr_in`.
const INET_LEN: usize = 16;
/// The least that Linux accepts of `struct sockaddr_in6`: up to its scope.
const INET6_LEAST: usize = 24;
/// Bytes of `struct sockaddr_in6`.
const INET6_LEN: usize = 28;

/// What a program passed as an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// AF_INET or AF_INET6.
    Inet(SocketAddr),
    /// AF_UNSPEC: connect() dissolves the association.
    Unspecified,
    /// A family that TCP does not have.
    Family(u16),
    /// Too short for its family.
    Short,
    /// A pointer that cannot be read.
    Fault,
}

impl Address {
    /// Reads `struct sockaddr`.
    ///
    /// ```
    /// use cauce_posix::Address;
    /// let bytes = [2, 0, 0x1f, 0x90, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    /// assert_eq!(Address::parse(&bytes), Address::Inet("192.0.2.1:8080".parse().unwrap()));
    /// assert_eq!(Address::parse(&bytes[..8]), Address::Short);
    /// ```
    pub fn parse(bytes: &[u8]) -> Address {
        let Some(family) = bytes.first_chunk::<2>() else { return Address::Short };
        let family = u16::from_ne_bytes(*family);
        let port = || bytes.get(2..4).map(|port| u16::from_be_bytes([port[0], port[1]]));
        match i32::from(family) {
            libc::AF_UNSPEC => Address::Unspecified,
            libc::AF_INET if bytes.len() < INET_LEN => Address::Short,
            libc::AF_INET6 if bytes.len() < INET6_LEAST => Address::Short,
            libc::AF_INET => match (port(), bytes.get(4..8).and_then(|ip| <[u8; 4]>::try_from(ip).ok())) {
                (Some(port), Some(ip)) => Address::Inet((IpAddr::from(ip), port).into()),
                _ => Address::Short,
            },
            libc::AF_INET6 => match (port(), bytes.get(8..24).and_then(|ip| <[u8; 16]>::try_from(ip).ok())) {
                (Some(port), Some(ip)) => {
                    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
                    let flow = word(4).map_or(0, u32::from_be_bytes);
                    let scope = word(24).map_or(0, u32::from_ne_bytes);
                    Address::Inet(SocketAddrV6::new(Ipv6Addr::from(ip), port, flow, scope).into())
                }
                _ => Address::Short,
            },
            _ => Address::Family(family),
        }
    }

    /// The address, or the error of a call that needs one.
    pub(crate) fn inet(self) -> Result<SocketAddr, Errno> {
        match self {
            Address::Inet(address) => Ok(address),
            Address::Unspecified | Address::Family(_) => Err(Errno::EAFNOSUPPORT),
            Address::Short => Err(Errno::EINVAL),
            Address::Fault => Err(Errno::EFAULT),
        }
    }
}

/// `struct sockaddr_in` or `struct sockaddr_in6`, as the family of `address` has it.
///
/// ```
/// let bytes = cauce_posix::sockaddr("192.0.2.1:8080".parse().unwrap());
/// assert_eq!(bytes[..8], [2, 0, 0x1f, 0x90, 192, 0, 2, 1]);
/// ```
pub fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let mut bytes = vec![0; if address.is_ipv4() { INET_LEN } else { INET6_LEN }];
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => bytes[4..8].copy_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => {
            bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
            bytes[8..24].copy_from_slice(&v6.ip().octets());
            bytes[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:65535", "[::ffff:192.0.2.1]:8080", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::parse(&sockaddr(address)), Address::Inet(address));
        }
    }

    /// A-23, A-26: short addresses are EINVAL, strange families EAFNOSUPPORT, and nothing panics.
    #[test]
    fn bad_ones_have_their_errors() {
        for len in 0..28 {
            let v6 = &sockaddr("[2001:db8::1]:80".parse().unwrap())[..len];
            let parsed = Address::parse(v6);
            assert_eq!(parsed.inet().is_ok(), len >= INET6_LEAST, "{len} bytes");
        }
        assert_eq!(Address::parse(&[1, 0, b'/']).inet(), Err(Errno::EAFNOSUPPORT));
        assert_eq!(Address::parse(&[0, 0]), Address::Unspecified);
        assert_eq!(Address::Fault.inet(), Err(Errno::EFAULT));
    }
}
