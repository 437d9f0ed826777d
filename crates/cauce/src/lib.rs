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
//! ([`ToSocketAddrs`]); there is no standard-library socket to convert from or into. What comes on top:
//! [`TcpListener::bind_any`] for transparent proxies, [`TcpStream::send_bytes`] and
//! [`TcpStream::recv_bytes`] without a copy, [`TcpStream::tcp_info`], [`Netstack::close_all`] and
//! [`NetstackBuilder::non_tcp`].
//!
//! Errors are `io::Error`s with Linux's numbers. There is no kernel that goes on after the program has
//! ended: call [`Netstack::idle`] to let what was written arrive first.
#![forbid(unsafe_code)]

mod addr;
mod builder;
mod clock;
mod driver;
mod error;
mod handle;
mod listener;
mod netstack;
mod packet_channel;
mod pair;
mod port;
mod shard;
mod socket;
mod split;
mod split_owned;
mod stream;
mod stream_options;
mod stream_transfer;
mod tcp_options;
mod timer;
mod transfer;
mod waiters;

pub use addr::{Cidr, ToSocketAddrs};
pub use builder::NetstackBuilder;
pub use cauce_core::counters::{Counter, Counters};
pub use cauce_core::socket::tcp_info::TcpInfo;
pub use cauce_core::sysctl;
pub use cauce_core::time::Instant;
pub use cauce_device as device;
pub use listener::TcpListener;
pub use netstack::Netstack;
pub use packet_channel::{PacketChannel, PacketDevice, PacketReceiver, PacketSender, packet_channel};
pub use pair::{pair, stream_pair};
pub use socket::TcpSocket;
pub use split::{ReadHalf, WriteHalf};
pub use split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use stream::TcpStream;
