//! Socket options: any of them by its name, and the methods of those that programs use.
//!
//! [`TcpSocket`], [`TcpStream`] and [`TcpListener`] have the generic pair `set_option` and `option`. The named methods
//! stand in one file for each level of Linux's options; every value reads as Linux's getsockopt() gives it, the
//! system's setting where the socket has none of its own. What a listener is given its streams inherit.
//!
//! Privilege is never asked for: a netstack belongs to the program that it lives in.

mod ip;
mod socket;
mod stream;
mod tcp;

pub use ip::PathMtuDiscovery;

use crate::error::io_error;
use crate::handle::Handle;
use crate::listener::TcpListener;
use crate::socket::TcpSocket;
use crate::stream::TcpStream;
use cauce_core::socket::SocketId;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::socket::tcp_info::TcpInfo;
use std::io;
use std::time::Duration;

/// `AF_INET`, as SO_DOMAIN reads.
const AF_INET: i32 = 2;

impl Handle {
    /// An IPv4 socket has none of IPv6's options.
    fn has_level(&self, v6: bool) -> io::Result<()> {
        if v6 && self.call(|socket, now| socket.option(now, OptionName::Domain))? == OptionValue::Int(AF_INET)
        {
            return Err(io_error(Errno::ENOPROTOOPT));
        }
        Ok(())
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        use SocketOption::*;
        self.has_level(matches!(
            option,
            V6Only(_) | UnicastHops(_) | TrafficClass(_) | MtuDiscover6(_) | RecvErr6(_) | MinHopCount(_)
        ))?;
        self.set(option)
    }

    fn option(&self, name: OptionName) -> io::Result<OptionValue> {
        use OptionName::*;
        self.has_level(matches!(
            name,
            V6Only | UnicastHops | TrafficClass | MtuDiscover6 | RecvErr6 | MinHopCount
        ))?;
        self.call(|socket, now| socket.option(now, name))
    }

    /// An option that is a number.
    fn number(&self, name: OptionName) -> io::Result<u64> {
        match self.option(name)? {
            OptionValue::Int(value) => Ok(u64::from(value.cast_unsigned())),
            OptionValue::Long(value) => Ok(value),
            _ => Err(io_error(Errno::ENOPROTOOPT)),
        }
    }

    /// An option that is text, or bytes.
    fn bytes(&self, name: OptionName) -> io::Result<Vec<u8>> {
        match self.option(name)? {
            OptionValue::Bytes(bytes) => Ok(bytes),
            _ => Err(io_error(Errno::ENOPROTOOPT)),
        }
    }
}

/// Whole seconds; what is too long for the option stays too long.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

/// Whole milliseconds; what is too long for the option stays too long.
fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// The `int` of an option; what is too large for it stays the largest.
fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A switch as its number is read.
fn on(value: u64) -> bool {
    value != 0
}

