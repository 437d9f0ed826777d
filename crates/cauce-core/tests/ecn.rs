//! Congestion marks between two stacks, by both kinds of ECN (RFC 3168, RFC 9768; S-15, P-150 to P-155).

mod common;

use cauce_core::congestion::INFINITE_SSTHRESH;
use cauce_core::socket::tcp_info::TcpInfo;
use cauce_core::sysctl::Sysctls;
use common::Two;

/// A transfer of 2 MB between stacks with these settings, under marks: what both ends know of it afterwards.
fn marked_transfer(settings: &[(&str, &str)], marks_one_in: usize) -> (TcpInfo, TcpInfo, usize) {
    let mut sysctl = Sysctls::default();
    for (name, value) in settings {
        sysctl.set(name, value).unwrap();
    }
    let mut two = Two::with(sysctl);
    two.marks_one_in = marks_one_in;
    let (client, server) = two.connected();
    two.transfer(0, client, server, 2_000_000);
    let now = two.now;
    let info = |two: &mut Two, stack: usize, id| two.stacks[stack].socket(id).tcp_info(now).unwrap();
    let infos = (info(&mut two, 0, client), info(&mut two, 1, server), two.capable);
    two.close(0, client);
    two.close(1, server);
    two.assert_nothing_left();
    infos
}

/// S-15: with the defaults of both sides nobody asks, and nothing is ECN-capable.
#[test]
fn s15_nobody_asks_by_default() {
    let (sender, receiver, capable) = marked_transfer(&[], 3);
    assert_eq!((sender.options & 8, receiver.options & 8, capable), (0, 0, 0));
}

/// P-152, P-153: marks reach the sender, who slows down and repeats nothing.
#[test]
fn p153_marks_slow_the_sender_down() {
    for ecn in ["1", "3", "4"] {
        let (sender, receiver, _) = marked_transfer(&[("net.ipv4.tcp_ecn", ecn)], 20);
        assert_eq!((sender.options & 8, receiver.options & 24), (8, 24), "{ecn}");
        assert!(receiver.received_ce > 0 && sender.delivered_ce > 0, "{ecn}");
        assert!(sender.snd_ssthresh < INFINITE_SSTHRESH, "{ecn}");
        assert_eq!((sender.total_retrans, receiver.rcv_ooopack), (0, 0), "{ecn}");
        let (unmarked, ..) = marked_transfer(&[("net.ipv4.tcp_ecn", ecn)], 0);
        assert_eq!((unmarked.delivered_ce, unmarked.snd_ssthresh), (0, INFINITE_SSTHRESH), "{ecn}");
        assert!(unmarked.snd_cwnd > sender.snd_cwnd, "{ecn}");
    }
}

/// P-155: accurate ECN tells every mark, in packets and in bytes, however often they come. Eight at once are missed or
/// made up where segments lack the option, since the ACKs of super-segments count many, and where a bare ACK was marked
/// as well.
#[test]
fn p155_accurate_counters_agree() {
    for marks_one_in in [1, 2, 3, 7, 50] {
        for option in ["0", "1", "2", "3"] {
            let settings = [("net.ipv4.tcp_ecn", "3"), ("net.ipv4.tcp_ecn_option", option)];
            let (sender, receiver, _) = marked_transfer(&settings, marks_one_in);
            let what = format!("1 in {marks_one_in}, option {option}");
            let unheard = receiver.received_ce.abs_diff(sender.delivered_ce);
            assert!(
                unheard == 0 || (option < "2" || marks_one_in == 1) && unheard.is_multiple_of(8),
                "{what}: {unheard}"
            );
            assert_eq!((sender.accecn_fail_mode, receiver.accecn_fail_mode), (0, 0), "{what}");
            let told = (sender.delivered_ce_bytes, sender.delivered_e0_bytes);
            let counted = (receiver.received_ce_bytes, receiver.received_e0_bytes);
            assert_eq!(told, if option == "0" { (0, 0) } else { counted }, "{what}");
        }
    }
}
