//! What Cauce does in each measurement.

pub mod bulk;
pub mod memory;
pub mod rtt;
pub mod scale;
pub mod short;
pub mod stream_memory;
pub mod tun;

use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::stack::Stack;
use cauce_core::time::Instant;

/// Reads what is there: 0 when nothing is.
fn read(stack: &mut Stack, id: SocketId, now: Instant, into: &mut [u8]) -> Result<usize, Errno> {
    match stack.socket(id).recv(now, into) {
        Err(Errno::EAGAIN) => Ok(0),
        other => other,
    }
}
