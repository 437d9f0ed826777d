//! `cauce up`: a stack on a device, with services on our own TCP, until a signal ends it.

mod http;
mod listing;
mod services;

use crate::control::{Control, Place};
use crate::network::{self, Network};
use anyhow::{Context, bail};
use cauce::TcpListener;
use std::future::Future;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

const EXAMPLES: &str = "\
Examples:
  sudo cauce up --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 --serve .
  curl http://10.9.0.2/                 from another terminal

  sudo cauce up --tun cauce0 --host 10.9.0.1/24 --host fd09::1/64 \\
      --addr 10.9.0.2 --addr fd09::2 --echo 7 --discard 9 --chargen 19
                                        IPv4 and IPv6, and the old services of inetd
  sudo cauce up --af-packet veth1 --addr 10.8.0.2/24 --serve .
                                        on one end of a veth pair, with ARP and NDP
  sudo cauce up --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 --echo 7 --pcap up.pcapng

Without root, grant the privilege once:
  sudo setcap cap_net_admin,cap_net_raw+ep $(which cauce)
or let root make and configure the device, and leave --host out:
  sudo ip tuntap add mode tun user $USER name cauce0
  sudo ip addr add 10.9.0.1/24 dev cauce0
  sudo ip link set cauce0 up

Tools for the running stack: cauce ss, netstat, nstat, sysctl, netsh, tcp-metrics.

One line on stdout tells that everything is ready. SIGINT and SIGTERM end it: connections that
are open are reset, and a device that was made goes.";

/// What `up` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    network: network::Args,
    /// Serve the files of this directory over HTTP, with ranges and listings.
    #[arg(long, value_name = "DIR", help_heading = "Services")]
    serve: Option<PathBuf>,
    /// The port for --serve.
    #[arg(long, value_name = "PORT", default_value_t = 80, requires = "serve", help_heading = "Services",
          value_parser = clap::value_parser!(u16).range(1..))]
    http_port: u16,
    /// Where `cauce ss`, `sysctl` and the other tools reach this stack: a path, or `none`
    /// [default: INTERFACE.sock in a directory of this user's]
    #[arg(long, value_name = "PATH")]
    control: Option<Place>,
    /// Send back what arrives on this port (RFC 862). May repeat.
    #[arg(long, value_name = "PORT", help_heading = "Services", value_parser = clap::value_parser!(u16).range(1..))]
    echo: Vec<u16>,
    /// Throw away what arrives on this port (RFC 863). May repeat.
    #[arg(long, value_name = "PORT", help_heading = "Services", value_parser = clap::value_parser!(u16).range(1..))]
    discard: Vec<u16>,
    /// Send lines of characters without end on this port (RFC 864). May repeat.
    #[arg(long, value_name = "PORT", help_heading = "Services", value_parser = clap::value_parser!(u16).range(1..))]
    chargen: Vec<u16>,
}

/// Runs until a signal comes.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(directory) = &args.serve
        && !directory.is_dir()
    {
        bail!("--serve {}: there is no such directory", directory.display());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(serve(args));
    // Reading a file for somebody who is gone is not worth waiting for.
    runtime.shutdown_background();
    result
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    // Before the device exists, so that no signal can leave it half configured.
    let ended = end()?;
    let network = args.network.open()?;
    let mut services = Services { network: &network, tasks: JoinSet::new(), names: Vec::new() };
    services.start(args).await?;
    if let Some(control) = control(args, &network.interface)? {
        services.tasks.spawn(control.serve(network.stack.clone()));
    }
    crate::print(services.ready().as_bytes())?;
    let mut tasks = services.tasks;
    let failed = tokio::select! {
        () = ended => None,
        failed = first(&mut tasks) => Some(failed),
    };
    tasks.shutdown().await;
    let counters = network.stack.device_counters();
    network.close().await?;
    eprintln!("cauce: {} segments received, {} sent", counters.rx_segments, counters.tx_segments);
    match failed {
        Some(why) => bail!("{why}"),
        None => Ok(()),
    }
}

/// The control socket. Only one that was asked for must come to be.
fn control(args: &Args, interface: &str) -> anyhow::Result<Option<Control>> {
    let place = args.control.clone().unwrap_or(Place::Usual);
    let bound = place.path(interface).and_then(|path| path.map(|path| Control::bind(&path)).transpose());
    match bound {
        Err(error) if place == Place::Usual => {
            eprintln!("cauce: no control socket, so no `cauce ss` and its like: {error:#}");
            Ok(None)
        }
        bound => bound,
    }
}

/// Resolves when SIGINT or SIGTERM has come.
fn end() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Says why a service ended. Never resolves when there is none.
async fn first(tasks: &mut JoinSet<std::io::Error>) -> String {
    match tasks.join_next().await {
        Some(Ok(error)) => format!("a service ended: {error}"),
        Some(Err(error)) => format!("a service ended: {error}"),
        None => std::future::pending().await,
    }
}

struct Services<'n> {
    network: &'n Network,
    tasks: JoinSet<std::io::Error>,
    names: Vec<String>,
}

impl Services<'_> {
    async fn start(&mut self, args: &Args) -> anyhow::Result<()> {
        if let Some(directory) = &args.serve {
            let listener = self.listen("HTTP", args.http_port).await?;
            self.tasks.spawn(http::serve(listener, directory.clone()));
        }
        for &port in &args.echo {
            let listener = self.listen("echo", port).await?;
            self.tasks.spawn(services::accept(listener, services::echo));
        }
        for &port in &args.discard {
            let listener = self.listen("discard", port).await?;
            self.tasks.spawn(services::accept(listener, services::discard));
        }
        for &port in &args.chargen {
            let listener = self.listen("chargen", port).await?;
            self.tasks.spawn(services::accept(listener, services::chargen));
        }
        Ok(())
    }

    /// Listens on all addresses of the stack, IPv4 and IPv6.
    async fn listen(&mut self, name: &str, port: u16) -> anyhow::Result<TcpListener> {
        let listener = TcpListener::bind(&self.network.stack, (std::net::Ipv6Addr::UNSPECIFIED, port)).await;
        self.names.push(format!("{name} on port {port}"));
        listener.with_context(|| format!("cannot listen on port {port} for {name}"))
    }

    /// The line that tells that everything is ready.
    fn ready(&self) -> String {
        let addresses: Vec<_> = self.network.addresses.iter().map(|address| address.ip.to_string()).collect();
        let services = if self.names.is_empty() { "no services".to_owned() } else { self.names.join(", ") };
        format!("ready: {} on {}: {services}\n", addresses.join(" "), self.network.interface)
    }
}
