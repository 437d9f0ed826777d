//! A stack of our own and the device under it, as `up` and `nc` are told on the command line.

mod address;
mod queues;

use crate::settings::{self, Setting};
use address::Address;
use anyhow::{Context, bail};
use cauce::device::host::{self, HostConfig, HostRoute};
use cauce::device::wrap::pcap::{Pcap, PcapFile};
use cauce::device::wrap::trace::Trace;
use cauce::device::{AfPacket, AfPacketOptions, Device, SetupError, Tun, TunOptions};
use cauce::sysctl::Profile;
use cauce::{Cidr, Netstack};
use queues::Queues;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::filter::LevelFilter;

/// Where the stack lives.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Network")]
#[group(id = "network")]
pub struct Args {
    /// Open the TUN device NAME, or make it. The kernel's end is an interface of this host.
    #[arg(long, value_name = "NAME", value_parser = interface,
          required_unless_present = "af_packet", conflicts_with = "af_packet")]
    tun: Option<String>,
    /// Use the Ethernet interface IFACE, such as one end of a veth pair, with ARP and NDP. It should have no
    /// address of the host's own.
    #[arg(long, value_name = "IFACE", value_parser = interface)]
    af_packet: Option<String>,
    /// Give the host's end of the TUN device this address. May repeat, IPv4 and IPv6.
    #[arg(long = "host", value_name = "ADDR/LEN", conflicts_with = "af_packet", value_parser = address::with_length)]
    hosts: Vec<Address>,
    /// Give the stack this address. Without LEN it belongs to the --host network that it lies in, or stands
    /// alone. May repeat, IPv4 and IPv6.
    #[arg(long = "addr", value_name = "ADDR[/LEN]", required = true, value_parser = address::parse)]
    addresses: Vec<Address>,
    /// Reach everything that is on no network of its own by this router. May repeat, IPv4 and IPv6. On a TUN
    /// device the host is the router.
    #[arg(long = "gateway", value_name = "ADDR", conflicts_with = "tun", value_parser = address::ip)]
    gateways: Vec<IpAddr>,
    /// Longest IP packet in bytes [default: 1500, or the interface's own]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(88..))]
    mtu: Option<u16>,
    /// Queues of the TUN device.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "af_packet",
          value_parser = clap::value_parser!(u16).range(1..=16))]
    queues: u16,
    /// Exchange no super-packets and no unfinished checksums with the kernel; do all of it here.
    #[arg(long)]
    no_offload: bool,
    /// Start with the settings of this profile; `cauce sysctl --profile NAME -a` prints them.
    #[arg(long, value_name = "NAME", default_value_t)]
    profile: Profile,
    /// Read settings from this file at the start, as `sysctl -p` does: what it refuses is told, and the rest is done.
    /// May repeat.
    #[arg(long = "sysctl-file", value_name = "FILE")]
    sysctl_files: Vec<PathBuf>,
    /// A setting of the stack under its Linux name, as in tcp_sack=0, after those of files. May repeat.
    #[arg(long = "sysctl", value_name = "NAME=VALUE")]
    sysctls: Vec<Setting>,
    /// What is told on stderr while the stack runs: off, error, warn, info, debug, or trace for every packet.
    #[arg(long, value_name = "LEVEL", env = "CAUCE_LOG", default_value = "info")]
    log: LevelFilter,
    /// Write the packets of the device to this pcapng file.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

