use super::*;
use crate::tools::{Problem, test_stack};
use cauce_core::stack::metrics_cache::PathMetrics;
use cauce_core::stack::{InterfaceConfig, Medium};

/// A stack as a script finds it: one TUN, its network, and a network behind a router.
fn stack() -> Stack {
    let mut stack = test_stack();
    let tun = InterfaceConfig { name: "tun0".into(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
    let device = stack.add_interface(tun);
    stack.interfaces().add_address(device, "192.168.0.1".parse().unwrap(), 16);
    ask(&mut stack, "route add 192.0.2.0/24 via 192.168.0.2 dev tun0");
    stack
}

fn ask(stack: &mut Stack, line: &str) -> Output {
    run(stack, Instant::ZERO, &line.split(' ').collect::<Vec<_>>())
}

/// The texts and statuses are those of iproute2 6.1 for the same lines.
#[test]
fn routes_change_as_with_the_real_one() {
    let mut stack = stack();
    let change = "route change 192.0.2.0/24 via 192.168.0.2 dev tun0 mtu lock 1400 advmss 1200 initcwnd 3 \
                  features ecn rto_min 30ms initrwnd 4";
    assert_eq!(ask(&mut stack, change), Output::default());
    assert_eq!(
        ask(&mut stack, "route show").stdout,
        "192.0.2.0/24 via 192.168.0.2 dev tun0 mtu lock 1400 advmss 1200 initcwnd 3 features ecn \
         rto_min lock 30ms initrwnd 4 \n\
         192.168.0.0/16 dev tun0 proto kernel scope link src 192.168.0.1 \n"
    );
    assert_eq!(
        ask(&mut stack, "route get 192.0.2.1").stdout,
        "192.0.2.1 via 192.168.0.2 dev tun0 src 192.168.0.1 uid 0 \n    cache mtu lock 1400 advmss 1200 initcwnd 3 \
         features ecn rto_min lock 30ms initrwnd 4 \n"
    );
    let local = "local 192.168.0.1 dev lo src 192.168.0.1 uid 0 \n    cache <local> \n";
    assert_eq!(ask(&mut stack, "route get 192.168.0.1").stdout, local);
    for (line, status, stderr) in [
        ("route change 10.9.0.0/16 dev tun0", 2, "RTNETLINK answers: No such file or directory"),
        ("route add 192.0.2.0/24 via 192.168.0.2 dev tun0", 2, "RTNETLINK answers: File exists"),
        ("route replace 10.9.0.0/16 dev tun0", 0, ""),
        ("route del 10.9.0.0/16", 0, ""),
        ("route del 10.9.0.0/16", 2, "RTNETLINK answers: No such process"),
        ("route get 8.8.8.8", 2, "RTNETLINK answers: Network is unreachable"),
        ("route add 10.4.0.0/16 via 9.9.9.9", 2, "Error: Nexthop has invalid gateway."),
        ("route add 10.6.0.0/16 via 192.168.0.1 dev tun0", 0, ""),
        ("route add 10.5.0.0/16 dev nosuch", 1, "Cannot find device \"nosuch\""),
        (
            "route add 10.5.0.0/33 dev tun0",
            1,
            "Error: any valid prefix is expected rather than \"10.5.0.0/33\".",
        ),
        ("route add default via 192.168.0.2", 0, ""),
        ("r g 8.8.8.8", 0, ""),
        ("route frob", 255, "Command \"frob\" is unknown, try \"ip route help\"."),
        ("nosuch", 1, "Object \"nosuch\" is unknown, try \"ip help\"."),
        ("tcp_metrics flush all", 0, ""),
        ("tcp_metrics delete 192.0.2.1", 2, "RTNETLINK answers: No such process"),
        ("route flush cache", 0, ""),
    ] {
        let output = ask(&mut stack, line);
        assert_eq!((output.status, output.stderr.trim_end()), (status, stderr), "ip {line}");
        assert_eq!(output.problems, [], "ip {line}");
    }
    let named = ask(&mut stack, "route show 192.0.2.0/24 via 192.168.0.2 dev tun0").stdout;
    assert!(named.starts_with("192.0.2.0/24 via 192.168.0.2 mtu lock 1400 "), "{named}");
    assert_eq!(ask(&mut stack, "route show via 192.168.0.3").stdout, "");
    assert!(ask(&mut stack, "-4 route").stdout.starts_with("default via 192.168.0.2 dev tun0 \n"));
    assert_eq!(ask(&mut stack, "-6 route show").stdout, "");
}

/// S-33: metrics of destinations, prescribed by a route or remembered. The texts are those of iproute2 6.1.
#[test]
fn metrics_are_prescribed_shown_and_forgotten() {
    let mut stack = stack();
    let change = "route change 192.0.2.0/24 via 192.168.0.2 dev tun0 rtt 300ms rttvar 20ms ssthresh lock 5 cwnd 7 \
                  reordering 8 quickack 1 congctl reno";
    assert_eq!(ask(&mut stack, change), Output::default());
    assert_eq!(
        ask(&mut stack, "route show 192.0.2.0/24").stdout,
        "192.0.2.0/24 via 192.168.0.2 dev tun0 rtt 300ms rttvar 20ms ssthresh lock 5 cwnd 7 reordering 8 \
         quickack 1 congctl reno \n"
    );
    let unknown = ask(&mut stack, "route change 192.0.2.0/24 via 192.168.0.2 congctl nosuch");
    assert_eq!((unknown.status, unknown.stderr.trim_end()), (2, "Error: Unknown tcp congestion algorithm."));
    let metrics =
        PathMetrics { srtt_us: 300_446, rttvar_us: 9, ssthresh: 7, cwnd: 4, ..PathMetrics::default() };
    for address in ["192.0.2.1", "2001:db8::1"] {
        let address: IpAddr = address.parse().unwrap();
        stack.destinations_mut().store(address.into(), metrics, Instant::ZERO, 10);
    }
    let line = "192.0.2.1 age 0.000sec ssthresh 7 cwnd 4 rtt 300446us rttvar 9us \n";
    assert_eq!(ask(&mut stack, "tcp_metrics show 192.0.2.0/24").stdout, line);
    assert_eq!(ask(&mut stack, "-6 tcp_metrics").stdout, line.replace("192.0.2.1", "2001:db8::1"));
    assert_eq!(ask(&mut stack, "tcp_metrics delete 192.0.2.1"), Output::default());
    assert_eq!(ask(&mut stack, "tcp_metrics delete 192.0.2.1").status, 2);
    assert_eq!(ask(&mut stack, "tcp_metrics flush all"), Output::default());
    assert_eq!(ask(&mut stack, "tcp_metrics").stdout, "");
}

/// Nothing is stored that nobody reads.
#[test]
fn what_the_engine_would_ignore_is_refused() {
    let mut stack = stack();
    for what in ["window 5000", "hoplimit 7", "congctl lock reno", "features tcp_usec_ts", "table 7"] {
        let output = ask(&mut stack, &format!("route change 192.0.2.0/24 via 192.168.0.2 {what}"));
        assert!(matches!(output.problems[..], [Problem::Unsupported(_)]), "{what}");
        assert_ne!(output.status, 0);
    }
    for line in [
        "route flush dev tun0",
        "link set tun0 down",
        "rule",
        "neigh",
        "-batch x route",
        "link add x type dummy",
    ] {
        assert_eq!(ask(&mut stack, line).problems.len(), 1, "ip {line}");
    }
}

#[test]
fn devices_and_addresses() {
    let mut stack = stack();
    assert_eq!(ask(&mut stack, "link set dev tun0 mtu 9000 up"), Output::default());
    assert!(
        ask(&mut stack, "link show tun0")
            .stdout
            .contains("2: tun0: <POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 9000 ")
    );
    for (line, status, stderr) in [
        ("link set tun0 mtu 60", 2, "Error: mtu less than device minimum."),
        ("link set dev nosuch mtu 9000", 1, "Cannot find device \"nosuch\""),
        ("link show nosuch", 1, "Device \"nosuch\" does not exist."),
        ("addr add 192.168.0.1/16 dev tun0", 2, "Error: ipv4: Address already assigned."),
        ("addr del 192.168.0.9/16 dev tun0", 2, "Error: ipv4: Address not found."),
        ("addr add 10.0.0.1/24 dev tun0", 0, ""),
        ("-6 addr add 2001:db8::1/64 dev tun0 nodad", 0, ""),
        (
            "route add 2001:db8:1::/64 via 2001:db8::1 dev tun0",
            2,
            "Error: Gateway can not be a local address.",
        ),
        ("addr del 10.0.0.1/24 dev tun0", 0, ""),
    ] {
        let output = ask(&mut stack, line);
        assert_eq!((output.status, output.stderr.trim_end()), (status, stderr), "ip {line}");
    }
    let shown = ask(&mut stack, "-4 addr show dev tun0").stdout;
    assert!(shown.contains("    inet 192.168.0.1/16 scope global tun0\n"), "{shown}");
    assert!(
        !shown.contains("inet6") && ask(&mut stack, "a").stdout.contains("inet6 2001:db8::1/64 scope global")
    );
}
