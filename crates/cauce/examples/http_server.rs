//! An HTTP server with axum, on our TCP.
//!
//! Without arguments it runs on a link in memory and fetches its own page, which needs no privilege. With
//! the name of a TUN device it serves there:
//!
//! ```text
//! sudo cargo run -p cauce --example http_server -- cauce0 &
//! sudo ip address add 10.77.0.1/24 dev cauce0
//! curl http://10.77.0.2/
//! ```

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use cauce::device::tun::{Tun, TunOptions};
use cauce::{Netstack, TcpListener, TcpStream};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What axum asks of a listener.
struct Listener(TcpListener);

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.0.accept().await {
            Ok(accepted) => accepted,
            // The netstack is over: there is nothing to accept any more.
            Err(_) => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(|| async { "Hello from TCP in user space.\n" }))
        .route("/hello/{name}", get(|Path(name): Path<String>| async move { format!("Hello, {name}.\n") }))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let Some(name) = std::env::args().nth(1) else { return in_memory().await };
    let tun = match Tun::open(&TunOptions { name, ..TunOptions::default() }) {
        Ok(queues) => queues.into_iter().next().ok_or(io::ErrorKind::NotFound)?,
        Err(error) => {
            eprintln!("{error}");
            return Ok(());
        }
    };
    let net = Netstack::builder().address("10.77.0.2/24").device(tun).build()?;
    let listener = net.bind("10.77.0.2:80").await?;
    println!("serving http://{}/", listener.local_addr()?);
    axum::serve(Listener(listener), app()).await
}

/// Server and client in one process.
async fn in_memory() -> io::Result<()> {
    let (left, right) = cauce::pair();
    let listener = right.bind("10.0.0.2:80").await?;
    tokio::spawn(async move { axum::serve(Listener(listener), app()).await });
    let mut stream = left.connect("10.0.0.2:80").await?;
    stream.write_all(b"GET /hello/world HTTP/1.1\r\nHost: example\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("{answer}");
    Ok(())
}
