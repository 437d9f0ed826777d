//! Options of the socket level (REQUIREMENTS O-30 to O-44), but those that `tokio::net` has too.

use super::{int, make, on, options, reads, writes};
use crate::error::io_error;
use crate::listener::TcpListener;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, SocketOption};
use std::io;

/// SO_BUF_LOCK: the send buffer keeps its size.
const SEND_LOCK: u64 = 1;
/// SO_BUF_LOCK: the receive buffer keeps its size.
const RECV_LOCK: u64 = 2;

options! { [TcpSocket TcpStream TcpListener] {
    /// The highest pacing rate in bytes per second (SO_MAX_PACING_RATE), `u64::MAX` for none.
    max_pacing_rate -> u64 = MaxPacingRate as |rate| rate;
    /// Sets SO_MAX_PACING_RATE.
    set_max_pacing_rate(rate) = SocketOption::MaxPacingRate(rate), example "1_000_000";

    /// True when urgent bytes stay in the stream (SO_OOBINLINE).
    oob_inline -> bool = OobInline as on;
    /// Sets SO_OOBINLINE: the urgent byte stays in the stream, and [`TcpStream::at_mark`] tells where it is.
    set_oob_inline(inline) = SocketOption::OobInline(inline), example "true";

    /// How many bytes make a stream readable (SO_RCVLOWAT).
    recv_lowat -> u32 = RecvLowat as |bytes| bytes as u32;
    /// Sets SO_RCVLOWAT, at most half of the largest receive buffer. Fewer bytes make nobody wake up, but a read takes
    /// what is there.
    set_recv_lowat(bytes) = SocketOption::RecvLowat(int(bytes)), example "100";

    /// A number that goes out with each packet, for the device's scheduler (SO_PRIORITY).
    priority -> i32 = Priority as |priority| (priority as u32).cast_signed();
    /// Sets SO_PRIORITY. Streams accepted do not inherit it.
    set_priority(priority) = SocketOption::Priority(priority), example "6";

    /// A number that goes out with each packet (SO_MARK).
    mark -> u32 = Mark as |mark| mark as u32;
    /// Sets SO_MARK.
    set_mark(mark) = SocketOption::Mark(mark), example "0x2a";

    /// The queue of the device whose connections a listener that shares its port prefers (SO_INCOMING_CPU).
    incoming_cpu -> Option<u16> = IncomingCpu as |queue| u16::try_from(queue).ok();
    /// Sets SO_INCOMING_CPU; `None` for no preference.
    set_incoming_cpu(queue) = SocketOption::IncomingCpu(queue.map_or(-1, i32::from)), example "Some(1)";

    /// True when zero-copy sends are answered by notices (SO_ZEROCOPY).
    zero_copy -> bool = ZeroCopy as on;
    /// Sets SO_ZEROCOPY: sends with [`SendFlags::zero_copy`](crate::SendFlags::zero_copy) are counted from 0, and
    /// [`TcpStream::recv_error`] tells when their bytes are free.
    set_zero_copy(notices) = SocketOption::ZeroCopy(i32::from(notices)), example "true";

    /// Which moments of packets are reported, as bits of [`Timestamping`](crate::Timestamping) (SO_TIMESTAMPING).
    timestamping -> u32 = Timestamping as |bits| bits as u32;
    /// Sets SO_TIMESTAMPING: moments of sent bytes come through [`TcpStream::recv_error`], those of received bytes with
    /// [`TcpStream::recv_with`]. Offsets (OPT_ID) need a connection.
    set_timestamping(bits) = SocketOption::Timestamping(bits),
        example "cauce::Timestamping::TX_ACK | cauce::Timestamping::SOFTWARE";

    /// True when reads tell when their newest byte arrived (SO_TIMESTAMPNS).
    recv_timestamps -> bool = ReceiveTimestampNanos as on;
    /// Sets SO_TIMESTAMPNS: [`TcpStream::recv_with`] fills in [`Received::arrived`](crate::Received::arrived).
    set_recv_timestamps(stamps) = SocketOption::ReceiveTimestampNanos(stamps), example "true";

    /// Where the next peek begins; `None` for always at the front (SO_PEEK_OFF).
    peek_offset -> Option<u32> = PeekOffset as |offset| u32::try_from(offset).ok().filter(|at| *at <= i32::MAX as u32);
    /// Sets SO_PEEK_OFF: peeks go on where the last one ended, and reads take the offset back.
    set_peek_offset(offset) = SocketOption::PeekOffset(offset.map_or(-1, int)), example "Some(0)";

    /// True when only peers on the own link are reached (SO_DONTROUTE).
    dont_route -> bool = DontRoute as on;
    /// Sets SO_DONTROUTE: routes through a gateway do not count.
    set_dont_route(on_link) = SocketOption::DontRoute(on_link), example "true";
}}

