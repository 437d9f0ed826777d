//! Sockets: the user's calls and their POSIX meaning, still without IO (RFC 9293 3.9.1; REQUIREMENTS 3).
//!
//! A [`Socket`] is a view on one socket of a [`Stack`] for the length of a call. No call here waits: what
//! cannot be done now says `EAGAIN` or `EINPROGRESS`, and [`Stack::poll_event`] tells when to try again.
//! tokio streams, descriptors and virtual time are thin layers over these calls.

pub mod call;
pub mod errno;
pub mod error_queue;
mod faces;
pub(crate) mod leftover;
pub mod options;
pub mod readiness;
pub mod tcp_info;
pub mod timestamping;
mod transfer;

use self::error_queue::ErrorQueue;
use crate::connection::flag;
use crate::stack::{PortHold, Stack};
use crate::sysctl::AlgorithmName;
use crate::time::Instant;
use bytes::Bytes;
use core::net::SocketAddr;
use errno::Errno;
use leftover::Leftover;
use options::{SocketOption, SocketOptions};
use readiness::Readiness;
use tcp_info::TcpInfo;

pub use crate::connection::user_calls::{ReadFlags, SendFlags};

slotmap::new_key_type! {
    /// Names a socket of one stack. A stale id never names another socket.
    pub struct SocketId;
}

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// AF_INET.
    V4,
    /// AF_INET6; unless IPV6_V6ONLY is set it speaks IPv4 too, in mapped addresses.
    V6,
}

/// Which directions to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SHUT_RD.
    Read,
    /// SHUT_WR.
    Write,
    /// SHUT_RDWR.
    Both,
}

impl Shutdown {
    /// As bits of a connection's flags.
    pub(crate) fn flags(self) -> u16 {
        match self {
            Shutdown::Read => flag::RCV_SHUTDOWN,
            Shutdown::Write => flag::SND_SHUTDOWN,
            Shutdown::Both => flag::RCV_SHUTDOWN | flag::SND_SHUTDOWN,
        }
    }
}

/// The congestion control that a socket is to use (S-12).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlgorithmChoice {
    /// The system's when the socket was made, or the user's.
    pub(crate) name: AlgorithmName,
    /// The user's: children of a listener take it over, instead of what is the system's when they are made.
    pub(crate) by_user: bool,
}

/// A socket that is neither listening nor connected.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) family: Family,
    pub(crate) options: SocketOptions,
    pub(crate) bound: Option<crate::stack::listeners::ListenAddr>,
    pub(crate) hold: PortHold,
    pub(crate) algorithm: AlgorithmChoice,
    /// What a lost connection left behind, until a call tells it.
    pub(crate) error: Option<Errno>,
    pub(crate) leftover: Leftover,
    /// Messages of a lost connection that nobody has read yet, which outlive it (Linux).
    pub(crate) messages: ErrorQueue,
    /// Directions that were shut down although there was no connection, as bits of a connection's flags: Linux refuses
    /// that and remembers it.
    pub(crate) shut: u16,
}

/// The user's calls on one socket.
///
/// ```
/// use cauce_core::socket::{Family, errno::Errno};
/// use cauce_core::stack::Stack;
/// use cauce_core::sysctl::Sysctls;
/// use cauce_core::time::Instant;
/// let mut n = 0u64;
/// let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let id = stack.open(Family::V4).unwrap();
/// let mut buffer = [0; 16];
/// assert_eq!(stack.socket(id).recv(Instant::ZERO, &mut buffer), Err(Errno::ENOTCONN));
/// ```
#[derive(Debug)]
pub struct Socket<'a> {
    stack: &'a mut Stack,
    id: SocketId,
}

impl<'a> Socket<'a> {
    pub(crate) fn new(stack: &'a mut Stack, id: SocketId) -> Self {
        Socket { stack, id }
    }

    /// Binds to a local address and port; port 0 chooses one.
    ///
    /// # Errors
    /// `EAFNOSUPPORT`, `EADDRNOTAVAIL` (not an address of this stack), `EADDRINUSE`, `EINVAL` (bound already).
    pub fn bind(&mut self, addr: SocketAddr) -> Result<(), Errno> {
        self.stack.bind(self.id, addr)
    }

