//! What lies below the socket: autocorking and the bound on a device's queue.

mod common;

use cauce_core::batch::{Batch, Transmit};
use cauce_core::counters::Counter;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::sysctl::Sysctls;
use common::Two;
use common::heard::heard;

/// What stack 0 sends now, kept by a device that has not sent it.
fn taken(two: &mut Two) -> Vec<Transmit> {
    let mut batch = Batch::new(64);
    let now = two.now;
    while two.stacks[0].poll_transmit(now, &mut batch) > 0 {}
    core::iter::from_fn(|| batch.pop()).collect()
}

/// S-05: small writes are collected while an earlier packet is still in its device, and leave when it has left.
#[test]
fn small_writes_wait_for_the_device() {
    let [waiting, at_once] = heard("tcp_autocorking", "0", small_writes);
    assert_eq!(waiting, (vec![], vec![60], 3));
    assert_eq!(at_once, (vec![20; 3], vec![], 0));
}

/// The lengths of what three small writes send while a packet is in the device, and of what leaves when it has left; and
/// how many writes were held.
fn small_writes(sysctl: Sysctls) -> (Vec<usize>, Vec<usize>, u64) {
    let mut two = Two::with(sysctl);
    let (client, _server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).set_option(now, SocketOption::NoDelay(true)).unwrap();
    two.stacks[0].socket(client).send(now, &[1; 100]).unwrap();
    let first = taken(&mut two);
    assert_eq!(first.len(), 1);
    let mut lens = Vec::new();
    for _ in 0..3 {
        two.stacks[0].socket(client).send(now, &[2; 20]).unwrap();
        lens.extend(taken(&mut two).iter().map(Transmit::payload_len));
    }
    let counted = two.stacks[0].counters().get(Counter::TCPAutoCorking);
    two.stacks[0].handle_transmitted(now, &[first[0].token]);
    let after: Vec<usize> = taken(&mut two).iter().map(Transmit::payload_len).collect();
    (lens, after, counted)
}

/// An acknowledgement lets collected writes go even if the device is silent.
#[test]
fn an_acknowledgement_ends_the_wait() {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    let now = two.now;
    two.stacks[0].socket(client).send(now, &[1; 100]).unwrap();
    let first = taken(&mut two);
    two.stacks[0].socket(client).send(now, &[2; 20]).unwrap();
    assert!(taken(&mut two).is_empty());
    two.stacks[1].handle_packet(now, Two::frame(&first[0]));
    two.log.clear();
    two.exchange();
    assert!(two.log.iter().any(|sent| sent.from == 0 && sent.len == 20));
}

/// S-74: tcp_limit_output_bytes bounds what a device holds of one connection; what comes back lets more go.
#[test]
fn a_device_holds_little_of_one_connection() {
    let held = heard("tcp_limit_output_bytes", "3000", held_by_the_device);
    assert!(held[1] < held[0], "{held:?}");
}

/// How many bytes of a large write the device is given before any has left.
fn held_by_the_device(sysctl: Sysctls) -> usize {
    let mut two = Two::with(Sysctls { tcp_autocorking: 0, ..sysctl });
    let (client, _server) = two.connected();
    let now = two.now;
    let sent = two.stacks[0].socket(client).send(now, &[1; 14_480]).unwrap();
    assert_eq!(sent, 14_480);
    let mut packets = taken(&mut two);
    let first: usize = packets.iter().map(Transmit::payload_len).sum();
    let Ok(OptionValue::Words(memory)) = two.stacks[0].socket(client).option(now, OptionName::MemInfo) else {
        panic!()
    };
    assert!(memory[2] as usize > first && memory[5] == 14_480, "{memory:?}");
    let mut all = first;
    while let Some(packet) = packets.pop() {
        two.stacks[0].handle_transmitted(now, &[packet.token]);
        for more in taken(&mut two) {
            all += more.payload_len();
            packets.push(more);
        }
    }
    assert_eq!(all, 14_480);
    first
}
