//! Options of the TCP level (REQUIREMENTS O-01 to O-26), but those that `tokio::net` has too.

use super::{int, make, millis, on, options, reads, seconds, writes};
use crate::error::io_error;
use crate::listener::TcpListener;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::congestion::CcInfo;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, SocketOption};
use cauce_core::sysctl::FastOpenKeys;
use std::io;
use std::time::Duration;

options! { [TcpSocket TcpStream TcpListener] {
    /// How long a connection is idle before its peer is probed (TCP_KEEPIDLE).
    keepalive_idle -> Duration = KeepIdle as Duration::from_secs;
    /// Sets TCP_KEEPIDLE, in whole seconds, 1 to 32,767.
    set_keepalive_idle(idle) = SocketOption::KeepIdle(seconds(idle)), example "std::time::Duration::from_secs(60)";

    /// The time between probes that are not answered (TCP_KEEPINTVL).
    keepalive_interval -> Duration = KeepInterval as Duration::from_secs;
    /// Sets TCP_KEEPINTVL, in whole seconds, 1 to 32,767.
    set_keepalive_interval(interval) = SocketOption::KeepInterval(seconds(interval)),
        example "std::time::Duration::from_secs(10)";

    /// After how many probes without an answer the connection is given up (TCP_KEEPCNT).
    keepalive_count -> u32 = KeepCount as |count| count as u32;
    /// Sets TCP_KEEPCNT, 1 to 127.
    set_keepalive_count(count) = SocketOption::KeepCount(count), example "3";

    /// Seconds that FIN-WAIT-2 lasts after a close; -1 when there is no such stay (TCP_LINGER2).
    linger2 -> i32 = Linger2 as |seconds| (seconds as u32).cast_signed();
    /// Sets TCP_LINGER2, at most 120 seconds: 0 for the system's value, below 0 for no stay at all.
    set_linger2(seconds) = SocketOption::Linger2(seconds), example "5";

    /// How often the SYN is repeated before connecting is given up (TCP_SYNCNT).
    syn_count -> u32 = SynCount as |count| count as u32;
    /// Sets TCP_SYNCNT, 1 to 127.
    set_syn_count(count) = SocketOption::SynCount(count), example "2";

    /// The largest window in bytes that is offered to the peer (TCP_WINDOW_CLAMP).
    window_clamp -> u32 = WindowClamp as |bytes| bytes as u32;
    /// Sets TCP_WINDOW_CLAMP. 0, for no bound, is allowed before there is a connection.
    set_window_clamp(bytes) = SocketOption::WindowClamp(bytes), example "30_000";

    /// With how many bytes unsent there is no room to write (TCP_NOTSENT_LOWAT); 0 for the system's value.
    notsent_lowat -> u32 = NotSentLowat as |bytes| bytes as u32;
    /// Sets TCP_NOTSENT_LOWAT.
    set_notsent_lowat(bytes) = SocketOption::NotSentLowat(bytes), example "16_384";

    /// The longest retransmission time-out (TCP_RTO_MAX_MS).
    rto_max -> Duration = RtoMax as Duration::from_millis;
    /// Sets TCP_RTO_MAX_MS, 1 to 120 seconds.
    set_rto_max(span) = SocketOption::RtoMax(int(millis(span))), example "std::time::Duration::from_secs(5)";

    /// True when time-outs of a thin stream do not double (TCP_THIN_LINEAR_TIMEOUTS).
    thin_linear_timeouts -> bool = ThinLinearTimeouts as on;
    /// Sets TCP_THIN_LINEAR_TIMEOUTS: up to six time-outs keep their length while few segments are outstanding.
    set_thin_linear_timeouts(thin) = SocketOption::ThinLinearTimeouts(i32::from(thin)), example "true";

    /// True when reads tell how many bytes are left (TCP_INQ).
    inq -> bool = Inq as on;
    /// Sets TCP_INQ: [`TcpStream::recv_with`] fills in [`Received::left`](crate::Received::left).
    set_inq(inq) = SocketOption::Inq(i32::from(inq)), example "true";
}}

