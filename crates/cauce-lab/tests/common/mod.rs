//! An endpoint that sends packets at given moments and writes down what arrives.

use bytes::Bytes;
use cauce_core::batch::{Batch, SendReason, Token, Transmit};
use cauce_core::frame::{DeviceId, Frame};
use cauce_core::time::Instant;
use cauce_lab::host::Endpoint;
use std::collections::VecDeque;

/// Sends `outbox` entries when their time comes; answers each packet that starts with `Q`.
#[derive(Debug, Default)]
pub struct Raw {
    pub outbox: VecDeque<(Instant, DeviceId, Bytes)>,
    pub inbox: Vec<(Instant, DeviceId, Bytes)>,
    pub transmitted: usize,
    ready: VecDeque<(DeviceId, Bytes)>,
}

impl Raw {
    pub fn send_at(&mut self, at: Instant, device: u16, packet: impl Into<Bytes>) {
        self.outbox.push_back((at, DeviceId(device), packet.into()));
    }
}

impl Endpoint for Raw {
    fn handle_packet(&mut self, arrived: Instant, frame: Frame) -> Option<Frame> {
        match frame.head.first() {
            Some(b'!') => return Some(frame),
            Some(b'Q') => self.ready.push_back((frame.device, Bytes::from_static(b"answer"))),
            _ => {}
        }
        self.inbox.push((arrived, frame.device, frame.head));
        None
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(due) = self.outbox.front()
            && due.0 <= now
        {
            let (_, device, packet) = self.outbox.pop_front().unwrap();
            self.ready.push_back((device, packet));
        }
    }

    fn poll_transmit(&mut self, _now: Instant, out: &mut Batch) -> usize {
        let before = out.len();
        while out.room() > 0
            && let Some((device, packet)) = self.ready.pop_front()
        {
            out.push(transmit(device, packet));
        }
        out.len() - before
    }

    fn handle_transmitted(&mut self, _now: Instant, tokens: &[Token]) {
        self.transmitted += tokens.len();
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.outbox.front().map(|due| due.0)
    }
}

/// A finished packet.
pub fn transmit(device: DeviceId, packet: Bytes) -> Transmit {
    Transmit {
        header: Default::default(),
        payload: [packet].into_iter().collect(),
        gso: None,
        checksum: None,
        network_offset: 0,
        transport_offset: 0,
        device,
        reason: SendReason::Control,
        token: Token::NONE,
    }
}
