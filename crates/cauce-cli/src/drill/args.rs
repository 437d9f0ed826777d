//! What `drill` is told.

use super::foreign::Foreign;
use cauce_drill::against::deaf::Name;
use cauce_drill::{Format, definition};
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  cauce drill scripts/                        all scripts below, against our stack, in virtual time
  cauce drill --verbose one.pkt               every call and every packet as it happens
  cauce drill --against kernel scripts/       the same scripts against this machine's kernel
  cauce drill --record draft.pkt -o true.pkt  what the kernel does with a draft's calls and packets
  cauce drill --filter 'close/*' --list scripts/
  cauce drill --expect known.toml --format junit -o report.xml scripts/
  cauce drill one.pkt -- --tolerance_usecs=10000 --ip_version=ipv6

A script looks like this; > is what the stack must send, < is what arrives:
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, ..., ...) = 0
  +0 listen(3, 1) = 0
  +0 < S 0:0(0) win 32792 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 32792
  +0 accept(3, ..., ...) = 4

The last line counts: `N passed, M failed, K unsupported`. The exit status is 0 when nothing
failed, 1 when something did or a path cannot be read, 2 for a command line that makes no sense.
Unsupported is what the script asks for and the target does not have; it is neither a failure nor
a pass.

--expect FILE names what is known to fail, as TOML lines `\"GLOB\" = \"REASON\"`. A script that is
listed and passes fails the run, so that the list only shrinks.

Options that stand in scripts may be given here in the same spelling, also after `--`, and win
over them. docs/drill.md tells more.";

/// What scripts run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Our stack, in virtual time, without privileges.
    Core,
    /// The kernel's TCP, in real time, in a network namespace of the script's own; as root or in a user namespace.
    Kernel,
}

/// Versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Version {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 packets, IPv6 sockets.
    #[value(name = "ipv4-mapped-ipv6")]
    Mapped,
    /// Each version that the script's own options allow, one after the other.
    All,
}

impl Version {
    fn name(self) -> &'static str {
        match self {
            Version::Ipv4 => "ipv4",
            Version::Ipv6 => "ipv6",
            Version::Mapped => "ipv4-mapped-ipv6",
            Version::All => "all",
        }
    }
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// One line a script, and what is wrong.
    Text,
    /// The Test Anything Protocol.
    Tap,
    /// One JSON document.
    Json,
    /// JUnit's XML.
    Junit,
}

/// What `drill` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Scripts, and directories that are searched for *.pkt.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What the scripts run against [default: core; kernel with --record].
    #[arg(long, value_name = "TARGET", value_enum)]
    pub against: Option<Target>,
    /// Play the calls and the arriving packets of one script and print it with what really came.
    #[arg(long, conflicts_with_all = ["list", "format", "expect", "filter", "fail_fast", "dry_run"])]
    pub record: bool,
    /// Print what would be run.
    #[arg(long)]
    pub list: bool,
    /// Read and check the scripts, and run none.
    #[arg(long, alias = "dry_run")]
    dry_run: bool,

    /// Run only scripts whose path ends in this, from the name of a directory on; * and ? as in a shell. May repeat.
    #[arg(long, value_name = "GLOB", help_heading = "Runs")]
    pub filter: Vec<String>,
    /// Accept what scripts write to this setting or option, and ignore it: what still passes proves nothing about it.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["record", "pcap"], help_heading = "Runs")]
    pub deaf_to: Option<Name>,
    /// How many scripts run at a time [default: one a core].
    #[arg(long, short, value_name = "N", help_heading = "Runs")]
    pub jobs: Option<NonZero<usize>>,
    /// Stop at the first script that fails.
    #[arg(long, help_heading = "Runs")]
    pub fail_fast: bool,
    /// What is known to fail, as TOML lines `"GLOB" = "REASON"`; a listed script that passes fails the run.
    #[arg(long, value_name = "FILE", help_heading = "Runs")]
    pub expect: Option<PathBuf>,

    /// How results are written [default: text].
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = "Output")]
    format: Option<FormatName>,
    /// Write results, or the record, to this file.
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Also print every event as it happens, options without effect, and how long each script took.
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
    /// Write the packets of the script to this pcapng file; of several scripts, to files in this directory.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub pcap: Option<PathBuf>,

    /// Version of IP of packets and sockets.
    #[arg(long, alias = "ip_version", value_name = "VERSION", value_enum, help_heading = "Scripts' options")]
    ip_version: Option<Version>,
    /// Define a symbol that scripts use. May repeat.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE", value_parser = definition,
          help_heading = "Scripts' options")]
    definitions: Vec<(String, String)>,
    /// How far from its time an event may be, in microseconds [default: 4000; against the kernel 14000].
    #[arg(long, alias = "tolerance_usecs", value_name = "MICROSECONDS", help_heading = "Scripts' options")]
    tolerance_usecs: Option<String>,
    /// Which share of the time since the event before is tolerated too [default: 12.5].
    #[arg(long, alias = "tolerance_percent", value_name = "PERCENT", help_heading = "Scripts' options")]
    tolerance_percent: Option<String>,
    /// Largest packet of the device in bytes [default: 1500; 1520 with IPv6].
    #[arg(long, value_name = "BYTES", help_heading = "Scripts' options")]
    mtu: Option<String>,
    /// The stack's address.
    #[arg(long, alias = "local_ip", value_name = "ADDRESS", help_heading = "Scripts' options")]
    local_ip: Option<String>,
    /// The peer's address.
    #[arg(long, alias = "remote_ip", value_name = "ADDRESS", help_heading = "Scripts' options")]
    remote_ip: Option<String>,
    /// The router through which the peer is reached.
    #[arg(long, alias = "gateway_ip", value_name = "ADDRESS", help_heading = "Scripts' options")]
    gateway_ip: Option<String>,
    /// Netmask of the stack's network, with IPv4.
    #[arg(long, alias = "netmask_ip", value_name = "MASK", help_heading = "Scripts' options")]
    netmask_ip: Option<String>,
    /// The port that bind() gets [default: 8080].
    #[arg(long, alias = "bind_port", value_name = "PORT", help_heading = "Scripts' options")]
    bind_port: Option<String>,
    /// The port that connect() gets [default: 8080].
    #[arg(long, alias = "connect_port", value_name = "PORT", help_heading = "Scripts' options")]
    connect_port: Option<String>,
    /// Length of a tick of the timestamp clock; TSval is checked when it is given, or with --strict.
    #[arg(long, alias = "tcp_ts_tick_usecs", value_name = "MICROSECONDS", help_heading = "Scripts' options")]
    tcp_ts_tick_usecs: Option<String>,
    /// TSecr of arriving packets counts from the first TSval.
    #[arg(long, alias = "tcp_ts_ecr_scaled", help_heading = "Scripts' options")]
    tcp_ts_ecr_scaled: bool,
    /// Commands to run before each script, separated by commas.
    #[arg(long, alias = "init_scripts", value_name = "COMMANDS", help_heading = "Scripts' options")]
    init_scripts: Option<String>,
    /// Check every checksum, every timestamp echo, and every packet by itself.
    #[arg(long, help_heading = "Scripts' options")]
    strict: bool,
    /// Do not take several packets for the one larger packet that a script expects.
    #[arg(long, alias = "strict_segments", help_heading = "Scripts' options")]
    strict_segments: bool,
    /// Options of other runners, which change nothing here.
    #[command(flatten)]
    pub foreign: Foreign,
    /// Options as they stand in scripts, and more paths.
    #[arg(last = true, value_name = "--NAME=VALUE")]
    passed: Vec<String>,
}