options! { [TcpSocket TcpListener] {
    /// True when small segments are held back (TCP_CORK).
    cork -> bool = Cork as on;
    /// Sets TCP_CORK; see [`TcpStream::set_cork`].
    set_cork(cork) = SocketOption::Cork(cork), example "true";

    /// How long sent data may stay unacknowledged before the connection is given up (TCP_USER_TIMEOUT); `None` leaves
    /// it to `tcp_retries2`.
    user_timeout -> Option<Duration> = UserTimeout as timeout;
    /// Sets TCP_USER_TIMEOUT, in milliseconds up to 2^31 - 1.
    set_user_timeout(timeout) = SocketOption::UserTimeout(timeout.map_or(0, millis)),
        example "Some(std::time::Duration::from_secs(20))";

    /// How many seconds a listener waits for the first data before it takes a connection without (TCP_DEFER_ACCEPT);
    /// rounded up to a number of retransmissions.
    defer_accept -> u32 = DeferAccept as |seconds| seconds as u32;
    /// Sets TCP_DEFER_ACCEPT; 0 switches it off.
    set_defer_accept(seconds) = SocketOption::DeferAccept(int(seconds)), example "3";

    /// True when a listener keeps the headers of SYNs for [`TcpStream::take_saved_syn`] (TCP_SAVE_SYN).
    save_syn -> bool = SaveSyn as on;
    /// Sets TCP_SAVE_SYN.
    set_save_syn(save) = SocketOption::SaveSyn(i32::from(save)), example "true";

    /// How many connections may wait for the end of their handshake after their SYN has brought data (TCP_FASTOPEN);
    /// 0 when the data of SYNs is not taken.
    fast_open -> u32 = FastOpen as |pending| pending as u32;
    /// Lets a listener take data from SYNs (TCP_FASTOPEN), with `tcp_fastopen` bit 0x2: at most `pending` of its
    /// connections may wait for the end of their handshake, and at most `net.core.somaxconn`.
    set_fast_open(pending) = SocketOption::FastOpen(int(pending)), example "16";

    /// True when Fast Open asks for no cookie, on either side (TCP_FASTOPEN_NO_COOKIE).
    fast_open_no_cookie -> bool = FastOpenNoCookie as on;
    /// Sets TCP_FASTOPEN_NO_COOKIE: only where nobody forges addresses.
    set_fast_open_no_cookie(without) = SocketOption::FastOpenNoCookie(i32::from(without)), example "true";
}}

options! { [TcpSocket] {
    /// True when connecting to a peer whose cookie is known waits for the first write (TCP_FASTOPEN_CONNECT).
    fast_open_connect -> bool = FastOpenConnect as on;
    /// Sets TCP_FASTOPEN_CONNECT: [`TcpSocket::connect`] then returns at once, and the first write opens the connection
    /// with its data. `EOPNOTSUPP` unless `tcp_fastopen` has the bit 0x1.
    set_fast_open_connect(by_write) = SocketOption::FastOpenConnect(i32::from(by_write)), example "true";
}}

options! { [TcpListener] {
    /// True when the streams accepted send small segments at once (TCP_NODELAY).
    nodelay -> bool = NoDelay as on;
    /// Sets TCP_NODELAY for the streams accepted from now on.
    set_nodelay(nodelay) = SocketOption::NoDelay(nodelay), example "true";
}}

reads! { [TcpSocket TcpStream TcpListener] {
    /// Payload bytes of a full segment; before there is a connection, what was set, or 536 (TCP_MAXSEG).
    max_segment -> u32 = MaxSegment as |bytes| bytes as u32;
}}

writes! { [TcpSocket TcpListener] {
    /// Largest segment in bytes, 88 to 32,767 (TCP_MAXSEG); 0 takes the limit off.
    set_max_segment(bytes: u32) = SocketOption::MaxSegment(bytes), example "1000" reads max_segment "1000";
}}

