//! A transparent proxy: every TCP connection that is routed into a TUN device ends here and is opened again
//! through the host's own network.
//!
//! ```text
//! sudo cargo run -p cauce --example transparent_proxy &
//! sudo ip address add 10.77.0.1/24 dev cauce0
//! sudo ip route add 198.51.100.0/24 dev cauce0    # what is to be proxied
//! ```
//!
//! The proxy's own connections must not be routed into the TUN again.

use cauce::device::tun::{Tun, TunOptions};
use cauce::{Netstack, TcpListener, TcpStream};
use std::io;
use std::time::Duration;

#[tokio::main]
async fn main() -> io::Result<()> {
    let tun = match Tun::open(&TunOptions { name: "cauce0".into(), ..TunOptions::default() }) {
        Ok(queues) => queues.into_iter().next().ok_or(io::ErrorKind::NotFound)?,
        Err(error) => {
            eprintln!("{error}");
            return Ok(());
        }
    };
    let net = Netstack::builder()
        .address("10.77.0.2/24")
        .address("fd77::2/64")
        .route("0.0.0.0/0", None)
        .route("::/0", None)
        .device(tun)
        .build()?;
    let listener = TcpListener::bind_any(&net).await?;
    println!("proxying what is routed to cauce0");
    loop {
        let (stream, _peer) = listener.accept().await?;
        tokio::spawn(proxy(stream));
    }
}

/// Joins a connection to one of the host's.
async fn proxy(mut inside: TcpStream) -> io::Result<()> {
    let wanted = inside.local_addr()?;
    let connecting = tokio::net::TcpStream::connect(wanted);
    match tokio::time::timeout(Duration::from_secs(10), connecting).await {
        Ok(Ok(mut outside)) => {
            let (there, back) = tokio::io::copy_bidirectional(&mut inside, &mut outside).await?;
            println!("{wanted}: {there} bytes there, {back} back");
        }
        _ => {
            println!("{wanted}: no answer");
            inside.abort();
        }
    }
    Ok(())
}
