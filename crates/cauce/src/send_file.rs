//! Sending from a file (sendfile(2); REQUIREMENTS A-45): its bytes are read once, into memory that the engine shares
//! until the peer has acknowledged them.

use crate::stream::TcpStream;
use crate::waiters::Direction;
use bytes::Bytes;
use cauce_core::socket::SendFlags;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that are read from a file at a time.
const PIECE: u64 = 64 * 1024;

/// At most `len` bytes from `offset` on; fewer at the end of the file.
fn read_piece(file: &File, offset: u64, len: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; len.min(PIECE) as usize];
    let mut filled = 0;
    while filled < piece.len() {
        match file.read_at(&mut piece[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    Ok(piece.into())
}

impl TcpStream {
    /// Sends `len` bytes of `file` from `offset` on, or those that there are. Returns how many. The file's own position
    /// does not matter and does not move; a `std::fs::File`, a `tokio::fs::File` or any other descriptor will do.
    ///
    /// Segments are filled across the pieces that are read, and with what [`TcpStream::set_cork`] or
    /// [`SendFlags::more`] has held back before. Reading may wait for a disk, so a thread of tokio's does it.
    ///
    /// Not cancel-safe: a part may have been sent.
    ///
    /// # Errors
    /// Those of [`TcpStream::try_write`](TcpStream::try_write) but for `WouldBlock`, and those of reading the file.
    ///
    /// ```
    /// use std::io::Write;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("cauce-send-file-{}", std::process::id()));
    /// let mut file = std::fs::File::create_new(&path)?;
    /// file.write_all(b"not this, but this")?;
    /// let file = std::fs::File::open(&path)?;
    /// # std::fs::remove_file(&path)?;
    /// let (client, server) = cauce::stream_pair().await?;
    /// assert_eq!(client.send_file(&file, 10, 1000).await?, 8);
    /// assert_eq!(server.recv_bytes(64).await?, "but this");
    /// # Ok(()) }
    /// ```
    pub async fn send_file(&self, file: impl AsFd, offset: u64, len: u64) -> io::Result<u64> {
        let file = Arc::new(File::from(file.as_fd().try_clone_to_owned()?));
        let mut sent = 0;
        while sent < len {
            let (source, at, want) = (file.clone(), offset + sent, len - sent);
            let piece = tokio::task::spawn_blocking(move || read_piece(&source, at, want)).await??;
            if piece.is_empty() {
                // The file is shorter: what was held for the rest leaves now.
                self.try_send_with(&[], SendFlags::default())?;
                break;
            }
            sent += piece.len() as u64;
            let more = sent < len;
            self.send_all(piece, SendFlags { more, ..SendFlags::default() }).await?;
        }
        Ok(sent)
    }

    /// Sends all of `data` without a copy, marked as `flags` say.
    pub(crate) async fn send_all(&self, mut data: Bytes, flags: SendFlags) -> io::Result<()> {
        while !data.is_empty() {
            self.handle
                .wait(Direction::Write, |socket, now| socket.send_bytes_with(now, &mut data, flags))
                .await?;
        }
        Ok(())
    }
}
