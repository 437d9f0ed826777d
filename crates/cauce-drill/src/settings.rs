//! What a script runs with: its own option lines, overridden by the command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ast::{OptionLine, Script};
use crate::diagnostic::{Diagnostic, Kind, Source};

/// What `--ip_version` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpMode {
    /// IPv4 packets, AF_INET sockets.
    V4,
    /// IPv6 packets, AF_INET6 sockets.
    V6,
    /// IPv4 packets, AF_INET6 sockets with IPv4-mapped addresses.
    Mapped,
}

impl IpMode {
    /// The mode that `text` names.
    pub fn parse(text: &str) -> Option<IpMode> {
        match text {
            "ipv4" => Some(IpMode::V4),
            "ipv6" => Some(IpMode::V6),
            "ipv4-mapped-ipv6" => Some(IpMode::Mapped),
            _ => None,
        }
    }

    /// The name that scripts and the command line use.
    pub fn name(self) -> &'static str {
        match self {
            IpMode::V4 => "ipv4",
            IpMode::V6 => "ipv6",
            IpMode::Mapped => "ipv4-mapped-ipv6",
        }
    }
}

/// Everything that options decide. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Versions of packets and sockets.
    pub ip: IpMode,
    /// The stack's address.
    pub local: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// The peer's address.
    pub remote: IpAddr,
    /// The router through which the peer is reached.
    pub gateway: IpAddr,
    /// Largest packet of the device, bytes.
    pub mtu: u32,
    /// The port that bind() gets.
    pub bind_port: u16,
    /// The port that connect() gets.
    pub connect_port: u16,
    /// How far from its time an event may be; `None` leaves it to the target.
    pub tolerance: Option<i64>,
    /// The share of the gap to the event before that is tolerated too, in 1/1000.
    pub tolerance_permille: i64,
    /// Length of a tick of TSval, ns; TSval is checked only when it is set.
    pub timestamp_tick: Option<i64>,
    /// Refuse to match several packets with one larger one.
    pub strict_segments: bool,
    /// Also check every checksum and every timestamp echo.
    pub strict: bool,
    /// `-D NAME=VALUE`.
    pub definitions: BTreeMap<String, String>,
    /// Options that were accepted and have no effect here.
    pub notes: Vec<String>,
}

/// Options that other runners know and that mean nothing here.
const WITHOUT_EFFECT: [&str; 32] = [
    "code_command",
    "code_format",
    "code_sockopt",
    "debug",
    "dry_run",
    "fm_filename",
    "init_scripts",
    "is_anyip",
    "mss",
    "non_fatal",
    "persistent_tun_dev",
    "send_omit_free",
    "so_filename",
    "so_flags",
    "speed",
    "tcp_ts_ecr_scaled",
    "udp_encapsulation",
    "v",
    "verbose",
    "wire_client",
    "wire_client_dev",
    "wire_server",
    "wire_server_at",
    "wire_server_dev",
    "wire_server_ip",
    "wire_server_port",
    "anyip",
    "link_mtu",
    "remote_ip_prefix",
    "tun_device",
    "n",
    "define",
];

