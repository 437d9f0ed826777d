//! TCP options: what each one says on the wire, not what it means (that is negotiated elsewhere).
//!
//! Reading follows Linux: unknown kinds are skipped by their length (P-047), a malformed length ends the
//! reading with what was found so far, a known kind of the wrong length is skipped, and of two options of the
//! same kind the last one counts. Writing follows Linux's order and its use of NOPs, so that captures read alike.

mod writer;

use core::iter;

use arrayvec::ArrayVec;

use crate::Seq;
use crate::bytes::{array, u16_at, u32_at};

/// Most option bytes that a TCP header can carry.
pub const MAX_OPTIONS_LEN: usize = 40;
/// The largest window scale (RFC 7323 2.3).
pub const MAX_WINDOW_SCALE: u8 = 14;
/// The first bytes of experimental option 254 when it stands for Fast Open (RFC 7413, RFC 6994).
pub(crate) const FAST_OPEN_MAGIC: u16 = 0xf989;

/// Option kinds as IANA lists them.
pub mod kind {
    /// End of option list.
    pub const EOL: u8 = 0;
    /// No operation.
    pub const NOP: u8 = 1;
    /// Maximum segment size (RFC 9293 3.7.1).
    pub const MSS: u8 = 2;
    /// Window scale (RFC 7323).
    pub const WINDOW_SCALE: u8 = 3;
    /// SACK permitted (RFC 2018).
    pub const SACK_PERMITTED: u8 = 4;
    /// SACK (RFC 2018).
    pub const SACK: u8 = 5;
    /// Timestamps (RFC 7323).
    pub const TIMESTAMPS: u8 = 8;
    /// MD5 signature (RFC 2385).
    pub const MD5: u8 = 19;
    /// User timeout (RFC 5482).
    pub const USER_TIMEOUT: u8 = 28;
    /// TCP-AO (RFC 5925).
    pub const AUTH: u8 = 29;
    /// Fast Open cookie (RFC 7413).
    pub const FAST_OPEN: u8 = 34;
    /// Accurate ECN, order 0: the ECT(0) counter comes first (RFC 9768).
    pub const ACC_ECN_0: u8 = 172;
    /// Accurate ECN, order 1: the ECT(1) counter comes first (RFC 9768).
    pub const ACC_ECN_1: u8 = 174;
    /// Experiments (RFC 6994), among them Fast Open's first form.
    pub const EXPERIMENT: u8 = 254;
}

/// The options of one segment. `TcpOptions::default()` has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size, bytes.
    pub mss: Option<u16>,
    /// Window scale, a shift; what is read is at most 14, larger values are taken as 14 (P-110).
    pub window_scale: Option<u8>,
    /// SACK may be sent to the sender of this SYN.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// SACK blocks in the order of the wire.
    pub sack: ArrayVec<SackBlock, 4>,
    /// Fast Open cookie, or the request for one.
    pub fast_open: Option<FastOpen>,
    /// User timeout as sent: the top bit says minutes instead of seconds, 15 bits of value (P-234).
    pub user_timeout: Option<u16>,
    /// Accurate ECN byte counters.
    pub acc_ecn: Option<AccEcn>,
    /// MD5 digest.
    pub md5: Option<[u8; 16]>,
    /// TCP-AO keys and MAC.
    pub ao: Option<AuthOption>,
}

/// The timestamps option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub val: u32,
    /// TSecr: the echo of the other's clock.
    pub ecr: u32,
}

/// A SACK block: bytes from `left` up to, not including, `right`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SackBlock {
    /// First sequence number of the block.
    pub left: Seq,
    /// The sequence number just after the block.
    pub right: Seq,
}

/// The Fast Open option (P-160). An empty cookie is a request for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FastOpen {
    /// The cookie: empty, or 4 to 16 bytes of an even number.
    pub cookie: ArrayVec<u8, 16>,
    /// Which of the two kinds carried it, so that a reply can use the same.
    pub kind: FastOpenKind,
}

/// The option kind that carries Fast Open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FastOpenKind {
    /// Kind 34 (RFC 7413).
    #[default]
    Standard,
    /// Kind 254 with the magic 0xF989.
    Experimental,
}

/// The TCP-AO option (RFC 5925 2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthOption {
    /// KeyID: the key that signed this segment.
    pub key_id: u8,
    /// RNextKeyID: the key wanted for the reply.
    pub rnext_key_id: u8,
    /// The MAC, at most 16 bytes.
    pub mac: ArrayVec<u8, 16>,
}

/// Which counter comes first in an Accurate ECN option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccEcnOrder {
    /// Kind 172: ECT(0), CE, ECT(1).
    E0First,
    /// Kind 174: ECT(1), CE, ECT(0). Linux sends this one.
    #[default]
    E1First,
}

