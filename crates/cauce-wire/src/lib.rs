//! Bytes to values and back: IP, TCP, ICMP, Ethernet.
//!
//! Parsers take untrusted bytes and return a value or a [`WireError`]; they never panic and never allocate.
//! Emitters write a value into a caller's buffer and return how many bytes they wrote. Nothing here keeps
//! state between packets except [`fragment::Reassembler`], whose bounds its owner chooses.
//!
//! ```
//! use cauce_wire::{Flags, Seq, TcpHeader, TcpOptions};
//!
//! let syn = TcpHeader {
//!     src_port: 40000,
//!     dst_port: 80,
//!     seq: Seq(1),
//!     flags: Flags::SYN,
//!     window: 64240,
//!     options: TcpOptions { mss: Some(1460), ..TcpOptions::default() },
//!     ..TcpHeader::default()
//! };
//! let mut bytes = [0; 60];
//! let written = syn.emit(&mut bytes);
//! let (parsed, header_len) = TcpHeader::parse(&bytes[..written]).unwrap();
//! assert_eq!((parsed, header_len), (syn, 24));
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod arp;
mod bytes;
pub mod checksum;
pub mod dissect;
mod error;
pub mod ethernet;
mod flags;
pub mod fragment;
pub mod icmp;
mod ip;
mod ipv4;
mod ipv6;
pub mod literal;
pub mod ndp;
mod options;
mod segment;
mod seq;

pub use error::WireError;
pub use flags::Flags;
pub use ip::{Ecn, Fragment, IpEmit, IpHeader, IpVersion, protocol};
pub use options::{
    AccEcn, AccEcnOrder, AuthOption, FastOpen, FastOpenKind, MAX_OPTIONS_LEN, MAX_WINDOW_SCALE, RawOption,
    SackBlock, TcpOptions, Timestamps, kind, raw_options,
};
pub use segment::{MAX_TCP_HEADER_LEN, MIN_TCP_HEADER_LEN, TCP_CHECKSUM_OFFSET, TcpHeader};
pub use seq::Seq;