    /// Listens for connections, or changes the backlog of a listener. An unbound socket gets a port.
    ///
    /// # Errors
    /// `EINVAL` on a connected socket, `EADDRINUSE`.
    pub fn listen(&mut self, backlog: u32) -> Result<(), Errno> {
        self.stack.listen(self.id, backlog)
    }

    /// Listens on every port of the bound address, or of every address: a transparent proxy's listener. The
    /// accepted socket's local address is the one that the peer wanted to reach.
    ///
    /// # Errors
    /// `EINVAL` unless the socket is fresh and IP_TRANSPARENT is set.
    pub fn listen_any(&mut self, backlog: u32) -> Result<(), Errno> {
        self.stack.listen_any(self.id, backlog)
    }

    /// Takes the oldest connection that is ready.
    ///
    /// # Errors
    /// `EAGAIN` when there is none, `EINVAL` when the socket does not listen.
    pub fn accept(&mut self, now: Instant) -> Result<SocketId, Errno> {
        self.stack.accept(self.id, now)
    }

    /// Starts to connect, or tells how it went.
    ///
    /// # Errors
    /// `EINPROGRESS` when the handshake has begun, `EALREADY` while it lasts, `EISCONN` afterwards (the first
    /// call after success returns `Ok`), the handshake's error, `ENETUNREACH`, `EHOSTUNREACH`,
    /// `EADDRNOTAVAIL` when no local port is left.
    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> Result<(), Errno> {
        self.stack.connect(self.id, now, remote)
    }

    /// Opens the connection with as much of `data` as its SYN may carry (Fast Open, RFC 7413; MSG_FASTOPEN). Returns
    /// how much that is; the rest is to be sent when the handshake is over. On a socket that has been connected before
    /// it goes on as [`Socket::connect`] and [`Socket::send`] would.
    ///
    /// # Errors
    /// `EINPROGRESS` when the SYN carries nothing, `EOPNOTSUPP` unless `tcp_fastopen` allows it, and those of
    /// [`Socket::connect`].
    pub fn connect_with_data(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        data: &[u8],
    ) -> Result<usize, Errno> {
        self.stack.open_for_write(self.id, now, Some(remote))?;
        self.send(now, data)
    }

    /// Copies bytes into the send buffer. Returns how many it took.
    ///
    /// # Errors
    /// `EAGAIN` when the buffer is full, `EPIPE`, or the connection's error.
    pub fn send(&mut self, now: Instant, data: &[u8]) -> Result<usize, Errno> {
        self.send_with(now, data, SendFlags::default())
    }

    /// As [`Socket::send`], announcing that more follows at once (MSG_MORE).
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub fn send_more(&mut self, now: Instant, data: &[u8]) -> Result<usize, Errno> {
        self.send_with(now, data, SendFlags { more: true, ..SendFlags::default() })
    }

    /// Lets go what [`Socket::send_more`] holds back: nothing follows after all.
    ///
    /// # Errors
    /// `EPIPE` without a connection.
    pub fn push(&mut self, now: Instant) -> Result<(), Errno> {
        self.stack.with_connection(self.id, now, Errno::EPIPE, |conn, _| {
            conn.nothing_follows();
            Ok(())
        })
    }

    /// Takes bytes over without a copy, as far as there is room; the rest stays in `data`.
    ///
    /// # Errors
    /// As [`Socket::send`].
    pub fn send_bytes(&mut self, now: Instant, data: &mut Bytes) -> Result<usize, Errno> {
        self.send_bytes_with(now, data, SendFlags::default())
    }

    /// Reads into `buffer`; 0 is the end of the stream.
    ///
    /// # Errors
    /// `EAGAIN` when nothing has arrived, `ENOTCONN`, or the connection's error.
    pub fn recv(&mut self, now: Instant, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.recv_with(now, buffer, ReadFlags::default())
    }

    /// Reads without taking the bytes away (MSG_PEEK).
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn peek(&mut self, now: Instant, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.recv_with(now, buffer, ReadFlags { peek: true, ..ReadFlags::default() })
    }

