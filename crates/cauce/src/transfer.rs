//! Moving bytes between a user's buffers and the engine, in the shapes that tokio's interface has.

use bytes::BufMut;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::{ReadFlags, Socket};
use cauce_core::time::Instant;
use std::io::{IoSlice, IoSliceMut};
use tokio::io::ReadBuf;

/// Most bytes that one call copies while the engine is locked.
const MOST: usize = 1 << 18;

/// Reads into the unfilled part, initialised or not.
pub(crate) fn recv_buf(socket: &mut Socket<'_>, now: Instant, buf: &mut ReadBuf<'_>) -> Result<usize, Errno> {
    recv_flagged(socket, now, buf, ReadFlags::default())
}

/// As [`recv_buf`]; the bytes stay.
pub(crate) fn peek_buf(socket: &mut Socket<'_>, now: Instant, buf: &mut ReadBuf<'_>) -> Result<usize, Errno> {
    recv_flagged(socket, now, buf, ReadFlags { peek: true, ..ReadFlags::default() })
}

fn recv_flagged(
    socket: &mut Socket<'_>,
    now: Instant,
    buf: &mut ReadBuf<'_>,
    flags: ReadFlags,
) -> Result<usize, Errno> {
    socket.recv_into(now, buf.remaining().min(MOST), flags, &mut |bytes| {
        buf.put_slice(bytes);
        bytes.len()
    })
}

/// Appends what can be read to `buf`, at most what it has room for.
pub(crate) fn recv_buf_mut(
    socket: &mut Socket<'_>,
    now: Instant,
    buf: &mut impl BufMut,
) -> Result<usize, Errno> {
    socket.recv_into(now, buf.remaining_mut().min(MOST), ReadFlags::default(), &mut |bytes| {
        buf.put_slice(bytes);
        bytes.len()
    })
}

/// Fills the buffers one after the other.
pub(crate) fn recv_vectored(
    socket: &mut Socket<'_>,
    now: Instant,
    bufs: &mut [IoSliceMut<'_>],
) -> Result<usize, Errno> {
    let mut total = 0;
    for buf in bufs.iter_mut().filter(|buf| !buf.is_empty()) {
        match socket.recv(now, buf) {
            Ok(count) => {
                total += count;
                if count < buf.len() {
                    break;
                }
            }
            // What was read counts first; the error is told by the next call.
            Err(Errno::EAGAIN) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Takes the buffers one after the other, as one write.
pub(crate) fn send_vectored(
    socket: &mut Socket<'_>,
    now: Instant,
    bufs: &[IoSlice<'_>],
) -> Result<usize, Errno> {
    let last = bufs.iter().rposition(|buf| !buf.is_empty());
    let mut total = 0;
    for (index, buf) in bufs.iter().enumerate().filter(|(_, buf)| !buf.is_empty()) {
        let more = Some(index) != last && total < MOST;
        let result = if more { socket.send_more(now, buf) } else { socket.send(now, buf) };
        match result {
            Ok(count) => {
                total += count;
                if count < buf.len() || !more {
                    finish(socket, now, more);
                    break;
                }
            }
            Err(error) => {
                finish(socket, now, true);
                return if total > 0 { Ok(total) } else { Err(error) };
            }
        }
    }
    Ok(total)
}

/// Nothing follows after all what was announced to have more behind it.
fn finish(socket: &mut Socket<'_>, now: Instant, announced: bool) {
    if announced {
        let _ = socket.send(now, &[]);
    }
}