/// The Accurate ECN option (RFC 9768 3.2.3): none, one, two or three counters of 24 bits, in its order.
///
/// ```
/// use cauce_wire::{AccEcn, AccEcnOrder};
///
/// let option = AccEcn::new(AccEcnOrder::E1First, &[10, 20]);
/// assert_eq!((option.e1b(), option.ceb(), option.e0b()), (Some(10), Some(20), None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccEcn {
    order: AccEcnOrder,
    count: u8,
    fields: [u32; 3],
}

impl AccEcn {
    /// The option with the first counters of `order`, of which the low 24 bits are kept; more than three are
    /// left out.
    pub fn new(order: AccEcnOrder, counters: &[u32]) -> AccEcn {
        let mut fields = [0; 3];
        for (field, counter) in fields.iter_mut().zip(counters) {
            *field = counter & 0xff_ffff;
        }
        AccEcn { order, count: counters.len().min(3) as u8, fields }
    }

    /// Which counter comes first.
    pub fn order(&self) -> AccEcnOrder {
        self.order
    }

    /// The counters that are present, in the order of the wire.
    pub fn counters(&self) -> &[u32] {
        self.fields.get(..usize::from(self.count)).unwrap_or(&self.fields)
    }

    /// Bytes received with ECT(0), modulo 2^24.
    pub fn e0b(&self) -> Option<u32> {
        self.counters().get(if self.order == AccEcnOrder::E0First { 0 } else { 2 }).copied()
    }

    /// Bytes received with CE, modulo 2^24.
    pub fn ceb(&self) -> Option<u32> {
        self.counters().get(1).copied()
    }

    /// Bytes received with ECT(1), modulo 2^24.
    pub fn e1b(&self) -> Option<u32> {
        self.counters().get(if self.order == AccEcnOrder::E0First { 2 } else { 0 }).copied()
    }

    fn parse(order: AccEcnOrder, data: &[u8]) -> Option<AccEcn> {
        if data.len() > 9 || !data.len().is_multiple_of(3) {
            return None;
        }
        let mut counters: ArrayVec<u32, 3> = ArrayVec::new();
        for field in data.chunks_exact(3) {
            let [a, b, c] = *field.first_chunk::<3>()?;
            counters.try_push(u32::from_be_bytes([0, a, b, c])).ok()?;
        }
        Some(AccEcn::new(order, &counters))
    }
}

/// One option as it stands on the wire: a kind and, except for NOP and EOL, the data after the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawOption<'a> {
    /// The kind.
    pub kind: u8,
    /// What follows the length byte; empty for NOP and EOL.
    pub data: &'a [u8],
}

/// The options in `bytes` one by one, NOPs and the final EOL included; ends at an EOL and before an option
/// whose length is below 2 or beyond the bytes.
pub fn raw_options(bytes: &[u8]) -> impl Iterator<Item = RawOption<'_>> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let (&kind, after) = rest.split_first()?;
        if kind == kind::EOL || kind == kind::NOP {
            rest = if kind == kind::EOL { &[] } else { after };
            return Some(RawOption { kind, data: &[] });
        }
        let len = usize::from(*after.first()?);
        let data = rest.get(2..len)?;
        rest = rest.get(len..)?;
        Some(RawOption { kind, data })
    })
}

impl TcpOptions {
    /// Reads the option bytes of a header. Nothing makes this fail: what cannot be read is left out.
    #[inline]
    pub fn parse(bytes: &[u8]) -> TcpOptions {
        let mut options = TcpOptions::default();
        // The layout of nearly every segment after the handshake: NOP, NOP, timestamps.
        if let Ok([kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3]) =
            <[u8; 12]>::try_from(bytes)
        {
            let (val, ecr) = (u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([e0, e1, e2, e3]));
            options.timestamps = Some(Timestamps { val, ecr });
        } else if !bytes.is_empty() {
            raw_options(bytes).for_each(|option| options.read(option));
        }
        options
    }

