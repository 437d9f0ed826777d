//! Addresses as users write them.
//!
//! A netstack has no resolver: names are the business of whoever sits above it. Everything here is numeric.

use crate::error::invalid;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

/// Socket addresses to try in order, as [`std::net::ToSocketAddrs`] has them, but numeric only: nothing is
/// resolved, so `"example.com:80"` is an error of kind `InvalidInput`.
///
/// ```
/// use cauce::ToSocketAddrs;
/// let addrs = "[fd00::2]:80".to_socket_addrs()?;
/// assert_eq!(addrs[0].port(), 80);
/// assert!("localhost:80".to_socket_addrs().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToSocketAddrs {
    /// The addresses, in the order in which they are to be tried.
    ///
    /// # Errors
    /// `InvalidInput` for text that is not a numeric address with a port.
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>>;
}

macro_rules! plain {
    ($($kind:ty),*) => {
        $(impl ToSocketAddrs for $kind {
            fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)])
            }
        })*
    };
}

plain!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl ToSocketAddrs for str {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let addr = SocketAddr::from_str(self)
            .map_err(|_| invalid(format!("`{self}` is not ADDRESS:PORT (names are not resolved here)")))?;
        Ok(vec![addr])
    }
}

impl ToSocketAddrs for String {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let ip = IpAddr::from_str(self.0).map_err(|_| {
            invalid(format!("`{}` is not an IP address (names are not resolved here)", self.0))
        })?;
        Ok(vec![SocketAddr::new(ip, self.1)])
    }
}

impl ToSocketAddrs for [SocketAddr] {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(self.to_vec())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_socket_addrs()
    }
}

/// An address with the length of its network: `10.0.0.1/24`. Without a length it stands alone.
///
/// ```
/// let address: cauce::Cidr = "10.0.0.1/24".parse()?;
/// assert_eq!((address.ip.to_string().as_str(), address.len), ("10.0.0.1", 24));
/// assert_eq!("fd00::1".parse::<cauce::Cidr>()?.len, 128);
/// assert!("10.0.0.1/33".parse::<cauce::Cidr>().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    /// The address.
    pub ip: IpAddr,
    /// How many leading bits are the network's.
    pub len: u8,
}

impl FromStr for Cidr {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Cidr> {
        let wrong = || invalid(format!("`{text}` is not ADDRESS or ADDRESS/LENGTH"));
        let (ip, len) = text.split_once('/').map_or((text, None), |(ip, len)| (ip, Some(len)));
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if len <= most { Ok(Cidr { ip, len }) } else { Err(wrong()) }
    }
}

impl TryFrom<&str> for Cidr {
    type Error = io::Error;
    fn try_from(text: &str) -> io::Result<Cidr> {
        text.parse()
    }
}

impl TryFrom<&String> for Cidr {
    type Error = io::Error;
    fn try_from(text: &String) -> io::Result<Cidr> {
        text.parse()
    }
}

impl TryFrom<(IpAddr, u8)> for Cidr {
    type Error = io::Error;
    fn try_from((ip, len): (IpAddr, u8)) -> io::Result<Cidr> {
        format!("{ip}/{len}").parse()
    }
}
