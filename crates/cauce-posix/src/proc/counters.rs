//! `/proc/net/snmp` and `/proc/net/netstat`: a line of names and a line of values for each group; `/proc/net/snmp6`: a
//! line for each counter.
//!
//! What Linux lists and this stack can never do (forwarding, making fragments) is listed as 0, because readers
//! find columns by position in older scripts. Counters of our own make up the last group, `Cauce`.

use std::fmt::Write;

use cauce_core::counters::Counter;
use cauce_core::stack::Stack;

/// A name and its value.
type Column = (&'static str, i64);

/// `/proc/net/snmp`: the MIBs of IP, ICMP and TCP.
pub fn snmp(stack: &Stack) -> String {
    let ttl = i64::from(stack.sysctl().ip_default_ttl);
    // 2: this host does not forward.
    let mut ip = vec![("Forwarding", 2), ("DefaultTTL", ttl)];
    for column in group(stack, "Ip") {
        if column.0 == "OutTransmits" {
            ip.extend([("FragOKs", 0), ("FragFails", 0), ("FragCreates", 0)]);
        }
        ip.push(column);
        if column.0 == "InAddrErrors" {
            ip.push(("ForwDatagrams", 0));
        }
    }
    // Van Jacobson's algorithm; the bounds in milliseconds; no limit of connections.
    let mut tcp = vec![
        ("RtoAlgorithm", 1),
        ("RtoMin", i64::from(stack.sysctl().tcp_rto_min_us / 1000)),
        ("RtoMax", i64::from(stack.sysctl().tcp_rto_max_ms)),
        ("MaxConn", -1),
    ];
    tcp.extend(group(stack, "Tcp"));
    let mut text = String::new();
    write_group(&mut text, "Ip", &ip);
    write_group(&mut text, "Icmp", &group(stack, "Icmp"));
    write_group(&mut text, "Tcp", &tcp);
    text
}

/// `/proc/net/snmp6`: the MIBs of IPv6 and its ICMP, a counter a line.
pub fn snmp6(stack: &Stack) -> String {
    let mut text = String::new();
    for name in ["Ip6", "Icmp6"] {
        for (column, value) in group(stack, name) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<32}\t{value}", format!("{name}{column}"));
        }
    }
    text
}

/// `/proc/net/netstat`: everything that is beyond the MIBs.
pub fn netstat(stack: &Stack) -> String {
    let mut text = String::new();
    for name in groups().filter(|name| !matches!(*name, "Ip" | "Icmp" | "Tcp" | "Ip6" | "Icmp6")) {
        write_group(&mut text, name, &group(stack, name));
    }
    text
}

/// The groups of counters, each once, in their order.
fn groups() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    Counter::ALL.iter().map(|counter| counter.group()).filter(move |name| {
        let new = *name != last;
        last = name;
        new
    })
}

fn group(stack: &Stack, name: &str) -> Vec<Column> {
    let ours = Counter::ALL.iter().filter(|counter| counter.group() == name);
    ours.map(|counter| (counter.name(), stack.counters().get(*counter) as i64)).collect()
}

fn write_group(text: &mut String, name: &str, columns: &[Column]) {
    for line in [
        columns.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>(),
        columns.iter().map(|(_, value)| value.to_string()).collect(),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {}", line.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::test_stack;

    /// Names and values stand in the same columns, and TcpExt has the kernel's names.
    #[test]
    fn names_and_values_pair() {
        let stack = test_stack();
        for text in [snmp(&stack), netstat(&stack)] {
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks(2) {
                let (names, values) = (pair[0].split(' '), pair[1].split(' '));
                assert_eq!(names.clone().next(), values.clone().next());
                assert_eq!(names.count(), values.count(), "{}", pair[0]);
            }
        }
        assert!(snmp(&stack).contains("Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens"));
        assert!(snmp(&stack).contains("\nTcp: 1 200 120000 -1 0 0"));
        assert!(netstat(&stack).starts_with("TcpExt: SyncookiesSent SyncookiesRecv"));
    }
}
