//! Settings whose effect no script can show: it lies between packets that arrive together, or in a call of Rust alone.

mod common;

use cauce_core::counters::Counter;
use cauce_core::socket::options::{OptionName, OptionValue, SocketOption};
use cauce_core::sysctl::Sysctls;
use common::Two;

/// Segments that arrive together: what fits into the window.
const SEGMENTS: usize = 48;

/// S-26, X-04: of segments that arrive together, `tcp_low_latency` announces each to the reader and acknowledges every
/// second one; without it there is one acknowledgement and one announcement for all.
#[test]
fn s26_low_latency_does_not_batch() {
    for low_latency in [0, 1] {
        let mut two = Two::with(Sysctls { tcp_low_latency: low_latency, ..Sysctls::default() });
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
        if low_latency == 0 {
            assert!((woken, events, acks) == (1, 1, 1), "{woken} {events} {acks}");
        } else {
            assert!(
                woken == SEGMENTS as u64 && events == SEGMENTS && acks >= SEGMENTS / 2,
                "{woken} {events} {acks}"
            );
        }
    }
}

/// S-13, N-43, X-06: a read of `tcp_dma_copybreak` bytes or more hands over the buffers that arrived, a smaller one copies;
/// what is read is the same.
#[test]
fn s13_copybreak_parts_copies_from_references() {
    let mut two = Two::new();
    let (client, server) = two.connected();
    let text: Vec<u8> = (0..65_536u32).map(|n| (n % 251) as u8).collect();
    for (size, by_reference) in [(4095, false), (4096, true)] {
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
        let moved = two.stacks[1].counters().get(Counter::TCPOffloadCopies) - before;
        assert_eq!(moved > 0, by_reference, "reads of {size}");
    }
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

/// S-60: the generic defaults of net.core say nothing to TCP, whose sockets start with `tcp_rmem` and `tcp_wmem`.
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
