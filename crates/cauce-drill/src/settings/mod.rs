//! What a script runs with: its own option lines, overridden by the command line.

mod foreign;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ast::{OptionLine, Script};
use crate::diagnostic::{Diagnostic, Kind, Source, similar};

pub use foreign::{FOREIGN, Foreign};

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
    /// TSecr of injected packets counts from the first TSval, also where no packet with that TSval has left.
    pub scaled_echoes: bool,
    /// Commands that run before the script's own first command.
    pub init_scripts: Vec<String>,
    /// The script is read and checked, and not played.
    pub dry_run: bool,
    /// `-D NAME=VALUE` and `--define=NAME=VALUE`.
    pub definitions: BTreeMap<String, String>,
    /// Options that were accepted and have no effect here.
    pub notes: Vec<String>,
    /// What was given from outside the script, names and values, symbols included.
    pub given: Vec<(String, Option<String>)>,
}

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
            scaled_echoes: false,
            init_scripts: Vec::new(),
            dry_run: false,
            definitions: BTreeMap::new(),
            notes: Vec::new(),
            given: Vec::new(),
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
        let outside = given.iter().map(|(name, value)| (name.as_str(), value.as_deref(), None));
        let all: Vec<_> = own.chain(outside).collect();
        let refuse = |line: Option<&OptionLine>, fault: Fault| -> Box<Diagnostic> {
            let (kind, title) = match fault {
                Fault::Wrong(title) => (Kind::Script, title),
                Fault::Unsupported(title) => (Kind::Unsupported, title),
            };
            Box::new(match line {
                // The caret also stands below the dashes.
                Some(line) => {
                    let start = line.name.span.start.saturating_sub(2);
                    let end = line.value.as_ref().map_or(line.name.span.end, |value| value.span.end);
                    Diagnostic::new(source, start..end, kind, title)
                }
                None => Diagnostic::without_source(kind, title),
            })
        };
        let mut settings = Settings::new(IpMode::V4);
        // Addresses depend on the version, wherever it stands.
        for (name, value, line) in all.iter().filter(|(name, ..)| *name == "ip_version") {
            let ip = ip_version(name, *value).map_err(|fault| refuse(*line, fault))?;
            settings = Settings::new(ip);
        }
        for (name, value, line) in all {
            settings.set(name, value).map_err(|fault| refuse(line, fault))?;
        }
        settings.given = given.to_vec();
        Ok(settings)
    }

    /// Checks options of the command line before any script is read.
    ///
    /// # Errors
    /// A sentence about the first that is unknown or has a value that does not fit.
    ///
    /// ```
    /// use cauce_drill::Settings;
    ///
    /// let mtu = |value: &str| Settings::check(&[("mtu".to_owned(), Some(value.to_owned()))]);
    /// assert!(mtu("1500").is_ok());
    /// assert_eq!(mtu("12").unwrap_err(), "--mtu=12: it must be 68 to 65535");
    /// ```
    pub fn check(given: &[(String, Option<String>)]) -> Result<(), String> {
        let (script, source) = (Script::default(), Source::new("", ""));
        let fixed = given.iter().any(|(name, _)| name == "ip_version");
        // Without a version on the command line each script has its own, and an address may be of either.
        let with = |ip: IpMode| {
            let version = (!fixed).then(|| ("ip_version".to_owned(), Some(ip.name().to_owned())));
            let all: Vec<_> = version.into_iter().chain(given.iter().cloned()).collect();
            Settings::of(&script, &source, &all).map(|_| ()).map_err(|refused| refused.title.clone())
        };
        with(IpMode::V4).or_else(|error| with(IpMode::V6).map_err(|_| error))
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Fault> {
        let given = Given { name, value };
        let v6 = self.ipv6();
        match name {
            "ip_version" => self.ip = ip_version(name, value)?,
            "local_ip" => self.local = given.address(v6)?,
            "remote_ip" => self.remote = given.address(v6)?,
            "gateway_ip" => self.gateway = given.address(v6)?,
            "netmask_ip" if v6 => self.notes.push("--netmask_ip has no effect with IPv6".to_owned()),
            "netmask_ip" => {
                let IpAddr::V4(mask) = given.address(false)? else { return Err(given.wrong("a netmask")) };
                let bits = u32::from(mask);
                if bits.leading_ones() + bits.trailing_zeros() < 32 {
                    return Err(given.wrong("a netmask"));
                }
                self.prefix = bits.leading_ones() as u8;
            }
            "mtu" => self.mtu = given.number(68..=65535)? as u32,
            "bind_port" => self.bind_port = given.number(0..=65535)? as u16,
            "connect_port" => self.connect_port = given.number(1..=65535)? as u16,
            "tolerance_usecs" => self.tolerance = Some(given.number(0..=MAX_MICROS)? * 1000),
            "tolerance_percent" => self.tolerance_permille = given.percent()?,
            "tcp_ts_tick_usecs" => {
                self.timestamp_tick = Some(given.number(0..=MAX_MICROS)? * 1000).filter(|tick| *tick > 0);
            }
            "tcp_ts_ecr_scaled" => self.scaled_echoes = given.flag()?,
            "strict_segments" => self.strict_segments = given.flag()?,
            "strict" => {
                self.strict = given.flag()?;
                self.strict_segments |= self.strict;
            }
            "dry_run" => self.dry_run = given.flag()?,
            "init_scripts" => {
                let list = given.text()?.split(',').filter(|path| !path.is_empty());
                self.init_scripts = list.map(str::to_owned).collect();
            }
            "define" => {
                let (symbol, meaning) = definition(given.text()?).map_err(Fault::Wrong)?;
                self.definitions.insert(symbol, meaning);
            }
            _ => return self.set_foreign(given),
        }
        Ok(())
    }

    /// Options of other runners.
    fn set_foreign(&mut self, given: Given<'_>) -> Result<(), Fault> {
        let name = given.name;
        match FOREIGN.iter().find(|foreign| foreign.name == name) {
            Some(foreign) => {
                self.notes.push(format!("--{name} has no effect here: {}", foreign.why));
                Ok(())
            }
            None if name == "udp_encapsulation" => Err(Fault::Unsupported(format!("--{name}"))),
            None => {
                let known = OWN.iter().copied().chain(FOREIGN.iter().map(|foreign| foreign.name));
                let hint = similar(name, known);
                Err(Fault::Wrong(format!("unknown option --{name}{hint}")))
            }
        }
    }
}

