//! Two netstacks joined in memory: for tests and examples, without a privilege.

use crate::netstack::Netstack;
use crate::stream::TcpStream;
use cauce_device::{Pipe, PipeOptions, pipe};
use std::io;

/// Two netstacks on one link in memory: 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2. Both are routers to
/// everywhere for each other. The link carries real packets of at most 1500 bytes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (left, right) = cauce::pair();
/// let listener = right.bind("[fd00::2]:80").await?;
/// let stream = left.connect("[fd00::2]:80").await?;
/// # Ok(()) }
/// ```
///
/// # Panics
/// Outside a tokio runtime with IO, or when the system has no descriptor left.
pub fn pair() -> (Netstack, Netstack) {
    let (left, right) = pipe(PipeOptions::default());
    let one = |device: Pipe, last: u8, other: u8| {
        Netstack::builder()
            .address(&format!("10.0.0.{last}/24"))
            .address(&format!("fd00::{last}/64"))
            .gateway([10, 0, 0, other].into())
            .gateway([0xfd00, 0, 0, 0, 0, 0, 0, other.into()].into())
            .device(device)
            .build()
            .expect("a tokio runtime with IO")
    };
    (one(left, 1, 2), one(right, 2, 1))
}

/// Two ends of one connection between the netstacks of a fresh [`pair`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let (client, server) = cauce::stream_pair().await?;
/// client.try_write(b"hello")?;
/// server.readable().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// None in practice: those of connecting and accepting.
///
/// # Panics
/// As [`pair`].
pub async fn stream_pair() -> io::Result<(TcpStream, TcpStream)> {
    let (left, right) = pair();
    let listener = right.bind("10.0.0.2:80").await?;
    let client = left.connect("10.0.0.2:80").await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}
