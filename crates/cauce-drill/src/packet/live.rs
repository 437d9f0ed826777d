//! A packet that left the stack under test, taken apart without trusting any of it.

use std::net::SocketAddr;

use cauce_wire::checksum::verify_tcp;
use cauce_wire::{Flags, IpHeader, TcpHeader, protocol};

use super::live_options;
use crate::ast::TcpOption;

/// A TCP packet as it left.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// When, in nanoseconds after the script's start.
    pub at: i64,
    pub ip: IpHeader,
    pub src_port: u16,
    pub dst_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    /// The three bits that nobody has defined yet.
    pub reserved: u8,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<TcpOption>,
    /// Length of the TCP header.
    pub header_len: usize,
    /// Bytes of payload.
    pub len: usize,
    /// True when every byte of the payload is zero, as everything is that a script sends.
    pub zeros: bool,
    pub checksum_right: bool,
}

impl Live {
    /// The TCP packet in `bytes`; `Ok(None)` for anything that is not TCP.
    ///
    /// # Errors
    /// Why the packet is malformed.
    pub fn parse(at: i64, bytes: &[u8]) -> Result<Option<Live>, String> {
        let ip = IpHeader::parse(bytes, bytes.len()).map_err(|error| error.to_string())?;
        if ip.protocol != protocol::TCP || ip.fragment.is_some() {
            return Ok(None);
        }
        if ip.total_len != bytes.len() {
            return Err(format!("the IP header says {} bytes, the packet has {}", ip.total_len, bytes.len()));
        }
        let tcp = bytes.get(ip.header_len..).unwrap_or(&[]);
        let (header, header_len) = TcpHeader::parse(tcp).map_err(|error| error.to_string())?;
        let payload = tcp.get(header_len..).unwrap_or(&[]);
        let checksum_right = verify_tcp(ip.src, ip.dst, std::iter::once(tcp), tcp.len());
        Ok(Some(Live {
            at,
            src_port: header.src_port,
            dst_port: header.dst_port,
            seq: header.seq.0,
            ack: header.ack.0,
            flags: header.flags,
            reserved: tcp.get(12).map_or(0, |byte| byte >> 1 & 7),
            window: header.window,
            urgent: header.urgent,
            options: live_options(tcp.get(20..header_len).unwrap_or(&[])),
            header_len,
            len: payload.len(),
            zeros: payload.iter().all(|byte| *byte == 0),
            checksum_right,
            ip,
        }))
    }

    /// Where it comes from.
    pub fn source(&self) -> SocketAddr {
        SocketAddr::new(self.ip.src, self.src_port)
    }

    /// Where it goes.
    pub fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.ip.dst, self.dst_port)
    }

    /// TSval and TSecr.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        self.options.iter().find_map(|option| match option {
            TcpOption::Timestamps { val, ecr } => Some((*val, *ecr)),
            _ => None,
        })
    }
}