    /// Takes in one option; one that is unknown or has a wrong length changes nothing.
    pub(crate) fn read(&mut self, option: RawOption<'_>) {
        let data = option.data;
        match (option.kind, data.len()) {
            (kind::MSS, 2) => self.mss = u16_at(data, 0, "MSS").ok(),
            (kind::WINDOW_SCALE, 1) => {
                self.window_scale = data.first().map(|scale| (*scale).min(MAX_WINDOW_SCALE))
            }
            (kind::SACK_PERMITTED, 0) => self.sack_permitted = true,
            (kind::TIMESTAMPS, 8) => {
                if let (Ok(val), Ok(ecr)) = (u32_at(data, 0, "TSval"), u32_at(data, 4, "TSecr")) {
                    self.timestamps = Some(Timestamps { val, ecr });
                }
            }
            (kind::SACK, len) if len > 0 && len % 8 == 0 => {
                self.sack = data.chunks_exact(8).filter_map(SackBlock::parse).take(4).collect();
            }
            (kind::FAST_OPEN, _) => self.read_fast_open(data, FastOpenKind::Standard),
            (kind::EXPERIMENT, _) if u16_at(data, 0, "ExID") == Ok(FAST_OPEN_MAGIC) => {
                self.read_fast_open(data.get(2..).unwrap_or(&[]), FastOpenKind::Experimental);
            }
            (kind::USER_TIMEOUT, 2) => self.user_timeout = u16_at(data, 0, "user timeout").ok(),
            (kind::ACC_ECN_0, _) => self.acc_ecn = AccEcn::parse(AccEcnOrder::E0First, data).or(self.acc_ecn),
            (kind::ACC_ECN_1, _) => self.acc_ecn = AccEcn::parse(AccEcnOrder::E1First, data).or(self.acc_ecn),
            (kind::MD5, 16) => self.md5 = array(data, 0, "MD5 digest").ok(),
            (kind::AUTH, 2..=18) => {
                if let [key_id, rnext_key_id, mac @ ..] = data {
                    let mac = mac.iter().copied().take(16).collect();
                    self.ao = Some(AuthOption { key_id: *key_id, rnext_key_id: *rnext_key_id, mac });
                }
            }
            _ => {}
        }
    }

    fn read_fast_open(&mut self, cookie: &[u8], kind: FastOpenKind) {
        if cookie.is_empty() || (4..=16).contains(&cookie.len()) && cookie.len().is_multiple_of(2) {
            self.fast_open = Some(FastOpen { cookie: cookie.iter().copied().collect(), kind });
        }
    }

    /// Bytes that these options take on the wire, padded to a multiple of 4. When they do not
    /// [fit](TcpOptions::fits), the bytes of those that are written.
    #[inline]
    pub fn wire_len(&self) -> usize {
        if self.is_plain() { self.plain_len() } else { self.encode().bytes.len() }
    }

    /// True when all of these options can go into one header.
    pub fn fits(&self) -> bool {
        self.is_plain() || self.encode().left_out == 0
    }

    /// Writes the options to the start of `out` and returns their padded length; nothing and `None` when
    /// `out` is too short. An option that the 40 bytes cannot take is left out whole (see
    /// [`TcpOptions::fits`]).
    pub fn emit(&self, out: &mut [u8]) -> Option<usize> {
        if self.is_plain() {
            return self.emit_plain(out);
        }
        let encoded = self.encode();
        out.get_mut(..encoded.bytes.len())?.copy_from_slice(&encoded.bytes);
        Some(encoded.bytes.len())
    }

    /// No options but timestamps and the SACK blocks that fit beside them: nearly every segment.
    fn is_plain(&self) -> bool {
        self.mss.is_none()
            && self.window_scale.is_none()
            && !self.sack_permitted
            && self.sack.len() <= if self.timestamps.is_some() { 3 } else { 4 }
            && self.fast_open.is_none()
            && self.user_timeout.is_none()
            && self.acc_ecn.is_none()
            && self.md5.is_none()
            && self.ao.is_none()
    }

    fn plain_len(&self) -> usize {
        let timestamps = if self.timestamps.is_some() { 12 } else { 0 };
        timestamps + if self.sack.is_empty() { 0 } else { 4 + 8 * self.sack.len() }
    }

    fn emit_plain(&self, out: &mut [u8]) -> Option<usize> {
        let len = self.plain_len();
        let mut out = out.get_mut(..len)?;
        if let Some(timestamps) = self.timestamps {
            let (now, rest) = out.split_first_chunk_mut::<12>()?;
            let [v0, v1, v2, v3] = timestamps.val.to_be_bytes();
            let [e0, e1, e2, e3] = timestamps.ecr.to_be_bytes();
            *now = [kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, v0, v1, v2, v3, e0, e1, e2, e3];
            out = rest;
        }
        if let Some((head, blocks)) = out.split_first_chunk_mut::<4>() {
            *head = [kind::NOP, kind::NOP, kind::SACK, 2 + 8 * self.sack.len() as u8];
            for (out, block) in blocks.chunks_exact_mut(8).zip(&self.sack) {
                out.copy_from_slice(&block.to_bytes());
            }
        }
        Some(len)
    }
}

impl SackBlock {
    fn parse(bytes: &[u8]) -> Option<SackBlock> {
        Some(SackBlock {
            left: Seq(u32_at(bytes, 0, "SACK left edge").ok()?),
            right: Seq(u32_at(bytes, 4, "SACK right edge").ok()?),
        })
    }

    pub(crate) fn to_bytes(self) -> [u8; 8] {
        let (left, right) = (self.left.0.to_be_bytes(), self.right.0.to_be_bytes());
        [left[0], left[1], left[2], left[3], right[0], right[1], right[2], right[3]]
    }
}
