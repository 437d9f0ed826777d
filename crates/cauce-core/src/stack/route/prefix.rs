//! Address prefixes, for both families in one form.

use crate::addr::Addr;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// A block of addresses such as `10.0.0.0/24` or `2001:db8::/32`, its host bits cleared.
///
/// ```
/// use cauce_core::stack::route::Prefix;
/// let lan: Prefix = "10.1.2.3/24".parse().unwrap();
/// assert_eq!(lan.to_string(), "10.1.2.0/24");
/// assert!(lan.contains(&"10.1.2.99".parse::<core::net::IpAddr>().unwrap().into()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Bits that count, of the sixteen bytes: an IPv4 prefix begins behind the 96 mapped ones.
    bits: u8,
    network: Addr,
}

/// Bits of the IPv4-mapped form before the IPv4 address.
const MAPPED_BITS: u8 = 96;

impl Prefix {
    /// The block of `len` leading bits (of 32 or 128) around `addr`; `None` if there are not so many.
    pub fn new(addr: IpAddr, len: u8) -> Option<Prefix> {
        let (most, before) = if addr.is_ipv4() { (32, MAPPED_BITS) } else { (128, 0) };
        (len <= most).then(|| Prefix::of(&addr.into(), before + len))
    }

    /// The block that is this address alone.
    pub fn host(addr: &Addr) -> Prefix {
        Prefix::of(addr, 128)
    }

    /// The block of the `bits` leading bits of the sixteen bytes.
    pub(super) fn of(addr: &Addr, bits: u8) -> Prefix {
        let network = u128::from_be_bytes(addr.0) & mask(bits);
        Prefix { bits, network: Addr(network.to_be_bytes()) }
    }

    /// Bits that count, of 128.
    pub(super) fn bits(&self) -> u8 {
        self.bits
    }

    /// True when the address is in the block. `::/0` holds no IPv4 address.
    pub fn contains(&self, addr: &Addr) -> bool {
        (self.is_v4() || !addr.is_v4()) && Prefix::of(addr, self.bits) == *self
    }

    /// True for a block of IPv4 addresses.
    pub fn is_v4(&self) -> bool {
        self.bits >= MAPPED_BITS && self.network.is_v4()
    }

    /// The length as people write it, of 32 or 128.
    pub fn length(&self) -> u8 {
        if self.is_v4() { self.bits - MAPPED_BITS } else { self.bits }
    }

    /// True for `0.0.0.0/0` and `::/0`, the default routes' blocks.
    pub fn is_default(&self) -> bool {
        self.length() == 0
    }

    /// The first address of the block.
    pub fn network(&self) -> Addr {
        self.network
    }

    /// The last address of an IPv4 block that has a broadcast address (length 30 or less, and not all).
    pub fn broadcast(&self) -> Option<Addr> {
        let has_one = self.is_v4() && (1..=30).contains(&self.length());
        has_one.then(|| Addr((u128::from_be_bytes(self.network.0) | !mask(self.bits)).to_be_bytes()))
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0)
}

/// Leading bits that two addresses share.
pub(super) fn common_bits(a: &Addr, b: &Addr) -> u8 {
    (u128::from_be_bytes(a.0) ^ u128::from_be_bytes(b.0)).leading_zeros() as u8
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no `ADDRESS/LENGTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixError;

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ADDRESS/LENGTH, such as 10.0.0.0/24 or 2001:db8::/32")
    }
}

impl core::error::Error for PrefixError {}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// Reads `ADDRESS/LENGTH`; an address alone is the block of itself.
    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len.parse().map_err(|_| PrefixError)?)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().map_err(|_| PrefixError)?;
        Prefix::new(addr, len.unwrap_or(if addr.is_ipv4() { 32 } else { 128 })).ok_or(PrefixError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn families_keep_apart() {
        let (v4, v6): (Prefix, Prefix) = ("0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap());
        assert!(v4.contains(&addr("10.0.0.1")) && !v4.contains(&addr("2001:db8::1")));
        assert!(v6.contains(&addr("2001:db8::1")) && !v6.contains(&addr("10.0.0.1")));
        assert!(v4.is_default() && v6.is_default() && !Prefix::host(&addr("::1")).is_default());
    }

    #[test]
    fn text_form() {
        for (text, shown) in
            [("10.1.2.3/8", "10.0.0.0/8"), ("::1", "::1/128"), ("10.0.0.1", "10.0.0.1/32"), ("::/0", "::/0")]
        {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), shown);
        }
        for text in ["10.0.0.0/33", "::/129", "10.0.0/8", "", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError), "{text}");
        }
        let broadcast = |text: &str| text.parse::<Prefix>().unwrap().broadcast();
        assert_eq!(broadcast("10.1.2.0/24"), Some(addr("10.1.2.255")));
        assert_eq!((broadcast("10.1.2.0/31"), broadcast("2001:db8::/64")), (None, None));
    }
}