/// What the command line says about the scripts themselves.
#[derive(Debug, Default)]
pub struct Given {
    /// Scripts and directories.
    pub paths: Vec<PathBuf>,
    /// Options that override the scripts' own.
    pub overrides: Vec<(String, Option<String>)>,
    /// Symbols.
    pub definitions: BTreeMap<String, String>,
}

impl Args {
    /// True when scripts run in more than one version of IP.
    pub fn all_versions(&self) -> bool {
        self.ip_version == Some(Version::All)
    }

    /// How results are written.
    pub fn format(&self) -> Format {
        match self.format {
            None | Some(FormatName::Text) => Format::Text,
            Some(FormatName::Tap) => Format::Tap,
            Some(FormatName::Json) => Format::Json,
            Some(FormatName::Junit) => Format::Junit,
        }
    }

    /// True for the format that people read.
    pub fn is_text(&self) -> bool {
        self.format() == Format::Text
    }

    /// Everything that the scripts are told. What stands after `--` wins.
    pub fn given(&self) -> Result<Given, String> {
        let mut given = Given { paths: self.paths.clone(), ..Given::default() };
        let version = self.ip_version.filter(|version| *version != Version::All);
        let values = [
            ("ip_version", version.map(|version| version.name().to_owned())),
            ("tolerance_usecs", self.tolerance_usecs.clone()),
            ("tolerance_percent", self.tolerance_percent.clone()),
            ("mtu", self.mtu.clone()),
            ("local_ip", self.local_ip.clone()),
            ("remote_ip", self.remote_ip.clone()),
            ("gateway_ip", self.gateway_ip.clone()),
            ("netmask_ip", self.netmask_ip.clone()),
            ("bind_port", self.bind_port.clone()),
            ("connect_port", self.connect_port.clone()),
            ("tcp_ts_tick_usecs", self.tcp_ts_tick_usecs.clone()),
            ("init_scripts", self.init_scripts.clone()),
        ];
        let set = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Some(value?))));
        given.overrides.extend(set);
        let flags = [
            ("tcp_ts_ecr_scaled", self.tcp_ts_ecr_scaled),
            ("strict", self.strict),
            ("strict_segments", self.strict_segments),
            ("dry_run", self.dry_run),
        ];
        let set = flags.into_iter().filter(|(_, given)| *given).map(|(name, _)| (name.to_owned(), None));
        given.overrides.extend(set);
        given.definitions.extend(self.definitions.iter().cloned());
        passed(&self.passed, &mut given)?;
        Ok(given)
    }
}

/// What stands after `--`: `--name=value`, `-D NAME=VALUE`, paths.
fn passed(words: &[String], given: &mut Given) -> Result<(), String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if let Some(option) = word.strip_prefix("--") {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            let name = name.replace('-', "_");
            match (name.as_str(), value) {
                ("define", Some(value)) => given.definitions.extend([definition(value)?]),
                _ => given.overrides.push((name, value.map(str::to_owned))),
            }
        } else if let Some(rest) = word.strip_prefix("-D") {
            let text = if rest.is_empty() { words.next().map_or("", String::as_str) } else { rest };
            given.definitions.extend([definition(text)?]);
        } else if word.starts_with('-') {
            return Err(format!("`{word}` after `--` is neither `--NAME=VALUE`, `-D NAME=VALUE` nor a path"));
        } else {
            given.paths.push(word.into());
        }
    }
    Ok(())
}
