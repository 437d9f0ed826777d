//! Settings whose effect no script can show: it lies between packets that arrive together, or in a call of Rust alone.

mod common;

use cauce_core::counters::Counter;
use cauce_core::socket::SocketId;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::sysctl::Sysctls;
use common::Two;
use common::heard::heard;

/// Segments that arrive together: what fits into the window.
const SEGMENTS: usize = 48;

/// S-26, X-04: of segments that arrive together, `tcp_low_latency` announces each to the reader and acknowledges every
/// second one; without it there is one acknowledgement and one announcement for all.
#[test]
fn s26_low_latency_does_not_batch() {
    let [batched, single] = heard("tcp_low_latency", "1", |sysctl| arrive_together(Two::with(sysctl)));
    assert_eq!(batched, (1, 1, 1));
    let (woken, events, acks) = single;
    assert!(woken == SEGMENTS as u64 && events == SEGMENTS && acks >= SEGMENTS / 2, "{single:?}");
}

/// How often a reader is woken, how many announcements there are, and how many acknowledgements, for segments that arrive
/// together.
fn arrive_together(mut two: Two) -> (u64, usize, usize) {
    let (client, server) = two.connected();
    // Past the quick acknowledgements of a new connection.
    two.transfer(0, client, server, 600_000);
    while two.stacks[1].poll_event().is_some() {}
    let now = two.now;
    for option in [SocketOption::NoDelay(true), SocketOption::SendBuffer(200_000)] {
        two.stacks[0].socket(client).set_option(now, option).unwrap();
    }
    let packets: Vec<_> = (0..SEGMENTS)
        .flat_map(|_| {
            two.stacks[0].socket(client).send(now, &[7; 900]).unwrap();
            two.sent_by(0)
        })
        .collect();
    let count = |two: &Two, counter| two.stacks[1].counters().get(counter);
    let before = count(&two, Counter::TCPRcvWakeups);
    for packet in &packets {
        two.stacks[1].handle_packet(now, Two::frame(packet));
    }
    let woken = count(&two, Counter::TCPRcvWakeups) - before;
    let events = core::iter::from_fn(|| two.stacks[1].poll_event()).count();
    let acks = two.sent_by(1).len();
    let mut buffer = vec![0; SEGMENTS * 900];
    assert_eq!(two.stacks[1].socket(server).recv(now, &mut buffer), Ok(buffer.len()));
    (woken, events, acks)
}

/// S-13, N-43, X-06: a read of `tcp_dma_copybreak` bytes or more hands over the buffers that arrived, a smaller one copies;
/// what is read is the same.
#[test]
fn s13_copybreak_parts_copies_from_references() {
    let by_reference = |sysctl: Sysctls| {
        let mut two = Two::with(sysctl);
        let (client, server) = two.connected();
        [4095, 4096].map(|size| moved_by_reads_of(size, &mut two, client, server))
    };
    let outcomes = heard("tcp_dma_copybreak", "4095", by_reference);
    assert_eq!(outcomes, [[false, true], [true, true]]);
}

/// Whether buffers are handed over when 64 KiB are read in pieces of `size` bytes.
fn moved_by_reads_of(size: usize, two: &mut Two, client: SocketId, server: SocketId) -> bool {
    let text: Vec<u8> = (0..65_536u32).map(|n| (n % 251) as u8).collect();
    let before = two.stacks[1].counters().get(Counter::TCPOffloadCopies);
    let (mut sent, mut got) = (0, Vec::new());
    while got.len() < text.len() {
        let now = two.now;
        if sent < text.len() {
            sent += two.stacks[0].socket(client).send(now, &text[sent..]).unwrap_or(0);
        }
        two.exchange();
        let now = two.now;
        while let Ok(part) = two.stacks[1].socket(server).recv_bytes(now, size) {
            assert!(!part.is_empty() && part.len() <= size);
            got.extend_from_slice(&part);
        }
    }
    assert!(got == text);
    two.stacks[1].counters().get(Counter::TCPOffloadCopies) > before
}

/// S-04, S-06: whatever `tcp_available_congestion_control` lists can be chosen and becomes the default, nothing else; the
/// default joins the algorithms that everybody may choose.
#[test]
fn s06_what_is_listed_can_be_chosen() {
    let mut two = Two::new();
    let (client, _server) = two.connected();
    let now = two.now;
    let stack = &mut two.stacks[0];
    let listed = stack.sysctl().get("tcp_available_congestion_control").unwrap();
    assert!(listed.starts_with("reno cubic bic "), "{listed}");
    assert!(listed.split(' ').any(|name| name == "ctcp"), "{listed}");
    for name in listed.split(' ') {
        stack.socket(client).set_congestion(now, name).unwrap();
        assert_eq!(stack.socket(client).congestion(), Ok(name));
        stack.sysctl_mut().set("tcp_congestion_control", name).unwrap();
        assert!(stack.sysctl().may_choose(name));
    }
    assert!(stack.socket(client).set_congestion(now, "nosuch").is_err());
    assert!(stack.sysctl_mut().set("tcp_available_congestion_control", "reno").is_err());
    stack.sysctl_mut().set("tcp_allowed_congestion_control", "reno").unwrap();
    assert!(stack.sysctl().may_choose("reno") && !stack.sysctl().may_choose("cubic"));
}

/// S-60: `net.core.rmem_default` and `net.core.wmem_default` say nothing to TCP, whose sockets start with `tcp_rmem` and `tcp_wmem`.
#[test]
fn s60_tcp_has_its_own_default_buffers() {
    let sysctl = Sysctls { core_rmem_default: 5000, core_wmem_default: 6000, ..Sysctls::default() };
    let mut two = Two::with(sysctl);
    let (now, stack) = (two.now, &mut two.stacks[0]);
    let socket = stack.open(cauce_core::socket::Family::V4).unwrap();
    for (name, bytes) in [(OptionName::RecvBuffer, 131_072), (OptionName::SendBuffer, 16_384)] {
        assert_eq!(stack.socket(socket).option(now, name), Ok(OptionValue::Int(bytes)));
    }
}