reads! { [TcpStream] {
    /// What the clock of the connection's time stamps shows, in the unit of its segments' (TCP_TIMESTAMP).
    timestamp_clock -> u32 = Timestamp as |ticks| ticks as u32;
}}

/// The options whose values are no numbers.
macro_rules! others {
    ($($face:ident)*) => {$(
        impl $face {
            /// Sets the keys of this listener's Fast Open cookies, instead of the system's (TCP_FASTOPEN_KEY): 16
            /// bytes, or 32 with an older key behind that still validates.
            ///
            /// # Errors
            /// `InvalidInput` (`EINVAL`) for other lengths.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.set_fast_open_key(&[7; 16])?;
            /// assert_eq!(it.fast_open_key()?, [7; 16]);
            /// # Ok(()) }
            /// ```
            pub fn set_fast_open_key(&self, keys: &[u8]) -> io::Result<()> {
                let keys = FastOpenKeys::from_bytes(keys).ok_or_else(|| io_error(Errno::EINVAL))?;
                self.handle.set(SocketOption::FastOpenKey(keys))
            }

            /// The keys of this listener's cookies; nothing when it uses the system's (TCP_FASTOPEN_KEY).
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// assert!(it.fast_open_key()?.is_empty());
            /// # Ok(()) }
            /// ```
            pub fn fast_open_key(&self) -> io::Result<Vec<u8>> {
                self.handle.bytes(OptionName::FastOpenKey)
            }

            /// The name of the congestion control (TCP_CONGESTION).
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// assert_eq!(it.congestion()?, "cubic");
            /// # Ok(()) }
            /// ```
            pub fn congestion(&self) -> io::Result<String> {
                self.handle.look(|socket| socket.congestion().map(String::from))
            }

            /// Chooses the congestion control by name (TCP_CONGESTION).
            ///
            /// # Errors
            /// `NotFound` (`ENOENT`) when there is none of that name.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.set_congestion("reno")?;
            /// assert_eq!(it.congestion()?, "reno");
            /// # Ok(()) }
            /// ```
            pub fn set_congestion(&self, name: &str) -> io::Result<()> {
                self.handle.call(|socket, now| socket.set_congestion(now, name))
            }
        }
    )*};
}

others!(TcpSocket TcpListener);

impl TcpStream {
    /// Takes away the headers of the SYN that opened the connection, from the IP header on (TCP_SAVED_SYN): once, and
    /// if the listener had [`TcpListener::set_save_syn`].
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (left, right) = cauce::pair();
    /// let listener = right.bind("10.0.0.2:80").await?;
    /// listener.set_save_syn(true)?;
    /// let _client = left.connect("10.0.0.2:80").await?;
    /// let (stream, _) = listener.accept().await?;
    /// let syn = stream.take_saved_syn()?.unwrap();
    /// assert_eq!((syn[0] >> 4, syn[33] & 0x02), (4, 0x02), "IPv4, and the flag");
    /// assert!(stream.take_saved_syn()?.is_none());
    /// # Ok(()) }
    /// ```
    pub fn take_saved_syn(&self) -> io::Result<Option<Vec<u8>>> {
        self.handle.bytes(OptionName::SavedSyn).map(|syn| Some(syn).filter(|syn| !syn.is_empty()))
    }

    /// The state of the congestion control (TCP_CC_INFO); `None` for algorithms that have none to show.
    ///
    /// # Errors
    /// `ENETDOWN` when the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (client, _server) = cauce::stream_pair().await?;
    /// assert!(client.congestion_info()?.is_none(), "CUBIC");
    /// # Ok(()) }
    /// ```
    pub fn congestion_info(&self) -> io::Result<Option<CcInfo>> {
        self.handle.look(|socket| socket.congestion_info())
    }
}

fn timeout(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis)).filter(|span| !span.is_zero())
}