/// An interface's name as Linux allows it.
fn interface(name: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
    if (1..=15).contains(&name.len()) && name.bytes().all(allowed) && !matches!(name, "." | "..") {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is no name of an interface; 1 to 15 letters, digits, dots and dashes are allowed"))
}

/// A stack on its device.
pub struct Network {
    /// The stack.
    pub stack: Netstack,
    /// The name of the interface.
    pub interface: String,
    /// The addresses of the stack.
    pub addresses: Vec<Cidr>,
    capture: Option<(PcapFile, PathBuf)>,
}

impl Args {
    /// Opens the device, configures the host's end and starts the stack. Within a tokio runtime.
    pub fn open(&self) -> anyhow::Result<Network> {
        self.start_log();
        let addresses = self.networks()?;
        let capture = match &self.pcap {
            Some(path) => Some((create(path)?, path.clone())),
            None => None,
        };
        let (device, interface) = self.device(&addresses)?;
        let device: Box<dyn Device> = match &capture {
            Some((file, _)) => Box::new(Pcap::new(device, &interface, file, since_epoch)),
            None => device,
        };
        let device = match self.log {
            LevelFilter::TRACE => Box::new(Trace::new(device, &interface)),
            _ => device,
        };
        let mut builder = Netstack::builder().interface_name(&interface).device(device);
        if let (Some(mtu), Some(_)) = (self.mtu, &self.af_packet) {
            builder = builder.mtu(mtu);
        }
        for address in &addresses {
            builder = builder.address((address.ip, address.len));
        }
        builder = self.routes(&addresses).into_iter().fold(builder, |builder, to| builder.route(to, None));
        builder = self.gateways.iter().fold(builder, |builder, gateway| builder.gateway(*gateway));
        builder = builder.settings(settings::initial(self.profile, &self.sysctl_files, &self.sysctls)?);
        Ok(Network { stack: builder.build()?, interface, addresses, capture })
    }

    /// Lines without a date, for whoever reads them over the shoulder or collects them with one.
    fn start_log(&self) {
        let lines = tracing_subscriber::fmt().with_max_level(self.log).with_writer(std::io::stderr);
        let lines = lines.with_target(false).without_time().with_ansi(std::io::stderr().is_terminal());
        // Fails when there is a log already.
        let _ = lines.try_init();
    }

    /// The stack's addresses with the lengths of their networks.
    fn networks(&self) -> anyhow::Result<Vec<Cidr>> {
        let mut networks: Vec<Cidr> = Vec::new();
        for &Address { ip, len } in &self.addresses {
            if self.hosts.iter().any(|host| host.ip == ip) {
                bail!("--addr {ip} is the host's own address; the stack needs another one");
            }
            if networks.iter().any(|known| known.ip == ip) {
                bail!("--addr {ip} is given twice");
            }
            if ip.is_ipv6() && self.mtu.is_some_and(|mtu| mtu < 1280) {
                bail!("--addr {ip}: IPv6 needs an --mtu of at least 1280");
            }
            let around = self.hosts.iter().find(|host| host.contains(ip)).and_then(|host| host.len);
            let len = match len.or(around) {
                Some(len) => len,
                None if self.af_packet.is_some() => {
                    bail!(
                        "--addr {ip}: with --af-packet, write the length of its network too, as in {ip}/{}",
                        if ip.is_ipv4() { 24 } else { 64 }
                    )
                }
                None => address::full_length(ip),
            };
            networks.push(Cidr { ip, len });
        }
        Ok(networks)
    }

    /// What the stack sends straight to the device beside its own networks: on a TUN, everything.
    fn routes(&self, addresses: &[Cidr]) -> Vec<&'static str> {
        let has = |v6: bool| self.tun.is_some() && addresses.iter().any(|address| address.ip.is_ipv6() == v6);
        [(false, "0.0.0.0/0"), (true, "::/0")]
            .into_iter()
            .filter(|(v6, _)| has(*v6))
            .map(|(_, to)| to)
            .collect()
    }

    fn device(&self, addresses: &[Cidr]) -> anyhow::Result<(Box<dyn Device>, String)> {
        if let Some(interface) = &self.af_packet {
            return self.packet_socket(interface);
        }
        let mtu = usize::from(self.mtu.unwrap_or(1500));
        let options = TunOptions {
            name: self.tun.clone().unwrap_or_default(),
            mtu,
            queues: self.queues,
            offload: !self.no_offload,
            configure: false,
        };
        let mut queues = Tun::open(&options).map_err(told)?;
        let name = queues.first().map(|queue| queue.name().to_owned()).unwrap_or_default();
        self.configure_host(&name, mtu, addresses)?;
        let device: Box<dyn Device> = match queues.pop() {
            Some(only) if queues.is_empty() => Box::new(only),
            last => Box::new(Queues::new(queues.into_iter().chain(last))?),
        };
        Ok((device, name))
    }

    fn packet_socket(&self, interface: &str) -> anyhow::Result<(Box<dyn Device>, String)> {
        let options = AfPacketOptions { interface: interface.into(), offload: !self.no_offload, mac: None };
        let device = AfPacket::open(&options).map_err(told)?;
        let up = host::configure(interface, &HostConfig { up: true, ..HostConfig::default() });
        tolerate(up)?;
        Ok((Box::new(device), interface.to_owned()))
    }

    /// The host's end: its addresses, and routes to those of the stack that lie in none of its networks.
    fn configure_host(&self, name: &str, mtu: usize, addresses: &[Cidr]) -> anyhow::Result<()> {
        let outside =
            addresses.iter().filter(|address| !self.hosts.iter().any(|host| host.contains(address.ip)));
        let route = |address: &Cidr| HostRoute {
            destination: address.ip,
            prefix: address::full_length(address.ip),
            gateway: None,
        };
        let config = HostConfig {
            mtu: Some(mtu),
            up: true,
            addresses: self.hosts.iter().map(|host| (host.ip, host.length())).collect(),
            routes: if self.hosts.is_empty() { Vec::new() } else { outside.map(route).collect() },
        };
        let done = host::configure(name, &config);
        if self.hosts.is_empty() {
            return tolerate(done);
        }
        done.map_err(told)?;
        self.hosts.iter().for_each(|host| wait_for(host.ip));
        Ok(())
    }
}

