//! One side of a connection: writes its bytes, ends its stream, reads until the other side has ended its own,
//! and compares the digests. The same for both TCPs.

use crate::plan::Half;
use sha2::{Digest, Sha256};
use std::time::Instant;

/// Why a call did nothing.
#[derive(Debug)]
pub enum Stop {
    /// It would have to wait.
    Wait,
    /// The connection is broken.
    Failed(String),
}

/// The calls of either TCP.
pub trait Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Stop>;
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Stop>;
    /// Ends our direction.
    fn finish(&mut self) -> Result<(), Stop>;
}

/// What to wait for.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Until the socket is ready: for reading, for writing.
    Ready { read: bool, write: bool },
    /// As above, or until this moment.
    Rest { until: Instant, write: bool },
    /// Nothing; everything has arrived, and the digests are equal.
    Done,
}

pub struct Transfer {
    half: Half,
    outgoing: Vec<u8>,
    expected: Vec<u8>,
    sent: usize,
    finished: bool,
    received: usize,
    digest: Sha256,
    ended: bool,
    /// First byte that differs from what was expected.
    differs_at: Option<usize>,
    reads: usize,
    rest_until: Option<Instant>,
}

impl Transfer {
    pub fn new(half: &Half, outgoing: Vec<u8>, expected: Vec<u8>) -> Self {
        Transfer {
            half: half.clone(),
            outgoing,
            expected,
            sent: 0,
            finished: false,
            received: 0,
            digest: Sha256::new(),
            ended: false,
            differs_at: None,
            reads: 0,
            rest_until: None,
        }
    }

    /// Does what can be done now.
    pub fn step(&mut self, wire: &mut impl Wire, now: Instant) -> Result<Step, String> {
        loop {
            let moved = self.read(wire, now)? | self.write(wire)?;
            if self.ended && self.finished {
                return self.judge().map(|()| Step::Done);
            }
            if moved {
                continue;
            }
            let write = !self.finished && self.may_write();
            return Ok(match self.rest_until {
                Some(until) if until > now => Step::Rest { until, write },
                _ => Step::Ready { read: !self.ended, write },
            });
        }
    }

    /// Where the transfer stands.
    pub fn standing(&self) -> String {
        format!(
            "sent {} of {}{}, received {} of {}{}",
            self.sent,
            self.outgoing.len(),
            if self.finished { " and the end" } else { "" },
            self.received,
            self.expected.len(),
            if self.ended { " and the end" } else { "" },
        )
    }

    fn may_write(&self) -> bool {
        !self.half.answers || self.ended
    }

    fn write(&mut self, wire: &mut impl Wire) -> Result<bool, String> {
        if self.finished || !self.may_write() {
            return Ok(false);
        }
        let end = self.outgoing.len().min(self.sent + self.half.write);
        let result = if self.sent < end {
            wire.write(&self.outgoing[self.sent..end]).map(|taken| self.sent += taken)
        } else {
            wire.finish().map(|()| self.finished = true)
        };
        self.outcome(result, "write")
    }

    fn read(&mut self, wire: &mut impl Wire, now: Instant) -> Result<bool, String> {
        if self.ended || self.rest_until.is_some_and(|until| now < until) {
            return Ok(false);
        }
        let mut buffer = [0; 65_536];
        let result = wire.read(&mut buffer[..self.half.read]).map(|len| {
            self.accept(&buffer[..len]);
            self.ended = len == 0;
            self.reads += 1;
            self.rest_until = (self.reads.is_multiple_of(4) && len > 0 && !self.half.rest.is_zero())
                .then(|| now + self.half.rest);
        });
        self.outcome(result, "read")
    }

    fn outcome(&self, result: Result<(), Stop>, call: &str) -> Result<bool, String> {
        match result {
            Ok(()) => Ok(true),
            Err(Stop::Wait) => Ok(false),
            Err(Stop::Failed(why)) => Err(format!("{call}: {why}; {}", self.standing())),
        }
    }

    fn accept(&mut self, bytes: &[u8]) {
        let expected = self.expected.get(self.received..).unwrap_or(&[]);
        if self.differs_at.is_none() && !expected.starts_with(bytes) {
            let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            self.differs_at = Some(self.received + same);
        }
        self.digest.update(bytes);
        self.received += bytes.len();
    }

    fn judge(&self) -> Result<(), String> {
        if self.digest.clone().finalize() == Sha256::digest(&self.expected) {
            return Ok(());
        }
        let at = self.differs_at.unwrap_or(self.received);
        Err(format!("the digests differ, from byte {at} on; {}", self.standing()))
    }
}
