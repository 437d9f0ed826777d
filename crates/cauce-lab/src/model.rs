//! The reference model of connections: two byte streams and a few flags each.
//!
//! Whatever the engine does inside, its users may see only this: bytes come out as they went in, in order,
//! none twice, none missing before the end; the end comes after the last byte and only if the other side
//! ended its stream; errors have a cause. The bytes of a stream are a function of the stream's key and the
//! offset, so the model remembers counts, not bytes.

use std::fmt;

/// What the engine did that no TCP may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A byte came out that is not the one that went in.
    Corrupt {
        /// Its offset in the stream.
        offset: u64,
    },
    /// More bytes came out than had gone in.
    Invented {
        /// How many had gone in.
        sent: u64,
        /// How many have come out.
        delivered: u64,
    },
    /// The end of the stream came before its last byte, or without anybody having ended it.
    EarlyEnd {
        /// How many bytes had gone in.
        sent: u64,
        /// How many had come out.
        delivered: u64,
        /// Whether the sender had ended the stream.
        ended: bool,
    },
    /// Bytes came out behind the end of the stream.
    AfterEnd,
    /// The engine accepted more bytes than it was given.
    Greedy,
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Corrupt { offset } => write!(f, "byte {offset} came out changed"),
            Violation::Invented { sent, delivered } => {
                write!(f, "{delivered} bytes came out of {sent} that went in")
            }
            Violation::EarlyEnd { sent, delivered, ended } => {
                let ended = if *ended { "" } else { " though nobody ended the stream" };
                write!(f, "the end came after {delivered} of {sent} bytes{ended}")
            }
            Violation::AfterEnd => f.write_str("bytes came out behind the end of the stream"),
            Violation::Greedy => f.write_str("more bytes were accepted than were given"),
            Violation::Other(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Violation {}

/// The byte at `offset` of the stream with this key.
pub fn byte_at(key: u64, offset: u64) -> u8 {
    word_at(key, offset / 8).to_le_bytes()[(offset % 8) as usize]
}

/// Eight bytes of a stream: the finaliser of SplitMix64 over key and position.
fn word_at(key: u64, index: u64) -> u64 {
    let mut word = key ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Fills `buffer` with the bytes of a stream from `offset` on.
pub fn fill(key: u64, offset: u64, buffer: &mut [u8]) {
    for (at, byte) in (offset..).zip(buffer.iter_mut()) {
        *byte = byte_at(key, at);
    }
}

/// One direction of a connection.
#[derive(Clone, Debug)]
pub struct Stream {
    key: u64,
    sent: u64,
    delivered: u64,
    ended: bool,
    end_seen: bool,
}

impl Stream {
    /// An empty stream whose bytes follow from `key`.
    pub fn new(key: u64) -> Self {
        Stream { key, sent: 0, delivered: 0, ended: false, end_seen: false }
    }

    /// Fills `buffer` with the bytes to send next.
    pub fn next_bytes(&self, buffer: &mut [u8]) {
        fill(self.key, self.sent, buffer);
    }

    /// The engine accepted `count` of `given` bytes.
    ///
    /// # Errors
    /// When it accepted more than it was given.
    pub fn accepted(&mut self, count: usize, given: usize) -> Result<(), Violation> {
        self.sent += count as u64;
        if count > given { Err(Violation::Greedy) } else { Ok(()) }
    }

    /// The sender ended the stream (shutdown or close).
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The engine delivered `bytes` to the receiver.
    ///
    /// # Errors
    /// When they are not the bytes that come next, or there are none to come.
    pub fn deliver(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if self.end_seen && !bytes.is_empty() {
            return Err(Violation::AfterEnd);
        }
        for (offset, byte) in (self.delivered..).zip(bytes) {
            if *byte != byte_at(self.key, offset) {
                return Err(Violation::Corrupt { offset });
            }
        }
        self.delivered += bytes.len() as u64;
        if self.delivered > self.sent {
            return Err(Violation::Invented { sent: self.sent, delivered: self.delivered });
        }
        Ok(())
    }

    /// The receiver was told that the stream has ended.
    ///
    /// # Errors
    /// When it has not, or bytes are missing.
    pub fn deliver_end(&mut self) -> Result<(), Violation> {
        self.end_seen = true;
        if self.ended && self.delivered == self.sent {
            return Ok(());
        }
        Err(Violation::EarlyEnd { sent: self.sent, delivered: self.delivered, ended: self.ended })
    }

    /// Bytes that the engine has accepted.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that have come out.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The sender has ended the stream.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The receiver has seen the end.
    pub fn is_end_seen(&self) -> bool {
        self.end_seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(key: u64, count: usize) -> (Stream, Vec<u8>) {
        let mut stream = Stream::new(key);
        let mut bytes = vec![0; count];
        stream.next_bytes(&mut bytes);
        stream.accepted(count, count).unwrap();
        (stream, bytes)
    }

    #[test]
    fn accepts_exactly_what_was_sent() {
        let (mut stream, bytes) = sent(3, 1_000);
        stream.deliver(&bytes[..10]).unwrap();
        stream.deliver(&bytes[10..]).unwrap();
        stream.end();
        stream.deliver_end().unwrap();
        assert_eq!((stream.sent(), stream.delivered()), (1_000, 1_000));
    }

    #[test]
    fn notices_every_kind_of_wrong() {
        let (mut stream, mut bytes) = sent(3, 100);
        bytes[50] ^= 4;
        assert_eq!(stream.deliver(&bytes), Err(Violation::Corrupt { offset: 50 }));

        let (mut stream, bytes) = sent(3, 100);
        stream.deliver(&bytes[..60]).unwrap();
        assert!(matches!(stream.deliver(&bytes[59..]), Err(Violation::Corrupt { offset: 60 })));

        let (mut stream, _) = sent(3, 100);
        let mut more = vec![0; 101];
        fill(3, 0, &mut more);
        assert_eq!(stream.deliver(&more), Err(Violation::Invented { sent: 100, delivered: 101 }));

        let (mut stream, bytes) = sent(3, 100);
        stream.end();
        assert!(stream.deliver_end().is_err());
        assert_eq!(stream.deliver(&bytes), Err(Violation::AfterEnd));

        let (mut stream, bytes) = sent(3, 100);
        stream.deliver(&bytes).unwrap();
        assert!(matches!(stream.deliver_end(), Err(Violation::EarlyEnd { ended: false, .. })));
        assert_eq!(stream.accepted(5, 4), Err(Violation::Greedy));
    }

    #[test]
    fn streams_of_different_keys_differ() {
        let bytes = |key| {
            let mut buffer = [0; 64];
            fill(key, 0, &mut buffer);
            buffer
        };
        assert_ne!(bytes(1), bytes(2));
        let mut from_the_middle = [0; 10];
        fill(1, 30, &mut from_the_middle);
        assert_eq!(from_the_middle, bytes(1)[30..40]);
    }
}
