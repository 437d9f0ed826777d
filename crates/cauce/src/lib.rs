//! TCP in user space with the interface of `tokio::net`.
//!
//! A [`Netstack`] is a TCP/IP stack inside the process: it speaks over any [`device::Device`], a TUN, an
//! Ethernet interface, a tunnel of your own ([`packet_channel`]) or a pipe in memory ([`pair`]), and gives
//! [`TcpStream`], [`TcpListener`] and [`TcpSocket`] with the names and the behaviour of tokio's. A server is
//! ten lines:
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     # let tun = cauce::device::pipe(Default::default()).0;
//!     let net = cauce::Netstack::builder().address("10.0.0.2/24").device(tun).build()?;
//!     let listener = cauce::TcpListener::bind(&net, "10.0.0.2:7").await?;
//!     loop {
//!         let (mut stream, _peer) = listener.accept().await?;
//!         tokio::spawn(async move {
//!             let (mut reader, mut writer) = stream.split();
//!             tokio::io::copy(&mut reader, &mut writer).await
//!         });
//!     }
//! }
//! ```
//!
//! What differs from `tokio::net`: a constructor takes the netstack; names are not resolved
//! ([`ToSocketAddrs`]); there is no standard-library socket to convert from or into.
//!
//! What comes on top is the rest of tcp(7), on [`TcpSocket`], [`TcpStream`] and [`TcpListener`], and through `as_ref`
//! on the halves of a stream:
//!
//! - every option, by a name of its own or with [`TcpStream::set_option`] and [`TcpStream::option`];
//!   [`TcpStream::tcp_info`], [`TcpStream::congestion_info`];
//! - urgent data: [`TcpStream::send_urgent`], [`TcpStream::recv_urgent`], [`TcpStream::at_mark`],
//!   [`TcpStream::urgent_notice`];
//! - writes and reads with flags ([`SendFlags`], [`RecvFlags`]): [`TcpStream::send_with`], [`TcpStream::recv_with`],
//!   [`TcpStream::discard`]; without a copy: [`TcpStream::send_bytes`], [`TcpStream::recv_bytes`],
//!   [`TcpStream::send_file`];
//! - the error queue: [`TcpStream::recv_error`];
//! - queues: [`TcpStream::bytes_to_read`], [`TcpStream::bytes_to_deliver`], [`TcpStream::bytes_to_send`];
//! - sockets used again: [`TcpStream::disconnect`], [`TcpListener::disconnect`], [`TcpListener::set_backlog`],
//!   [`TcpSocket::try_connect`]; [`TcpStream::close`] waits for delivery;
//! - Fast Open: [`TcpSocket::connect_with_data`], [`TcpSocket::set_fast_open_connect`], [`TcpListener::set_fast_open`];
//! - netstacks: [`TcpListener::bind_any`] for transparent proxies, [`Netstack::close_all`],
//!   [`NetstackBuilder::non_tcp`], and [`Netstack::with_stack`] for all else.
//!
//! Errors are `io::Error`s with Linux's numbers ([`Errno`] names them). There is no kernel that goes on after the
//! program has ended: call [`Netstack::idle`] to let what was written arrive first.
#![forbid(unsafe_code)]

mod addr;
mod again;
mod builder;
mod clock;
mod closing;
mod driver;
mod error;
mod error_queue;
mod handle;
mod listener;
mod messages;
mod netstack;
mod options;
mod packet_channel;
mod pair;
mod port;
mod send_file;
mod shard;
mod socket;
mod split;
mod split_owned;
mod stream;
mod stream_transfer;
mod timer;
mod transfer;
mod urgent;
mod waiters;

pub use addr::{Cidr, ToSocketAddrs};
pub use builder::NetstackBuilder;
pub use cauce_core::congestion::CcInfo;
pub use cauce_core::counters::{Counter, Counters};
pub use cauce_core::frame::DeviceId;
pub use cauce_core::socket::errno::Errno;
pub use cauce_core::socket::error_queue::{ErrorMessage, ErrorOrigin, ZEROCOPY_COPIED};
pub use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
pub use cauce_core::socket::tcp_info::TcpInfo;
pub use cauce_core::socket::timestamping::{StampKind, Timestamping};
pub use cauce_core::socket::{SendFlags, SocketId};
pub use cauce_core::sysctl;
pub use cauce_core::time::Instant;
pub use cauce_device as device;
pub use listener::TcpListener;
pub use messages::{Received, RecvFlags};
pub use netstack::Netstack;
pub use options::PathMtuDiscovery;
pub use packet_channel::{PacketChannel, PacketDevice, PacketReceiver, PacketSender, packet_channel};
pub use pair::{pair, stream_pair};
pub use socket::TcpSocket;
pub use split::{ReadHalf, WriteHalf};
pub use split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::TcpStream;
