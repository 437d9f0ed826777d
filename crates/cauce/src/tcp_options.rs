//! Options of tcp(7) that `tokio::net` lacks, for sockets before they connect and for streams alike.
//!
//! Every value reads as Linux's getsockopt() gives it: the system's setting where the socket has none of its own.
//! What a listener is given its streams inherit.

use crate::error::io_error;
use crate::handle::Handle;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use std::io;
use std::time::Duration;

/// An option that is a number.
fn number(handle: &Handle, name: OptionName) -> io::Result<u64> {
    match handle.call(|socket, now| socket.option(now, name))? {
        OptionValue::Int(value) => Ok(u64::from(value.cast_unsigned())),
        OptionValue::Long(value) => Ok(value),
        _ => Err(io_error(Errno::ENOPROTOOPT)),
    }
}

/// Whole seconds; what is too long for the option stays too long.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Writes a pair of methods for each option: `$face` has it, and `$make` makes one called `it`.
macro_rules! options {
    ($face:ident, $make:literal, $(
        $(#[$get_doc:meta])* $get:ident -> $kind:ty = $name:ident as $read:expr;
        $(#[$set_doc:meta])* $set:ident($value:ident) = $option:expr, example $example:literal;
    )*) => {
        impl $face {$(
            $(#[$get_doc])*
            ///
            /// # Errors
            /// When the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = $make]
            #[doc = concat!("println!(\"{:?}\", it.", stringify!($get), "()?);")]
            /// # Ok(()) }
            /// ```
            pub fn $get(&self) -> io::Result<$kind> {
                number(&self.handle, OptionName::$name).map($read)
            }

            $(#[$set_doc])*
            ///
            /// # Errors
            /// `InvalidInput` (`EINVAL`) for a value that is not allowed.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = $make]
            #[doc = concat!("it.", stringify!($set), "(", $example, ")?;")]
            #[doc = concat!("assert_eq!(it.", stringify!($get), "()?, ", $example, ");")]
            /// # Ok(()) }
            /// ```
            pub fn $set(&self, $value: $kind) -> io::Result<()> {
                self.handle.set($option)
            }
        )*}
    };
}

/// The options of both.
macro_rules! shared {
    ($face:ident, $make:literal) => {
        options! { $face, $make,
            /// How long a connection is idle before its peer is probed (TCP_KEEPIDLE).
            keepalive_idle -> Duration = KeepIdle as Duration::from_secs;
            /// Sets TCP_KEEPIDLE, in whole seconds, 1 to 32,767.
            set_keepalive_idle(idle) = SocketOption::KeepIdle(seconds(idle)),
                example "std::time::Duration::from_secs(60)";

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
            set_rto_max(span) = SocketOption::RtoMax(millis(span).try_into().unwrap_or(i32::MAX)),
                example "std::time::Duration::from_secs(5)";

            /// The highest pacing rate in bytes per second (SO_MAX_PACING_RATE), `u64::MAX` for none.
            max_pacing_rate -> u64 = MaxPacingRate as |rate| rate;
            /// Sets SO_MAX_PACING_RATE.
            set_max_pacing_rate(rate) = SocketOption::MaxPacingRate(rate), example "1_000_000";
        }
    };
}

shared!(
    TcpSocket,
    "let (net, _peer) = cauce::pair();
let it = cauce::TcpSocket::new_v4(&net)?;"
);
shared!(TcpStream, "let (it, _server) = cauce::stream_pair().await?;");

options! { TcpSocket,
    "let (net, _peer) = cauce::pair();
let it = cauce::TcpSocket::new_v4(&net)?;",
    /// How many seconds a listener waits for the first data before it takes a connection without (TCP_DEFER_ACCEPT);
    /// rounded up to a number of retransmissions.
    defer_accept -> u32 = DeferAccept as |seconds| seconds as u32;
    /// Sets TCP_DEFER_ACCEPT; 0 switches it off.
    set_defer_accept(seconds) = SocketOption::DeferAccept(i32::try_from(seconds).unwrap_or(i32::MAX)), example "3";

    /// How long sent data may stay unacknowledged in milliseconds, 0 for as long as retries last (TCP_USER_TIMEOUT).
    user_timeout_ms -> u32 = UserTimeout as |millis| millis as u32;
    /// Sets TCP_USER_TIMEOUT.
    set_user_timeout_ms(millis) = SocketOption::UserTimeout(millis), example "20_000";
}

impl TcpStream {
    /// Payload bytes of a full segment (TCP_MAXSEG).
    ///
    /// # Errors
    /// When the netstack is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let (it, _server) = cauce::stream_pair().await?;
    /// assert_eq!(it.max_segment()?, 1448);
    /// # Ok(()) }
    /// ```
    pub fn max_segment(&self) -> io::Result<u32> {
        number(&self.handle, OptionName::MaxSegment).map(|bytes| bytes as u32)
    }
}
