//! `--so_flags`: what the library can be told, as `key=value` pieces between commas.
//!
//! A comma inside a value is written `\,`, a backslash `\\`. Every mistake names the key, the value and what
//! is allowed; nothing is guessed.

use cauce_core::sysctl::{self, Sysctls};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Where the stack's settings come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// From `sysctl.NAME` alone.
    Own,
    /// From /proc/sys, read back at each socket(): scripts set them there by their commands.
    #[default]
    Host,
}

/// What `--so_flags` says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flags {
    /// Bytes of the largest packet that leaves.
    pub(crate) mtu: u16,
    /// The stack's own addresses; those of a family that has none here are learned.
    pub(crate) local: Vec<IpAddr>,
    /// Start of the random numbers.
    pub(crate) seed: u64,
    /// How long netdev_receive waits for a packet.
    pub(crate) receive_limit: Duration,
    /// Packets that wait to be received, at most.
    pub(crate) queue: usize,
    /// Where settings come from.
    pub(crate) sysctls: Source,
    /// The settings to start with.
    pub(crate) settings: Sysctls,
    /// The settings that were given, which the host does not change.
    pub(crate) pinned: Vec<&'static str>,
    /// Say on stderr what the host's settings have that the stack refuses.
    pub(crate) verbose: bool,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            mtu: 1500,
            local: Vec::new(),
            seed: 1,
            receive_limit: Duration::from_secs(5),
            queue: 10_000,
            sysctls: Source::default(),
            settings: Sysctls::default(),
            pinned: Vec::new(),
            verbose: false,
        }
    }
}

/// Why `--so_flags` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagError(String);

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--so_flags: {}", self.0)
    }
}

const KEYS: &str = "local, mtu, queue, receive_limit, seed, sysctl.NAME, sysctls, verbose";
/// The longest time that netdev_receive may be told to wait: a day.
const LONGEST: f64 = 86_400.0;

impl Flags {
    /// Reads the flags; an empty text leaves all as it is by default.
    pub(crate) fn parse(text: &str) -> Result<Flags, FlagError> {
        let mut flags = Flags::default();
        if text.is_empty() {
            return Ok(flags);
        }
        for piece in pieces(text) {
            match piece.split_once('=') {
                Some((key, value)) => flags.set(key, value)?,
                None if piece == "verbose" => flags.verbose = true,
                None if piece.is_empty() => {
                    return Err(FlagError(format!("an empty key ({KEYS} are known)")));
                }
                None => flags.set(&piece, "")?,
            }
        }
        Ok(flags)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), FlagError> {
        let wrong = |allowed: &str| FlagError(format!("{key}: `{value}` is not {allowed}"));
        match key {
            "mtu" => {
                let mtu = value.parse().ok().filter(|mtu| *mtu >= 68);
                self.mtu = mtu.ok_or_else(|| wrong("a number of bytes from 68 to 65535"))?;
            }
            "local" => {
                let ip: IpAddr = value.parse().map_err(|_| wrong("an IPv4 or IPv6 address"))?;
                if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
                    return Err(wrong("an address of one host on a network"));
                }
                self.local.push(ip);
            }
            "seed" => self.seed = value.parse().map_err(|_| wrong("a number from 0 to 2^64 - 1"))?,
            "queue" => {
                let packets = value.parse().ok().filter(|packets| (1..=1_000_000).contains(packets));
                self.queue = packets.ok_or_else(|| wrong("a number of packets from 1 to 1000000"))?;
            }
            "receive_limit" => {
                let seconds = value.parse().ok().filter(|seconds| (0.0..=LONGEST).contains(seconds));
                let seconds = seconds.ok_or_else(|| wrong("a number of seconds from 0 to 86400"))?;
                self.receive_limit = Duration::from_secs_f64(seconds);
            }
            "sysctls" => {
                self.sysctls = match value {
                    "own" => Source::Own,
                    "host" => Source::Host,
                    _ => return Err(wrong("`own` or `host`")),
                }
            }
            "verbose" => return Err(FlagError(format!("verbose takes no value, and `{value}` is one"))),
            _ => match key.strip_prefix("sysctl.") {
                Some(name) => self.set_sysctl(name, value)?,
                None => return Err(FlagError(format!("there is no key `{key}` ({KEYS} are known)"))),
            },
        }
        Ok(())
    }

    fn set_sysctl(&mut self, name: &str, value: &str) -> Result<(), FlagError> {
        self.settings.set(name, value).map_err(|error| FlagError(format!("sysctl.{name}: {error}")))?;
        self.pinned.extend(sysctl::find(name).map(|entry| entry.name));
        Ok(())
    }
}

/// The pieces between commas, with escapes taken away.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let taken = match c {
            ',' => {
                pieces.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(last) = pieces.last_mut() {
            last.push(taken);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_told() {
        let flags = Flags::parse(
            "mtu=1520,local=10.0.0.1,local=fd00::1,seed=7,receive_limit=0.25,queue=5,sysctls=own,verbose,\
             sysctl.tcp_rmem=4096 5000 6000,sysctl.net.ipv4.ip_local_reserved_ports=80\\,443",
        )
        .unwrap();
        assert_eq!((flags.mtu, flags.seed, flags.queue, flags.verbose), (1520, 7, 5, true));
        assert_eq!(flags.local, ["10.0.0.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]);
        assert_eq!((flags.receive_limit, flags.sysctls), (Duration::from_millis(250), Source::Own));
        assert_eq!(flags.settings.get("tcp_rmem").as_deref(), Ok("4096\t5000\t6000"));
        assert_eq!(flags.settings.get("ip_local_reserved_ports").as_deref(), Ok("80,443"));
        assert_eq!(flags.pinned, ["net.ipv4.tcp_rmem", "net.ipv4.ip_local_reserved_ports"]);
        assert_eq!(Flags::parse(""), Ok(Flags::default()));
    }

    #[test]
    fn mistakes_name_the_key_and_what_is_allowed() {
        for (text, said) in [
            ("mtu=67", "mtu: `67` is not a number of bytes from 68 to 65535"),
            ("mtu=1500,,", "an empty key"),
            ("mtu", "mtu: `` is not"),
            ("local=0.0.0.0", "local: `0.0.0.0` is not an address of one host"),
            ("local=here", "local: `here` is not an IPv4 or IPv6 address"),
            ("receive_limit=-1", "receive_limit: `-1` is not a number of seconds from 0 to 86400"),
            ("receive_limit=NaN", "receive_limit: `NaN` is not"),
            ("queue=0", "queue: `0` is not"),
            ("seed=x", "seed: `x` is not"),
            ("sysctls=mine", "sysctls: `mine` is not `own` or `host`"),
            ("verbose=yes", "verbose takes no value"),
            ("speed=9", "there is no key `speed` (local, mtu,"),
            ("sysctl.tcp_sack=300", "sysctl.tcp_sack: net.ipv4.tcp_sack: `300` is out of range (0 to"),
            ("sysctl.tcp_sock=1", "there is no setting `tcp_sock`"),
        ] {
            let error = Flags::parse(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