impl Settings {
    /// The settings of a script that says nothing, for packets and sockets of `ip`.
    pub fn new(ip: IpMode) -> Settings {
        let v6 = ip == IpMode::V6;
        let address = |v4: [u8; 4], v6_text: [u16; 8]| {
            if v6 { IpAddr::V6(Ipv6Addr::from(v6_text)) } else { IpAddr::V4(Ipv4Addr::from(v4)) }
        };
        Settings {
            ip,
            local: address([192, 168, 0, 1], [0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1]),
            prefix: if v6 { 48 } else { 16 },
            remote: address([192, 0, 2, 1], [0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1]),
            gateway: address([192, 168, 0, 2], [0xfd3d, 0x0a0b, 0x17d6, 0x8888, 0, 0, 0, 1]),
            mtu: if v6 { 1520 } else { 1500 },
            bind_port: 8080,
            connect_port: 8080,
            tolerance: None,
            tolerance_permille: 125,
            timestamp_tick: None,
            strict_segments: false,
            strict: false,
            definitions: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// True when packets are IPv6.
    pub fn ipv6(&self) -> bool {
        self.ip == IpMode::V6
    }

    /// The settings of `script`, its options overridden by `given` (names and values of the command line).
    ///
    /// # Errors
    /// An unknown option, or a value that does not fit; the diagnostic points at the option in the script.
    pub fn of(
        script: &Script,
        source: &Source,
        given: &[(String, Option<String>)],
    ) -> Result<Settings, Box<Diagnostic>> {
        let own = script.options.iter().map(|line| {
            (line.name.value.as_str(), line.value.as_ref().map(|value| value.value.as_str()), Some(line))
        });
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_deref(), None));
        let all: Vec<_> = own.chain(given).collect();
        let refuse = |line: Option<&OptionLine>, title: String| -> Box<Diagnostic> {
            Box::new(match line {
                Some(line) => {
                    let end = line.value.as_ref().map_or(line.name.span.end, |value| value.span.end);
                    Diagnostic::new(source, line.name.span.start..end, Kind::Script, title)
                }
                None => Diagnostic::without_source(Kind::Script, title),
            })
        };
        let mut ip = IpMode::V4;
        for (_, value, line) in all.iter().filter(|(name, ..)| *name == "ip_version") {
            ip = value
                .and_then(IpMode::parse)
                .ok_or_else(|| refuse(*line, "ip_version is ipv4, ipv6 or ipv4-mapped-ipv6".to_owned()))?;
        }
        let mut settings = Settings::new(ip);
        for (name, value, line) in all {
            settings.set(name, value).map_err(|title| refuse(line, title))?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let number = || -> Result<i64, String> {
            let text = value.ok_or_else(|| format!("--{name} needs a value"))?;
            text.parse().map_err(|_| format!("--{name} needs a number, not `{text}`"))
        };
        let port = || u16::try_from(number()?).map_err(|_| format!("--{name} needs a port"));
        let micros = || number().map(|value| value.saturating_mul(1000));
        let address = |v6: bool| -> Result<IpAddr, String> {
            let text = value.unwrap_or("").split('/').next().unwrap_or("");
            match text.parse::<IpAddr>() {
                Ok(ip) if ip.is_ipv6() == v6 => Ok(ip),
                _ => Err(format!("--{name} needs an IPv{} address, not `{text}`", if v6 { 6 } else { 4 })),
            }
        };
        let v6 = self.ipv6();
        match name {
            "ip_version" => {}
            "local_ip" => self.local = address(v6)?,
            "remote_ip" => self.remote = address(v6)?,
            "gateway_ip" => self.gateway = address(v6)?,
            "netmask_ip" if v6 => self.notes.push("--netmask_ip has no effect with IPv6".to_owned()),
            "netmask_ip" => {
                let IpAddr::V4(mask) = address(false)? else { return Err("--netmask_ip".to_owned()) };
                let bits = u32::from(mask);
                if bits.leading_ones() + bits.trailing_zeros() < 32 {
                    return Err(format!("--netmask_ip: {mask} is no netmask"));
                }
                self.prefix = bits.leading_ones() as u8;
            }
            "mtu" => {
                self.mtu = u32::try_from(number()?)
                    .ok()
                    .filter(|mtu| (68..=65535).contains(mtu))
                    .ok_or("--mtu must be between 68 and 65535")?;
            }
            "bind_port" => self.bind_port = port()?,
            "connect_port" => self.connect_port = port()?,
            "tolerance_usecs" => self.tolerance = Some(micros()?),
            "tolerance_percent" => self.tolerance_permille = number()?.clamp(0, 1_000_000) * 10,
            "tcp_ts_tick_usecs" => self.timestamp_tick = Some(micros()?).filter(|tick| *tick > 0),
            "strict_segments" => self.strict_segments = true,
            "strict" => (self.strict, self.strict_segments) = (true, true),
            _ if WITHOUT_EFFECT.contains(&name) => self.notes.push(format!("--{name} has no effect here")),
            _ => return Err(format!("unknown option --{name}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parser::{Given, parse};

    fn of(text: &str, given: &[(&str, &str)]) -> Result<Settings, String> {
        let source = Source::new("t.pkt", &format!("{text}\n+0 close(3) = 0\n"));
        let script = parse(&source, &Given::default()).expect("a script");
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        Settings::of(&script, &source, &given).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_overrides_the_script() {
        let settings =
            of("--ip_version=ipv6\n--tolerance_usecs=10000\n--mss=1000", &[("tolerance_usecs", "5")])
                .unwrap();
        assert_eq!((settings.ip, settings.tolerance, settings.mtu), (IpMode::V6, Some(5000), 1520));
        assert_eq!(settings.notes, ["--mss has no effect here"]);
    }

    #[test]
    fn refuses_with_the_place() {
        assert!(of("--frobnicate=1", &[]).unwrap_err().contains("t.pkt:1:3"));
        assert!(of("--local_ip=::1", &[]).unwrap_err().contains("IPv4 address"));
        assert!(of("--mtu=12", &[]).unwrap_err().contains("between 68"));
    }
}