/// The symbol and the meaning in `NAME=VALUE`.
///
/// # Errors
/// A sentence: there is no `=`, or no name.
///
/// ```
/// let cookie = cauce_drill::definition("TFO_COOKIE=1234abcd");
/// assert_eq!(cookie, Ok(("TFO_COOKIE".to_owned(), "1234abcd".to_owned())));
/// assert!(cauce_drill::definition("TFO_COOKIE").is_err());
/// ```
pub fn definition(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        let mut chars = name.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => {
            Ok((name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        }
        _ => Err(format!("a symbol is defined by NAME=VALUE, not by `{text}`")),
    }
}

fn ip_version(name: &str, value: Option<&str>) -> Result<IpMode, Fault> {
    let given = Given { name, value };
    IpMode::parse(given.text()?).ok_or_else(|| given.wrong("ipv4, ipv6 or ipv4-mapped-ipv6"))
}

/// Options that this runner honours, by the names that scripts use.
pub const OWN: [&str; 17] = [
    "bind_port",
    "connect_port",
    "define",
    "dry_run",
    "gateway_ip",
    "init_scripts",
    "ip_version",
    "local_ip",
    "mtu",
    "netmask_ip",
    "remote_ip",
    "strict",
    "strict_segments",
    "tcp_ts_ecr_scaled",
    "tcp_ts_tick_usecs",
    "tolerance_percent",
    "tolerance_usecs",
];

/// The longest tolerance or tick, microseconds: an hour.
const MAX_MICROS: i64 = 3_600_000_000;

/// Why an option is refused.
#[derive(Debug)]
enum Fault {
    Wrong(String),
    Unsupported(String),
}

/// An option as it is given.
#[derive(Debug, Clone, Copy)]
struct Given<'g> {
    name: &'g str,
    value: Option<&'g str>,
}

