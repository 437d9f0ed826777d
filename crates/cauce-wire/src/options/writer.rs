//! Puts options on the wire in Linux's order, with its NOPs.
//!
//! Everything is aligned to words. An Accurate ECN option that ends one or two bytes into a word lends those
//! bytes to the NOPs before the options that follow it, as Linux does to save room.

use arrayvec::ArrayVec;

use super::{
    AccEcn, AccEcnOrder, FAST_OPEN_MAGIC, FastOpen, FastOpenKind, MAX_OPTIONS_LEN, TcpOptions, Timestamps,
    kind,
};

impl TcpOptions {
    /// All options in Linux's order: MD5, AO, MSS, (SACK permitted with) timestamps, Accurate ECN, SACK
    /// permitted, window scale, SACK, Fast Open, and after those the user timeout, which Linux never sends.
    pub(super) fn encode(&self) -> Encoder {
        let mut out = Encoder::default();
        if let Some(digest) = &self.md5 {
            out.put(&[kind::NOP, kind::NOP, kind::MD5, 18], digest);
        }
        if let Some(ao) = &self.ao {
            out.put(&[kind::AUTH, 4 + ao.mac.len() as u8, ao.key_id, ao.rnext_key_id], &ao.mac);
        }
        if let Some(mss) = self.mss {
            out.put(&[kind::MSS, 4], &mss.to_be_bytes());
        }
        if let Some(Timestamps { val, ecr }) = self.timestamps {
            let before = if self.sack_permitted { [kind::SACK_PERMITTED, 2] } else { [kind::NOP; 2] };
            let [v0, v1, v2, v3] = val.to_be_bytes();
            out.put(&[before[0], before[1], kind::TIMESTAMPS, 10, v0, v1, v2, v3], &ecr.to_be_bytes());
        }
        if let Some(acc_ecn) = self.acc_ecn {
            out.put_acc_ecn(acc_ecn);
        }
        if self.sack_permitted && self.timestamps.is_none() {
            out.put_after_nops(2, &[kind::SACK_PERMITTED, 2], &[]);
        }
        if let Some(scale) = self.window_scale {
            out.put_after_nops(1, &[kind::WINDOW_SCALE, 3, scale], &[]);
        }
        if !self.sack.is_empty() {
            let blocks: ArrayVec<u8, 32> = self.sack.iter().flat_map(|block| block.to_bytes()).collect();
            out.put_after_nops(2, &[kind::SACK, 2 + blocks.len() as u8], &blocks);
        }
        if let Some(FastOpen { cookie, kind }) = &self.fast_open {
            let len = cookie.len() as u8;
            let [m0, m1] = FAST_OPEN_MAGIC.to_be_bytes();
            match kind {
                FastOpenKind::Standard => out.put(&[kind::FAST_OPEN, 2 + len], cookie),
                FastOpenKind::Experimental => out.put(&[kind::EXPERIMENT, 4 + len, m0, m1], cookie),
            }
        }
        if let Some(timeout) = self.user_timeout {
            out.put(&[kind::USER_TIMEOUT, 4], &timeout.to_be_bytes());
        }
        out.align();
        out
    }
}

/// Option bytes being put together.
#[derive(Default)]
pub(super) struct Encoder {
    /// Whole words written so far.
    pub(super) bytes: ArrayVec<u8, MAX_OPTIONS_LEN>,
    /// The last bytes of an Accurate ECN option, still to be placed.
    pending: ArrayVec<u8, 2>,
    /// Options that found no room.
    pub(super) left_out: u8,
}

impl Encoder {
    /// Writes `head` and `data` at a word boundary.
    fn put(&mut self, head: &[u8], data: &[u8]) {
        let reserved = if self.pending.is_empty() { 0 } else { 4 };
        if self.admit(reserved + head.len() + data.len()) {
            self.align();
            self.extend(head);
            self.extend(data);
            self.align();
        }
    }

    /// Writes `nops` NOPs, or pending bytes in their place, then `head` and `data`.
    fn put_after_nops(&mut self, nops: usize, head: &[u8], data: &[u8]) {
        let absorbs = (1..=nops).contains(&self.pending.len());
        let reserved = if absorbs || self.pending.is_empty() { 0 } else { 4 };
        if self.admit(reserved + nops + head.len() + data.len()) {
            let end_of_nops = self.bytes.len() + nops;
            if absorbs {
                self.bytes.extend(self.pending.drain(..));
            }
            while self.bytes.len() < end_of_nops {
                self.bytes.push(kind::NOP);
            }
            self.extend(head);
            self.extend(data);
            self.pad();
        }
    }

    fn put_acc_ecn(&mut self, option: AccEcn) {
        let mut bytes: ArrayVec<u8, 11> = ArrayVec::new();
        let kind = if option.order == AccEcnOrder::E0First { kind::ACC_ECN_0 } else { kind::ACC_ECN_1 };
        bytes.extend([kind, 2 + 3 * option.count]);
        for counter in option.counters() {
            bytes.extend(counter.to_be_bytes().into_iter().skip(1));
        }
        if self.admit(bytes.len()) {
            let whole_words = bytes.len() / 4 * 4;
            match bytes.len() % 4 {
                1 | 2 => {
                    self.pending.extend(bytes.drain(whole_words..));
                    self.extend(&bytes);
                }
                _ => {
                    self.extend(&bytes);
                    self.pad();
                }
            }
        }
    }

    /// True when `len` more bytes, padded, have room; counts the option as left out otherwise.
    fn admit(&mut self, len: usize) -> bool {
        let fits = self.bytes.len() + len.next_multiple_of(4) <= MAX_OPTIONS_LEN;
        self.left_out += u8::from(!fits);
        fits
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes.iter().copied());
    }

    /// Places what is pending and fills up the word.
    fn align(&mut self) {
        self.bytes.extend(self.pending.drain(..));
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(kind::NOP);
        }
    }
}
