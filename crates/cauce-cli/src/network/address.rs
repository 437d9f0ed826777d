//! Addresses with the length of their network, as ip(8) writes them.

use std::net::IpAddr;

/// An address, and how many of its leading bits name its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The length of its network, if it was given.
    pub len: Option<u8>,
}

impl Address {
    /// The length of its network; without one the address stands alone.
    pub fn length(&self) -> u8 {
        self.len.unwrap_or(full_length(self.ip))
    }

    /// True when `ip` lies in the network of this address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let differ = (bits(self.ip) ^ bits(ip)).leading_zeros();
        self.ip.is_ipv4() == ip.is_ipv4() && differ >= u32::from(self.length())
    }
}

/// The length of the network that holds one address alone.
pub fn full_length(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

/// An address without a network.
pub fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is not an IP address as in 10.9.0.1 or fd09::1"))
}

/// An address with or without a length.
pub fn parse(text: &str) -> Result<Address, String> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (text, None),
    };
    let Ok(ip) = address.parse() else {
        return Err(format!(
            "`{text}` is not ADDRESS or ADDRESS/LENGTH as in 10.9.0.2, 10.9.0.2/24 or fd09::2/64"
        ));
    };
    let most = full_length(ip);
    let len = match len.map(str::parse) {
        None => None,
        Some(Ok(len)) if (1..=most).contains(&len) => Some(len),
        Some(_) => return Err(format!("`{text}`: the length of the network must be 1 to {most}")),
    };
    if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() {
        return Err(format!("`{text}` is no address that one host can have on a network"));
    }
    Ok(Address { ip, len })
}

/// An address with a length.
pub fn with_length(text: &str) -> Result<Address, String> {
    let address = parse(text)?;
    if address.len.is_none() {
        let len = if address.ip.is_ipv4() { 24 } else { 64 };
        return Err(format!("`{text}` lacks the length of its network; write it as in {text}/{len}"));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        let address = parse("10.9.0.1/24").unwrap();
        assert_eq!((address.ip.to_string(), address.len), ("10.9.0.1".into(), Some(24)));
        assert_eq!(parse("fd09::2").unwrap().length(), 128);
    }

    #[test]
    fn knows_what_lies_in_a_network() {
        let network = parse("10.9.0.1/24").unwrap();
        for (ip, inside) in [("10.9.0.255", true), ("10.9.1.0", false), ("fd09::1", false)] {
            assert_eq!(network.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert!(parse("fd09::1/64").unwrap().contains("fd09::ffff".parse().unwrap()));
        assert!(!parse("fd09::1").unwrap().contains("fd09::2".parse().unwrap()));
    }

    #[test]
    fn says_what_is_allowed() {
        for (wrong, part) in [
            ("10.9.0", "as in 10.9.0.2"),
            ("10.9.0.1/33", "1 to 32"),
            ("fd09::1/0", "1 to 128"),
            ("10.9.0.1/x", "1 to 32"),
            ("224.0.0.1", "no address"),
            ("::", "no address"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains(part) && error.contains(wrong), "{error}");
        }
        assert!(with_length("10.9.0.1").unwrap_err().contains("10.9.0.1/24"));
        assert!(with_length("fd09::1").unwrap_err().contains("fd09::1/64"));
        assert!(ip("router").unwrap_err().contains("`router`"));
    }
}