impl<'g> Given<'g> {
    fn text(self) -> Result<&'g str, Fault> {
        self.value.ok_or_else(|| Fault::Wrong(format!("--{} needs a value", self.name)))
    }

    fn wrong(self, right: &str) -> Fault {
        Fault::Wrong(format!("--{}={}: it must be {right}", self.name, self.value.unwrap_or("")))
    }

    fn number(self, range: std::ops::RangeInclusive<i64>) -> Result<i64, Fault> {
        let number = self.text()?.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| self.wrong(&format!("{} to {}", range.start(), range.end())))
    }

    /// A percentage, in 1/1000.
    fn percent(self) -> Result<i64, Fault> {
        let percent: Option<f64> = self.text()?.parse().ok().filter(|number| (0.0..=1000.0).contains(number));
        Ok((percent.ok_or_else(|| self.wrong("0 to 1000 percent"))? * 10.0).round() as i64)
    }

    /// `--name`, or with a value as other runners have it.
    fn flag(self) -> Result<bool, Fault> {
        match self.value {
            None | Some("1" | "true" | "yes") => Ok(true),
            Some("0" | "false" | "no") => Ok(false),
            Some(_) => Err(self.wrong("left without a value, or 0 or 1")),
        }
    }

    fn address(self, v6: bool) -> Result<IpAddr, Fault> {
        let text = self.text()?;
        match text.split('/').next().unwrap_or("").parse::<IpAddr>() {
            Ok(ip) if ip.is_ipv6() == v6 => Ok(ip),
            _ => Err(self.wrong(if v6 { "an IPv6 address" } else { "an IPv4 address" })),
        }
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
        assert!(matches!(settings.notes.as_slice(), [note] if note.starts_with("--mss has no effect here")));
    }

    #[test]
    fn refuses_with_the_place() {
        for (text, words) in [
            ("--frobnicate=1", "t.pkt:1:1"),
            ("--tolerance_usec=1", "`tolerance_usecs` is similar"),
            ("--local_ip=::1", "--local_ip=::1: it must be an IPv4 address"),
            ("--mtu=12", "it must be 68 to 65535"),
            ("--tolerance_usecs=-1", "it must be 0 to"),
            ("--tolerance_percent=x", "0 to 1000 percent"),
            ("--ip_version=ipv5", "ipv4, ipv6 or ipv4-mapped-ipv6"),
            ("--netmask_ip=255.0.255.0", "a netmask"),
            ("--strict=maybe", "0 or 1"),
            ("--mtu", "needs a value"),
            ("--define=1=2", "NAME=VALUE"),
            ("--udp_encapsulation=tcp", "unsupported: --udp_encapsulation"),
        ] {
            let told = of(text, &[]).unwrap_err();
            assert!(told.contains(words), "{text}\n{told}");
        }
    }

    #[test]
    fn the_command_line_is_checked_without_a_script() {
        let check = |name: &str, value: &str| Settings::check(&[(name.to_owned(), Some(value.to_owned()))]);
        assert_eq!(check("local_ip", "192.0.2.1"), Ok(()));
        assert_eq!(check("local_ip", "2001:db8::1"), Ok(()));
        assert!(check("local_ip", "here").unwrap_err().contains("address"));
        assert_eq!(check("so_filename", "./lib.so"), Ok(()));
    }
}