reads! { [TcpSocket TcpStream TcpListener] {
    /// True for a socket that listens (SO_ACCEPTCONN).
    is_listening -> bool = AcceptConn as on;

    /// A number that no other socket of the netstack ever has (SO_COOKIE).
    cookie -> u64 = Cookie as |cookie| cookie;
}}

reads! { [TcpListener] {
    /// The size of the send buffer in bytes, twice what was set (SO_SNDBUF).
    send_buffer_size -> u32 = SendBuffer as |bytes| bytes as u32;
    /// The size of the receive buffer in bytes, twice what was set (SO_RCVBUF).
    recv_buffer_size -> u32 = RecvBuffer as |bytes| bytes as u32;
}}

writes! { [TcpStream TcpListener] {
    /// Fixes the size of the send buffer in bytes (SO_SNDBUF), at most `net.core.wmem_max`. The engine doubles it, as
    /// Linux does, to have room for its own books.
    set_send_buffer_size(bytes: u32) = SocketOption::SendBuffer(int(bytes)),
        example "100_000" reads send_buffer_size "200_000";
    /// Fixes the size of the receive buffer in bytes (SO_RCVBUF), at most `net.core.rmem_max`. The engine doubles it,
    /// as Linux does, to have room for its own books.
    set_recv_buffer_size(bytes: u32) = SocketOption::RecvBuffer(int(bytes)),
        example "100_000" reads recv_buffer_size "200_000";
}}

writes! { [TcpSocket TcpStream TcpListener] {
    /// As [`TcpStream::set_send_buffer_size`], beyond `net.core.wmem_max` (SO_SNDBUFFORCE).
    force_send_buffer_size(bytes: u32) = SocketOption::SendBufferForce(int(bytes)),
        example "50_000_000" reads send_buffer_size "100_000_000";
    /// As [`TcpStream::set_recv_buffer_size`], beyond `net.core.rmem_max` (SO_RCVBUFFORCE).
    force_recv_buffer_size(bytes: u32) = SocketOption::RecvBufferForce(int(bytes)),
        example "50_000_000" reads recv_buffer_size "100_000_000";
}}

/// The options whose values are no numbers.
macro_rules! others {
    ($($face:ident)*) => {$(
        impl $face {
            /// True for each buffer, of sending and of receiving, that keeps its size instead of following the peer
            /// (SO_BUF_LOCK).
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.set_recv_buffer_size(100_000)?;
            /// assert_eq!(it.buffer_locks()?, (false, true));
            /// # Ok(()) }
            /// ```
            pub fn buffer_locks(&self) -> io::Result<(bool, bool)> {
                let locks = self.handle.number(OptionName::BufLock)?;
                Ok((locks & SEND_LOCK != 0, locks & RECV_LOCK != 0))
            }

            /// Fixes the sizes of the buffers as they are, or lets them follow the peer again (SO_BUF_LOCK).
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.set_buffer_locks(true, false)?;
            /// assert_eq!(it.buffer_locks()?, (true, false));
            /// # Ok(()) }
            /// ```
            pub fn set_buffer_locks(&self, send: bool, recv: bool) -> io::Result<()> {
                let bits = i32::from(send) * SEND_LOCK as i32 | i32::from(recv) * RECV_LOCK as i32;
                self.handle.set(SocketOption::BufLock(bits))
            }

            /// Speaks over the device of this name only; `None` for all (SO_BINDTODEVICE). `lo` is the netstack's own.
            ///
            /// # Errors
            /// `ENODEV` when there is none of that name.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.bind_device(Some(b"lo"))?;
            /// assert_eq!(it.device()?.unwrap(), b"lo");
            /// assert_eq!(it.bind_device(Some(b"nowhere0")).unwrap_err().raw_os_error(), Some(19));
            /// # Ok(()) }
            /// ```
            pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
                let id = self.handle.id;
                self.handle.shard.call(|core, now| {
                    let name = interface.map(String::from_utf8_lossy).filter(|name| !name.is_empty());
                    let device = match name {
                        Some(name) => {
                            let found = core.stack.interfaces().by_name(&name);
                            Some(found.ok_or_else(|| io_error(Errno::ENODEV))?)
                        }
                        None => None,
                    };
                    let bound = core.stack.socket(id).set_option(now, SocketOption::BindToDevice(device));
                    bound.map_err(crate::handle::closed_under)
                })
            }

            /// The name of the only device that it speaks over; `None` for all (SO_BINDTODEVICE).
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// assert_eq!(it.device()?, None);
            /// # Ok(()) }
            /// ```
            pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
                self.handle.bytes(OptionName::BindToDevice).map(|name| Some(name).filter(|name| !name.is_empty()))
            }
        }
    )*};
}

others!(TcpSocket TcpStream TcpListener);