/// The beginning of an example that needs one of them, called `it`, of the family that has all options.
macro_rules! make {
    (TcpSocket) => {
        "# let (net, _peer) = cauce::pair();
let it = cauce::TcpSocket::new_v6(&net)?;"
    };
    (TcpStream) => {
        "# let (left, right) = cauce::pair();
# let _there = right.bind(\"[fd00::2]:80\").await?;
let it = left.connect(\"[fd00::2]:80\").await?;"
    };
    (TcpListener) => {
        "# let (net, _peer) = cauce::pair();
let it = net.bind(\"[::]:80\").await?;"
    };
}

/// Methods that read a number, for each of several faces.
macro_rules! reads {
    ([$($face:ident)*] $body:tt) => { $(reads! { @$face $body })* };
    (@$face:ident {$(
        $(#[$doc:meta])* $get:ident -> $kind:ty = $name:ident as $read:expr;
    )*}) => {
        impl $face {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            #[doc = concat!("println!(\"{:?}\", it.", stringify!($get), "()?);")]
            /// # Ok(()) }
            /// ```
            pub fn $get(&self) -> io::Result<$kind> {
                self.handle.number(OptionName::$name).map($read)
            }
        )*}
    };
}

/// Methods that set an option; the example looks at what `reads` then says.
macro_rules! writes {
    ([$($face:ident)*] $body:tt) => { $(writes! { @$face $body })* };
    (@$face:ident {$(
        $(#[$doc:meta])* $set:ident($value:ident: $kind:ty) = $option:expr,
            example $example:literal reads $get:ident $read:literal;
    )*}) => {
        impl $face {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// `InvalidInput` (`EINVAL`) for a value that is not allowed, or not any more.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            #[doc = concat!("it.", stringify!($set), "(", $example, ")?;")]
            #[doc = concat!("assert_eq!(it.", stringify!($get), "()?, ", $read, ");")]
            /// # Ok(()) }
            /// ```
            pub fn $set(&self, $value: $kind) -> io::Result<()> {
                self.handle.set_option($option)
            }
        )*}
    };
}

/// Pairs of both, which read what was set.
macro_rules! options {
    ($faces:tt {$(
        $(#[$get_doc:meta])* $get:ident -> $kind:ty = $name:ident as $read:expr;
        $(#[$set_doc:meta])* $set:ident($value:ident) = $option:expr, example $example:literal;
    )*}) => {
        reads! { $faces {$( $(#[$get_doc])* $get -> $kind = $name as $read; )*} }
        writes! { $faces {$(
            $(#[$set_doc])* $set($value: $kind) = $option, example $example reads $get $example;
        )*} }
    };
}

use {make, options, reads, writes};

/// What every face has.
macro_rules! generic {
    ($($face:ident)*) => {$(
        impl $face {
            /// Sets any option, as setsockopt() does, but typed: [`SocketOption`] says each one's unit and range.
            ///
            /// SO_RCVTIMEO and SO_SNDTIMEO bound calls that block a thread. None of this crate's does, so here they
            /// are kept and inherited, and `tokio::time::timeout` does what they do elsewhere.
            ///
            /// # Errors
            /// `InvalidInput` (`EINVAL`) for a value out of range, or in a state in which the option cannot be set;
            /// `ENOPROTOOPT` for an option of IPv6 on an IPv4 socket; `EPERM` for TCP_TIMESTAMP; `EOPNOTSUPP` for
            /// what `tcp_fastopen` forbids and for hardware clocks.
            ///
            /// ```
            /// use cauce::{OptionName, OptionValue, SocketOption};
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// it.set_option(SocketOption::MinTtl(255))?;
            /// assert_eq!(it.option(OptionName::MinTtl)?, OptionValue::Int(255));
            /// assert_eq!(it.set_option(SocketOption::MinTtl(256)).unwrap_err().raw_os_error(), Some(22));
            /// # Ok(()) }
            /// ```
            pub fn set_option(&self, option: SocketOption) -> io::Result<()> {
                self.handle.set_option(option)
            }

            /// Reads any option, as getsockopt() does: the system's value where the socket has none of its own.
            /// SO_ERROR and TCP_SAVED_SYN take away what they tell.
            ///
            /// # Errors
            /// `NotConnected` for IP_MTU without a connection, `ENOPROTOOPT` for an option of IPv6 on an IPv4 socket.
            ///
            /// ```
            /// use cauce::{OptionName, OptionValue};
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// assert_eq!(it.option(OptionName::KeepIdle)?, OptionValue::Int(7200));
            /// # Ok(()) }
            /// ```
            pub fn option(&self, name: OptionName) -> io::Result<OptionValue> {
                self.handle.option(name)
            }

            /// Names the socket inside [`Netstack::with_stack`](crate::Netstack::with_stack), whose engine has every
            /// call there is. Stale once this handle is dropped.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// let net = it.netstack();
            /// let family = net.with_stack(|stack, now| stack.socket(it.id()).option(now, cauce::OptionName::Domain));
            /// assert_eq!(family, Ok(cauce::OptionValue::Int(10)));
            /// # Ok(()) }
            /// ```
            pub fn id(&self) -> SocketId {
                self.handle.id
            }

            /// State and counts (TCP_INFO). Of a listener, `unacked` counts the connections that wait to be accepted
            /// and `sacked` is the backlog.
            ///
            /// # Errors
            /// `ENETDOWN` when the netstack is over.
            ///
            /// ```
            /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
            #[doc = make!($face)]
            /// println!("{:?}", it.tcp_info()?);
            /// # Ok(()) }
            /// ```
            pub fn tcp_info(&self) -> io::Result<TcpInfo> {
                let now = self.handle.shard.now();
                self.handle.look(|socket| socket.tcp_info(now))
            }
        }
    )*};
}

generic!(TcpSocket TcpStream TcpListener);
