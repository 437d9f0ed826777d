//! One direction of the exchange: who sends, who receives, and what came of it.

use super::file::Contents;
use super::samples::Samples;
use bytes::Bytes;
use cauce_core::socket::errno::Errno;
use cauce_core::socket::tcp_info::TcpInfo;
use cauce_core::socket::{Shutdown, Socket};
use cauce_core::time::{Duration, Instant};
use sha2::{Digest, Sha256};
use std::io::Read;

/// Bytes read from the file, and asked of the socket, at once.
const CHUNK: usize = 64 * 1024;

/// A SHA-256 digest.
pub type Sum = [u8; 32];

/// One direction of the exchange.
pub struct Leg {
    source: Box<dyn Read>,
    chunk: Bytes,
    sent_hash: Sha256,
    received_hash: Sha256,
    /// What was sent, known when all of it is in the send buffer.
    sent: Option<Sum>,
    /// What was received, known at the end of the stream.
    received: Option<Sum>,
    /// Bytes that the receiver has read.
    pub delivered: u64,
    /// When the first byte could be sent.
    pub began: Option<Instant>,
    /// When the receiver saw the end of the stream.
    pub ended: Option<Instant>,
    /// Everything is acknowledged: what the sending connection does from now on is no part of this.
    pub is_over: bool,
    /// The sending connection as it was last seen alive.
    pub info: TcpInfo,
    /// How the sending connection went.
    pub samples: Samples,
}

impl Leg {
    /// A direction in which nothing has happened.
    pub fn new(contents: &Contents) -> std::io::Result<Self> {
        Ok(Leg {
            source: contents.open()?,
            chunk: Bytes::new(),
            sent_hash: Sha256::new(),
            received_hash: Sha256::new(),
            sent: None,
            received: None,
            delivered: 0,
            began: None,
            ended: None,
            is_over: false,
            info: TcpInfo::default(),
            samples: Samples::default(),
        })
    }

    /// Writes as much of the file as the send buffer takes; behind it, ends the stream.
    pub fn send(&mut self, socket: &mut Socket<'_>, now: Instant) -> Result<(), String> {
        self.began.get_or_insert(now);
        while self.sent.is_none() {
            if self.chunk.is_empty() && !self.refill()? {
                self.sent = Some(std::mem::take(&mut self.sent_hash).finalize().into());
                socket.shutdown(now, Shutdown::Write).map_err(said)?;
                break;
            }
            match socket.send_bytes(now, &mut self.chunk) {
                Ok(_) => {}
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(said(error)),
            }
        }
        Ok(())
    }

    /// Reads the next bytes of the file. False at its end.
    fn refill(&mut self) -> Result<bool, String> {
        let mut next = Vec::with_capacity(CHUNK);
        let read = self.source.by_ref().take(CHUNK as u64).read_to_end(&mut next);
        read.map_err(|error| format!("cannot read the file: {error}"))?;
        self.sent_hash.update(&next);
        self.chunk = next.into();
        Ok(!self.chunk.is_empty())
    }

    /// Reads everything that has arrived.
    pub fn receive(&mut self, socket: &mut Socket<'_>, now: Instant) -> Result<(), String> {
        while self.received.is_none() {
            match socket.recv_bytes(now, CHUNK) {
                Ok(bytes) if bytes.is_empty() => {
                    self.received = Some(std::mem::take(&mut self.received_hash).finalize().into());
                    self.ended = Some(now);
                }
                Ok(bytes) => {
                    self.delivered += bytes.len() as u64;
                    self.received_hash.update(&bytes);
                }
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(said(error)),
            }
        }
        Ok(())
    }

    /// From when the first byte could be sent to the end of the stream.
    pub fn lasted(&self) -> Option<Duration> {
        Some(self.ended?.since(self.began?))
    }

    /// What was sent and what was received, once both are known.
    pub fn sums(&self) -> Option<(Sum, Sum)> {
        Some((self.sent?, self.received?))
    }

    /// True when all of it arrived unchanged.
    pub fn is_intact(&self) -> bool {
        self.sums().is_some_and(|(sent, received)| sent == received)
    }
}

/// An error of a socket in words.
pub fn said(error: Errno) -> String {
    format!("{} ({})", error.text(), error.name())
}
