//! What a peer knows of a flow from the segments that the stack sent, and the promises made in them.

use cauce_wire::{Flags, Seq, TcpHeader};
use std::net::SocketAddr;

/// One four-tuple, seen from the stack.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// The sequence number that the stack expects next.
    pub(super) expected: Seq,
    /// Just past what the stack has sent.
    pub(super) sent: Seq,
    /// The stack's first sequence number.
    pub(super) iss: Seq,
    /// The first sequence number of the peer's last SYN.
    pub(super) irs: Seq,
    /// The stack's latest timestamp.
    pub(super) ts_val: u32,
    /// The right edge of the stack's window, while there is a connection.
    pub(super) edge: Option<Seq>,
    /// The last acknowledgement number that the stack sent on this connection.
    acked: Option<Seq>,
    /// The shift that the stack's SYN offered.
    scale: u8,
    /// The peer has contradicted itself so that what the stack took up cannot be told from outside.
    uncertain: bool,
    /// SYNs of the peer came with a window scale, and without.
    syns: (bool, bool),
    /// The last packet that the stack sent, from the IP header on, for errors that quote it.
    pub(super) last: Vec<u8>,
}

impl Flow {
    pub(super) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Flow {
            local,
            remote,
            expected: Seq(0x1000),
            sent: Seq(0),
            iss: Seq(0),
            irs: Seq(0xfff),
            ts_val: 0,
            edge: None,
            acked: None,
            scale: 0,
            uncertain: false,
            syns: (false, false),
            last: Vec::new(),
        }
    }

    /// The peer sends a SYN.
    pub(super) fn note_peer_syn(&mut self, seq: Seq, scaled: bool) {
        self.irs = seq;
        self.syns = (self.syns.0 || scaled, self.syns.1 || !scaled);
        self.uncertain |= self.syns == (true, true);
    }

    /// The peer sends a reset, which the stack may believe.
    pub(super) fn note_peer_reset(&mut self) {
        (self.edge, self.acked) = (None, None);
    }

    /// The shift of the window field.
    fn shift(&self) -> u8 {
        if self.syns.0 { self.scale } else { 0 }
    }

    /// A SYN or SYN,ACK of the stack, which ends just before `end`.
    fn observe_syn(&mut self, header: &TcpHeader, end: Seq) {
        let scale = header.options.window_scale.unwrap_or(0).min(14);
        // The ISN clock may stand still between two connections of one instant.
        let other = header.flags.contains(Flags::ACK) && self.acked.is_some_and(|acked| acked != header.ack);
        if header.seq != self.iss || other {
            // A second SYN,ACK may be a cookie's; which of the two the peer takes up is its choice.
            self.uncertain = self.edge.is_some() && header.flags.contains(Flags::ACK);
            (self.edge, self.acked, self.iss, self.sent) = (None, None, header.seq, end);
            if !header.flags.contains(Flags::ACK) {
                self.syns = (false, false);
            }
        } else {
            self.uncertain |= scale != self.scale;
        }
        self.uncertain |= self.syns == (true, true);
        self.scale = scale;
    }

    /// The stack has sent this segment. Panics when it breaks a promise made in an earlier one.
    pub(super) fn observe(&mut self, header: &TcpHeader, payload: usize, may_shrink: bool) {
        let flags = header.flags;
        if let Some(timestamps) = header.options.timestamps {
            self.ts_val = timestamps.val;
        }
        let end = header.seq + (payload as u32 + flags.sequence_len());
        if flags.contains(Flags::RST) {
            (self.edge, self.acked) = (None, None);
            return;
        }
        if flags.contains(Flags::SYN) {
            self.observe_syn(header, end);
        }
        if end.after(self.sent) {
            self.sent = end;
        }
        if !flags.contains(Flags::ACK) {
            return;
        }
        self.expected = header.ack;
        if self.uncertain {
            return;
        }
        if let Some(before) = self.acked {
            assert!(before.at_or_before(header.ack), "{before:?} was acknowledged, now {:?}", header.ack);
        }
        self.acked = Some(header.ack);
        let shift = if flags.contains(Flags::SYN) { 0 } else { self.shift() };
        let edge = header.ack + (u32::from(header.window) << shift);
        let slack = (1u32 << self.scale) - 1;
        // What was offered is taken back as a whole when there is no memory for it, as on Linux; and a SYN,ACK may be
        // that of a new listener, which knows nothing of an earlier one with the same number.
        let may_shrink = may_shrink || header.window == 0 || flags.contains(Flags::SYN);
        if let Some(before) = self.edge.filter(|_| !may_shrink) {
            let moved = edge.distance_from(before);
            assert!(moved >= -(slack as i32), "the right edge moved left by {}: {header:?}", -moved);
        }
        if self.edge.is_none_or(|before| edge.after(before)) || may_shrink {
            self.edge = Some(edge);
        }
    }
}
