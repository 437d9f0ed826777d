//! The command line.

use crate::{completions, demo, drill, man, nc, tools, up};
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cauce demo                            a file both ways over an emulated path, no privileges needed
  cauce demo --loss 5% --reorder 10%    the same over a bad path
  cauce drill scripts/                  packetdrill scripts against our stack, in virtual time
  sudo cauce up --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 --serve .
                                        curl http://10.9.0.2/ then lists this directory
  sudo cauce nc --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 10.9.0.1 22
                                        our TCP talks to a service of this host
  cauce completions bash                completions for the shell
  cauce man                             this help as man pages

`cauce COMMAND --help` tells the rest, with more examples.";

/// TCP in user space, as tcp(7) describes it.
#[derive(Debug, Parser)]
#[command(name = "cauce", version, after_help = EXAMPLES, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Move a file both ways over an emulated path, in virtual time.
    Demo(Box<demo::Args>),
    /// Run scripts in the packetdrill language, against our stack in virtual time or against the kernel.
    Drill(Box<drill::Args>),
    /// Run a stack on a TUN device or an Ethernet interface, with services for the programs of this host.
    Up(Box<up::Args>),
    /// Copy stdin to a peer and what it sends to stdout, on a stack of its own.
    Nc(Box<nc::Args>),
    /// Show the sockets of a running stack, as ss(8) does.
    #[command(after_help = "\
Examples:
  cauce ss -tan                         all sockets
  cauce ss -ti state established        with what TCP_INFO tells
  cauce ss --json")]
    Ss(tools::Args),
    /// Show the sockets of a running stack, as netstat(8) does.
    #[command(after_help = "\
Examples:
  cauce netstat -nat | awk '{print $6}' | sort | uniq -c")]
    Netstat(tools::Args),
    /// Show the counters of a running stack, as nstat(8) does: what was counted since it was last asked.
    #[command(after_help = "\
Examples:
  cauce nstat                           what has changed
  cauce nstat -az TcpExtTCPTimeouts     a counter since the stack began")]
    Nstat(tools::Args),
    /// Show or change the settings of a running stack, as sysctl(8) does.
    Sysctl(tools::SysctlArgs),
    /// Show or change global parameters of a running stack under Windows' names, as netsh does.
    #[command(after_help = "\
Examples:
  cauce netsh interface tcp show global
  cauce netsh interface tcp set global autotuninglevel=restricted")]
    Netsh(tools::Args),
    /// Show or forget what a running stack remembers of destinations, as `ip tcp_metrics` does.
    #[command(after_help = "\
Examples:
  cauce tcp-metrics show
  cauce tcp-metrics flush")]
    TcpMetrics(tools::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Print the man page, or write all of them to a directory.
    Man(man::Args),
}