    /// Reads as `flags` say.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn recv_with(&mut self, now: Instant, buffer: &mut [u8], flags: ReadFlags) -> Result<usize, Errno> {
        if flags.out_of_band && self.stack.is_idle(self.id) {
            return Err(Errno::EINVAL);
        }
        let max = buffer.len();
        let mut filled = 0;
        self.stack.with_reader(self.id, now, |conn, cx| {
            let mut sink = |bytes: &[u8]| {
                let take = bytes.len().min(buffer.len() - filled);
                buffer[filled..filled + take].copy_from_slice(&bytes[..take]);
                filled += take;
                take
            };
            conn.receive(max, flags, &mut sink, cx)
        })
    }

    /// Takes the next run of bytes, at most `max`; empty at the end of the stream. They are not copied unless `max` is
    /// below `tcp_dma_copybreak`.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    pub fn recv_bytes(&mut self, now: Instant, max: usize) -> Result<Bytes, Errno> {
        self.stack.with_reader(self.id, now, |conn, cx| conn.receive_bytes(max, cx))
    }

    /// Closes one or both directions.
    ///
    /// # Errors
    /// `ENOTCONN` when there is no connection.
    pub fn shutdown(&mut self, now: Instant, how: Shutdown) -> Result<(), Errno> {
        self.stack.shutdown(self.id, now, how)
    }

    /// Lets go of the socket: what was written is still delivered, unless SO_LINGER says otherwise or unread
    /// bytes are thrown away, which resets. The id is stale afterwards.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn close(&mut self, now: Instant) -> Result<(), Errno> {
        self.stack.close(self.id, now)
    }

    /// Resets the connection and lets go of the socket (ABORT).
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn abort(&mut self, now: Instant) -> Result<(), Errno> {
        self.stack.abort(self.id, now)
    }

    /// What poll(2) would say.
    pub fn readiness(&self) -> Readiness {
        self.stack.readiness(self.id)
    }

    /// Takes the pending error away (SO_ERROR), then the soft one.
    pub fn take_error(&mut self) -> Option<Errno> {
        self.stack.take_error(self.id)
    }

    /// Changes an option.
    ///
    /// # Errors
    /// `EINVAL` for a value out of range or a state in which the option cannot be set.
    pub fn set_option(&mut self, now: Instant, option: SocketOption) -> Result<(), Errno> {
        self.stack.set_option(self.id, now, option)
    }

    /// The options as they are.
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn options(&self) -> Result<&SocketOptions, Errno> {
        self.stack.options(self.id)
    }

    /// Chooses the congestion control by name (TCP_CONGESTION).
    ///
    /// # Errors
    /// `ENOENT` for a name that nobody registered.
    pub fn set_congestion(&mut self, now: Instant, name: &str) -> Result<(), Errno> {
        self.stack.set_congestion(self.id, now, name)
    }

    /// The local address.
    ///
    /// # Errors
    /// `EBADF` for a stale id, `EINVAL` before anything gave the socket one.
    pub fn local_addr(&self) -> Result<SocketAddr, Errno> {
        self.stack.local_addr(self.id)
    }

    /// The peer's address.
    ///
    /// # Errors
    /// `ENOTCONN` without a connection.
    pub fn peer_addr(&self) -> Result<SocketAddr, Errno> {
        self.stack.peer_addr(self.id)
    }

    /// The state and the counts of the connection (STATUS, TCP_INFO).
    ///
    /// # Errors
    /// `EBADF` for a stale id.
    pub fn tcp_info(&self, now: Instant) -> Result<TcpInfo, Errno> {
        self.stack.tcp_info(self.id, now)
    }

    /// Bytes that can be read without waiting, up to an urgent mark (SIOCINQ; A-20).
    pub fn bytes_to_read(&self) -> usize {
        self.stack.connection(self.id).map_or(0, |conn| conn.bytes_to_read())
    }

    /// Bytes written and not acknowledged, and of those the ones not sent yet (SIOCOUTQ, SIOCOUTQNSD; A-21). A FIN
    /// counts as a byte. Without a connection it is what the last one has left.
    pub fn bytes_queued(&self) -> (usize, usize) {
        self.stack.bytes_queued(self.id)
    }
}
