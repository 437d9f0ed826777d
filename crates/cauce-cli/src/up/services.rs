//! The services that inetd made known: echo, discard, chargen.

use bytes::Bytes;
use cauce::{TcpListener, TcpStream};
use std::future::Future;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Accepts connections and serves each in a task of its own. Ends only when the stack does.
pub async fn accept<S, F>(listener: TcpListener, service: S) -> io::Error
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    // Dropped with this task, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        match next(&listener).await {
            Ok(stream) => {
                connections.spawn(service(stream));
            }
            Err(error) => return error,
        }
        // An error ends its own connection and concerns nobody else.
        while connections.try_join_next().is_some() {}
    }
}

/// The next connection. Errors of a single connection, and of moments without memory, are waited out.
pub async fn next(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE)) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// Sends back what arrives (RFC 862).
pub async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut from, mut to) = stream.split();
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

/// Throws away what arrives (RFC 863).
pub async fn discard(stream: TcpStream) -> io::Result<()> {
    while !stream.recv_bytes(CHUNK).await?.is_empty() {}
    Ok(())
}

/// Sends lines of characters without end and throws away what arrives (RFC 864).
pub async fn chargen(stream: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    let sending = async {
        loop {
            to.send_bytes(PATTERN.clone()).await?;
        }
    };
    let receiving = async {
        while !from.recv_bytes(CHUNK).await?.is_empty() {}
        // That the peer sends no more does not mean that he wants no more.
        std::future::pending().await
    };
    tokio::select! {
        ended = sending => ended,
        ended = receiving => ended,
    }
}

/// The printable characters of ASCII.
const CHARACTERS: std::ops::Range<u8> = 0x20..0x7f;
/// Characters of a line.
const LINE: usize = 72;

/// One round of the pattern: a line from each character on, repeated until it is worth a call.
static PATTERN: LazyLock<Bytes> = LazyLock::new(|| {
    let ring: Vec<u8> = CHARACTERS.chain(CHARACTERS).collect();
    let round: Vec<u8> =
        (0..CHARACTERS.len()).flat_map(|start| [&ring[start..start + LINE], b"\r\n"].concat()).collect();
    round.repeat(9).into()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_goes_on_where_it_ends() {
        let lines: Vec<_> = PATTERN.chunks(LINE + 2).collect();
        assert_eq!(lines.len(), 9 * 95);
        assert!(lines.iter().all(|line| line.ends_with(b"\r\n")));
        assert!(lines[0].starts_with(b" !\"#"));
        assert!(lines[1].starts_with(b"!\"#$"));
        assert!(lines[94].starts_with(b"~ !\""));
        assert_eq!(lines[95], lines[0]);
    }
}
