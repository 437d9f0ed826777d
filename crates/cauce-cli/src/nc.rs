//! `cauce nc`: netcat on a stack of its own.

use crate::network::{self, Network};
use anyhow::{Context, bail};
use cauce::{TcpListener, TcpStream};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const EXAMPLES: &str = "\
Examples:
  sudo cauce nc --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 10.9.0.1 22
                                        our TCP talks to a service of this host
  sudo cauce nc -l --tun cauce0 --host 10.9.0.1/24 --addr 10.9.0.2 7000 > file
                                        takes what `nc -N 10.9.0.2 7000 < file` sends
  tar c . | sudo cauce nc -N --af-packet veth1 --addr 10.8.0.2/24 10.8.0.1 7000

stdin goes to the peer, and what the peer sends goes to stdout. It ends when both directions
have ended; with -l, as soon as the peer's has. What has been read is delivered before it exits.
`cauce up --help` tells about privileges.";

const USAGE: &str = "\
cauce nc [OPTIONS] --addr <ADDR[/LEN]> HOST PORT
       cauce nc -l [OPTIONS] --addr <ADDR[/LEN]> [HOST] PORT";

/// What `nc` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub struct Args {
    /// Listen for one connection instead of making one. HOST may be left out.
    #[arg(short, long)]
    listen: bool,
    /// Shut the sending direction down at the end of stdin.
    #[arg(short = 'N', long)]
    shutdown: bool,
    /// Say on stderr what happens.
    #[arg(short, long)]
    verbose: bool,
    /// The numeric address and the port to connect to, or to listen on.
    #[arg(value_name = "HOST PORT", num_args = 1..=2, required = true)]
    target: Vec<String>,
    #[command(flatten)]
    network: network::Args,
}

impl Args {
    fn target(&self) -> anyhow::Result<SocketAddr> {
        let (host, port) = match &self.target[..] {
            [host, port] => (Some(host), port),
            [port] if self.listen => (None, port),
            _ => bail!("HOST and PORT are needed; only with -l, HOST may be left out"),
        };
        let port = match port.parse() {
            Ok(port) if port > 0 => port,
            _ => bail!("`{port}` is not a port; 1 to 65535 are allowed"),
        };
        let ip = match host {
            None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Some(host) => host.parse().with_context(|| {
                format!("`{host}` is not an IP address as in 10.9.0.1 or fd09::1 (names are not looked up)")
            })?,
        };
        Ok(SocketAddr::new(ip, port))
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.verbose {
            eprintln!("cauce: {}", text());
        }
    }
}

/// Talks until both directions have ended.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let target = args.target()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(async {
        let network = args.network.open()?;
        let talked = talk(args, &network, target).await;
        if talked.is_ok() {
            // There is no kernel that would deliver the rest after we are gone.
            network.stack.idle().await;
        }
        network.close().await?;
        talked
    });
    // A read of stdin that nobody waits for any more cannot be interrupted.
    runtime.shutdown_background();
    result
}

async fn talk(args: &Args, network: &Network, target: SocketAddr) -> anyhow::Result<()> {
    let stream = if args.listen {
        let listener = TcpListener::bind(&network.stack, target).await;
        let listener = listener.with_context(|| format!("cannot listen on {target}"))?;
        args.say(|| format!("listening on port {}", target.port()));
        listener.accept().await.context("cannot accept a connection")?.0
    } else {
        let connected = TcpStream::connect(&network.stack, target).await;
        connected.with_context(|| format!("cannot connect to {target}"))?
    };
    let peer = stream.peer_addr().unwrap_or(target);
    args.say(|| format!("connected to {peer}"));
    let (mut from, mut to) = stream.into_split();
    let sending = async {
        send(&mut to).await?;
        if args.shutdown {
            to.shutdown().await?;
        }
        anyhow::Ok(())
    };
    let receiving = receive(&mut from);
    if args.listen {
        tokio::pin!(sending);
        tokio::pin!(receiving);
        tokio::select! {
            received = &mut receiving => received?,
            sent = &mut sending => {
                sent?;
                receiving.await?;
            }
        }
    } else {
        tokio::try_join!(sending, receiving)?;
    }
    Ok(())
}

/// From stdin to the peer.
async fn send(to: &mut cauce::OwnedWriteHalf) -> anyhow::Result<()> {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = stdin.read(&mut buffer).await.context("cannot read stdin")?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await.context("cannot send")?;
    }
}

/// From the peer to stdout.
async fn receive(from: &mut cauce::OwnedReadHalf) -> anyhow::Result<()> {
    let mut stdout = tokio::io::stdout();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = from.read(&mut buffer).await.context("cannot receive")?;
        if count == 0 {
            return Ok(());
        }
        let written = async {
            stdout.write_all(&buffer[..count]).await?;
            stdout.flush().await
        };
        match written.await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.context("cannot write to stdout")?,
        }
    }
}