/// The error as it tells itself, with its cause.
fn told(error: SetupError) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}

/// Where the host's end may have been configured by somebody who has the privilege, it is no failure to
/// lack it.
fn tolerate(configured: Result<(), SetupError>) -> anyhow::Result<()> {
    match configured {
        Err(error) if error.io_kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result.map_err(told),
    }
}

/// Waits until the host takes packets for an address that it was given: Linux finishes IPv6 addresses behind
/// the caller's back, and drops what arrives before.
fn wait_for(address: IpAddr) {
    let IpAddr::V6(address) = address else { return };
    for _ in 0..1_000 {
        // Where the table cannot be read, nothing is gained by waiting.
        if fs::read_to_string("/proc/self/net/ipv6_route").map_or(true, |routes| is_local(&routes, address)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// True when Linux's table of IPv6 routes leads packets to `address` to this host.
fn is_local(routes: &str, address: Ipv6Addr) -> bool {
    const RTF_LOCAL: u32 = 0x8000_0000;
    let start = format!("{:032x} 80 ", address.to_bits());
    let flags = |line: &str| u32::from_str_radix(line.split_whitespace().nth(8)?, 16).ok();
    let mut mine = routes.lines().filter(|line| line.starts_with(&start));
    mine.any(|line| flags(line).is_some_and(|flags| flags & RTF_LOCAL != 0))
}

fn create(path: &PathBuf) -> anyhow::Result<PcapFile> {
    let named = || format!("cannot write {}", path.display());
    PcapFile::new(File::create(path).with_context(named)?).with_context(named)
}

fn since_epoch() -> Duration {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default()
}

impl Network {
    /// Resets what is still open, lets go of the device and completes the capture.
    pub async fn close(self) -> anyhow::Result<()> {
        self.stack.shutdown().await;
        match self.capture {
            Some((file, path)) => file.flush().with_context(|| format!("cannot write {}", path.display())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        network: Args,
    }

    fn args(line: &str) -> Args {
        Line::try_parse_from(["test"].into_iter().chain(line.split_whitespace())).unwrap().network
    }

    fn networks(line: &str) -> Result<Vec<String>, String> {
        let networks = args(line).networks().map_err(|error| error.to_string())?;
        Ok(networks.iter().map(|Cidr { ip, len }| format!("{ip}/{len}")).collect())
    }

    #[test]
    fn addresses_take_their_length_from_the_hosts_network() {
        let line =
            "--tun t0 --host 10.9.0.1/24 --host fd09::1/64 --addr 10.9.0.2 --addr fd09::2 --addr 10.5.5.5";
        assert_eq!(networks(line).unwrap(), ["10.9.0.2/24", "fd09::2/64", "10.5.5.5/32"]);
        assert_eq!(args(line).routes(&args(line).networks().unwrap()), ["0.0.0.0/0", "::/0"]);
        assert_eq!(networks("--tun t0 --addr 10.9.0.2/16").unwrap(), ["10.9.0.2/16"]);
    }

    #[test]
    fn addresses_that_make_no_sense_are_refused() {
        for (line, part) in [
            ("--tun t0 --host 10.9.0.1/24 --addr 10.9.0.1", "host's own"),
            ("--tun t0 --addr 10.9.0.2 --addr 10.9.0.2/24", "twice"),
            ("--tun t0 --addr fd09::2 --mtu 1279", "1280"),
            ("--af-packet veth1 --addr 10.9.0.2", "10.9.0.2/24"),
            ("--af-packet veth1 --addr fd09::2", "fd09::2/64"),
        ] {
            let error = networks(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
        let routed = args("--af-packet veth1 --addr 10.9.0.2/24");
        assert!(routed.routes(&routed.networks().unwrap()).is_empty());
    }

    #[test]
    fn a_local_route_tells_that_an_address_is_ready() {
        let line = |address: &str, flags: &str| {
            let none = "0".repeat(32);
            format!("{address} 80 {none} 00 {none} 00000000 00000002 00000000 {flags}       t0\n")
        };
        let address = "fd090000000000000000000000000001";
        let ip = "fd09::1".parse().unwrap();
        assert!(is_local(&(line("fd09", "80200001") + &line(address, "80200001")), ip));
        assert!(!is_local(&line(address, "00000001"), ip));
        assert!(!is_local(&line(address, "x"), ip) && !is_local("", ip));
    }

    #[test]
    fn names_of_interfaces_are_checked() {
        assert_eq!(interface("cauce0"), Ok("cauce0".into()));
        for wrong in ["", "a/b", "..", "sixteen-letters0", "a b"] {
            assert!(interface(wrong).unwrap_err().contains("1 to 15"), "{wrong}");
        }
    }
}
