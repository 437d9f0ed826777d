//! The in-memory pair.

mod support;

use bytes::Bytes;
use cauce_core::frame::ChecksumState;
use cauce_device::{Device, PipeOptions, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use support::*;

fn bulk(len: usize, size: u16) -> cauce_core::batch::Transmit {
    Segment::default().transmit(vec![Bytes::from(payload(len))], size)
}

#[test]
fn payload_is_shared_and_every_packet_fits_the_mtu() {
    let (mut left, mut right) = pipe(PipeOptions { gro: false, ..PipeOptions::default() });
    let entry = bulk(40_000, 1448);
    let start = entry.payload[0].as_ptr() as usize;
    let (mut sent, mut frames) = (Vec::new(), Vec::new());
    assert_eq!(left.transmit(&mut batch_of([entry]), &mut sent).unwrap(), 1);
    assert_eq!((sent.len(), sent[0].end), (1, 40_000));
    assert_eq!(right.receive(1000, &mut frames).unwrap(), 28);
    for frame in &frames {
        assert!(frame.len() <= 1500 && checksums_are_right(&frame.to_bytes()));
        let at = frame.frags[0].as_ptr() as usize;
        assert!((start..start + 40_000).contains(&at), "copied");
    }
    assert_eq!(left.counters().tx_segments, right.counters().rx_segments);
}

#[test]
fn super_segments_cross_whole_with_tso() {
    let (mut left, mut right) = pipe(PipeOptions { tso: true, ..PipeOptions::default() });
    let mut frames = Vec::new();
    left.transmit(&mut batch_of([bulk(40_000, 1448)]), &mut Vec::new()).unwrap();
    right.receive(10, &mut frames).unwrap();
    assert_eq!((frames.len(), frames[0].segments, frames[0].segment_size), (1, 28, 1448));
    assert_eq!(frames[0].checksum, ChecksumState::Partial);
}

struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_full_pipe_keeps_the_rest_in_the_batch_and_wakes_the_sender() {
    let (mut left, mut right) = pipe(PipeOptions { capacity: 4, ..PipeOptions::default() });
    let bell = Arc::new(Bell(AtomicUsize::new(0)));
    let ear = Arc::new(Bell(AtomicUsize::new(0)));
    left.wake_when_ready(&Waker::from(bell.clone()));
    right.wake_when_ready(&Waker::from(ear.clone()));
    let mut batch = batch_of((0..6).map(|_| bulk(10, 0)));
    let mut sent = Vec::new();
    assert_eq!(left.transmit(&mut batch, &mut sent).unwrap(), 4);
    assert_eq!((batch.len(), sent.len(), left.counters().tx_blocked), (2, 4, 1));
    assert_eq!(ear.0.load(Ordering::SeqCst), 1);
    assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    assert_eq!(right.receive(1, &mut Vec::new()).unwrap(), 1);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert_eq!(left.transmit(&mut batch, &mut sent).unwrap(), 1);
    drop(right);
    assert!(left.is_closed());
    assert_eq!(
        left.transmit(&mut batch, &mut sent).unwrap(),
        1,
        "what nobody listens to is lost on the wire"
    );
}

#[test]
fn ends_work_from_two_threads() {
    let (mut left, mut right) = pipe(PipeOptions { capacity: 64, ..PipeOptions::default() });
    let sender = std::thread::spawn(move || {
        let mut batch = batch_of((0..100).map(|_| bulk(5000, 1000)));
        while !batch.is_empty() {
            left.transmit(&mut batch, &mut Vec::new()).unwrap();
            std::thread::yield_now();
        }
        left
    });
    let (mut frames, mut bytes) = (Vec::new(), 0);
    while bytes < 500_000 {
        right.receive(32, &mut frames).unwrap();
        bytes += frames.drain(..).map(|frame| frame.len() - 52).sum::<usize>();
        std::thread::yield_now();
    }
    assert_eq!(bytes, 500_000);
    sender.join().unwrap();
}
