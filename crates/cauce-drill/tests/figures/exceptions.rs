//! What differs on purpose, or cannot be the same.

/// Figures that are not compared, and why.
#[derive(Debug)]
pub struct Exception {
    /// A word of the paths of the scripts; empty for all.
    pub script: &'static str,
    /// The figures; a `*` at the end stands for any rest.
    pub figures: &'static [&'static str],
    pub why: &'static str,
}

/// All of them.
pub const ALL: &[Exception] = &[
    Exception {
        script: "",
        figures: &["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn"],
        why: "settings and no counters; nstat does not show them",
    },
    Exception {
        script: "",
        figures: &["IcmpMsg*", "Icmp6InType*", "Icmp6OutType*"],
        why: "repeat by number what InDestUnreachs and its like count by name",
    },
    Exception {
        script: "",
        figures: &["Icmp6Out*", "Ip6OutMcast*", "Ip6OutOctets"],
        why: "the kernel looks for routers on the script's device by itself",
    },
    Exception {
        script: "",
        figures: &["TcpExtTCPSackShifted", "TcpExtTCPSackMerged", "TcpExtTCPSackShiftFallback"],
        why: "they count how the kernel moves its buffers when a SACK arrives; ours are never moved",
    },
];

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// True when `figure` is not compared in the script at `path`.
pub fn excuse(path: &str, figure: &str) -> bool {
    ALL.iter().any(|exception| {
        path.contains(exception.script) && exception.figures.iter().any(|pattern| matches(pattern, figure))
    })
}
