//! Captures and the pump, over a pipe.

mod support;

use bytes::Bytes;
use cauce_core::batch::{Batch, Token, Transmit};
use cauce_core::frame::Frame;
use cauce_core::time::Instant;
use cauce_device::pump::{Engine, Pump};
use cauce_device::wrap::pcap::{Pcap, PcapFile};
use cauce_device::wrap::trace::Trace;
use cauce_device::{Device, PipeOptions, pipe};
use pcap_file::pcapng::{Block, PcapNgReader};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Both ends of a pipe that passes super-segments whole are captured as packets of the MTU with right
/// checksums and nanoseconds.
#[test]
fn a_capture_shows_finished_packets() {
    let output = Shared::default();
    let file = PcapFile::new(output.clone()).unwrap();
    let clock = || Duration::from_nanos(1_700_000_000_123_456_789);
    let (left, right) = pipe(PipeOptions { tso: true, capacity: 1, ..PipeOptions::default() });
    let (mut left, mut right) =
        (Pcap::new(left, "left", &file, clock), Pcap::new(right, "right", &file, clock));
    let entry = || Segment::default().transmit(vec![Bytes::from(payload(10_000))], 1448);
    let mut batch = batch_of([entry(), entry()]);
    let mut frames = Vec::new();
    assert_eq!(left.transmit(&mut batch, &mut Vec::new()).unwrap(), 1);
    right.receive(10, &mut frames).unwrap();
    file.flush().unwrap();
    let bytes = output.0.lock().unwrap().clone();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut seen = [0, 0];
    while let Some(block) = reader.next_block() {
        if let (Block::EnhancedPacket(packet), _) = block.unwrap() {
            assert!(packet.data.len() <= 1500 && checksums_are_right(&packet.data));
            assert_eq!(packet.timestamp, clock());
            seen[packet.interface_id as usize] += 1;
        }
    }
    assert_eq!(seen, [7, 7], "the entry that was refused was not captured");
}

/// Sends what it was given and keeps what it receives.
#[derive(Default)]
struct Mailbox {
    to_send: Vec<Transmit>,
    received: usize,
    settled: usize,
    fired: usize,
    due: Option<Instant>,
}

impl Engine for Mailbox {
    fn handle_packet(&mut self, _: Instant, frame: Frame) -> Option<Frame> {
        if frame.head.get(9) != Some(&6) {
            return Some(frame);
        }
        self.received += frame.len() - 52;
        None
    }
    fn handle_timeout(&mut self, _: Instant) {
        self.fired += 1;
        self.due = None;
    }
    fn poll_transmit(&mut self, _: Instant, out: &mut Batch) -> usize {
        let count = out.room().min(self.to_send.len());
        self.to_send.drain(..count).for_each(|entry| out.push(entry));
        count
    }
    fn handle_transmitted(&mut self, _: Instant, tokens: &[Token]) {
        self.settled += tokens.len();
    }
    fn next_timeout(&mut self) -> Option<Instant> {
        self.due
    }
}

#[test]
fn the_pump_carries_everything_through_a_narrow_pipe() {
    let (left, right) = pipe(PipeOptions { capacity: 3, ..PipeOptions::default() });
    let (left, right) = (Trace::new(left, "left"), Trace::new(right, "right"));
    let (mut left, mut right) = ([left], [right]);
    let entries = (0..50).map(|_| Segment::default().transmit(vec![Bytes::from(payload(3000))], 1448));
    let mut sender =
        Mailbox { to_send: entries.collect(), due: Some(Instant::from_millis(2)), ..Mailbox::default() };
    let mut receiver = Mailbox::default();
    let (mut out, mut into) = (Pump::new(1, 8), Pump::new(1, 8));
    let mut blocked = 0;
    for step in 0..200 {
        let now = Instant::from_millis(step);
        let turn = out.turn(&mut sender, &mut left, now, &mut |_| ()).unwrap();
        blocked += usize::from(turn.blocked);
        assert_eq!(turn.deadline, (step < 2).then_some(Instant::from_millis(2)));
        into.turn(&mut receiver, &mut right, now, &mut |_| ()).unwrap();
    }
    assert_eq!((sender.settled, sender.fired, receiver.received), (50, 1, 150_000));
    assert!(blocked > 0 && !out.is_blocked());
}

#[test]
fn entries_go_to_the_device_they_name_and_foreign_packets_come_back() {
    let (one, mut one_end) = pipe(PipeOptions::default());
    let (two, mut two_end) = pipe(PipeOptions::default());
    let entry = |device: u16| {
        let mut entry = Segment::default().transmit(vec![Bytes::from_static(b"hello")], 0);
        entry.device.0 = device;
        entry
    };
    let mut udp = entry(0);
    udp.header[9] = 17;
    two_end.transmit(&mut batch_of([udp]), &mut Vec::new()).unwrap();
    let mut engine = Mailbox { to_send: vec![entry(1), entry(0), entry(1), entry(7)], ..Mailbox::default() };
    let mut pump = Pump::new(2, 8);
    let mut foreign = Vec::new();
    let mut keep = |frame: Frame| foreign.push(frame.device.0);
    pump.turn(&mut engine, &mut [one, two], Instant::ZERO, &mut keep).unwrap();
    let count = |end: &mut dyn Device| end.receive(10, &mut Vec::new()).unwrap();
    assert_eq!((count(&mut one_end), count(&mut two_end)), (1, 2));
    assert_eq!((engine.settled, pump.misdirected()), (4, 1));
    assert_eq!(foreign, [1]);
}
