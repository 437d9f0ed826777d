//! `tc` over the device of a script: its queueing discipline.
//!
//! Packets of the stack under test leave at the moment at which they are made, so a queue of any length is one
//! that never fills, and the disciplines that only queue are honoured. One that would pace, delay or drop is not
//! there, and is said to be missing.

use cauce_posix::tools::Output;

/// What stands at the root of the device.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Qdisc {
    /// The discipline that was put there; `None` for the one that a device starts with.
    kind: Option<Kind>,
    /// How many were put there: their handles count up.
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Pfifo { limit: u32 },
    Bfifo { limit: u32 },
    PfifoFast,
    NoQueue,
}

/// Packets that a pfifo of a TUN holds when nobody says how many.
const LENGTH: u32 = 500;
/// The number by which Linux's tools count handles that the kernel gives out.
const FIRST_HANDLE: u32 = 0x8001;

impl Qdisc {
    /// `tc [-s|-d…] qdisc add|change|replace|del|show dev DEVICE root KIND`.
    pub fn tc(&mut self, device: &str, arguments: &[&str]) -> Output {
        let mut words = arguments;
        while let [option, rest @ ..] = words
            && option.starts_with('-')
        {
            if !matches!(*option, "-s" | "-d" | "-p" | "-stats" | "-statistics" | "-details" | "-pretty") {
                return Output::unsupported(format!("tc {option}"));
            }
            words = rest;
        }
        match words {
            ["qdisc"] | ["qdisc", "show" | "list" | "ls"] => Output::text(self.shown(Some(device))),
            ["qdisc", "show" | "list" | "ls", "dev", name] if *name == device => {
                Output::text(self.shown(None))
            }
            ["qdisc", verb @ ("add" | "change" | "replace" | "del" | "delete"), rest @ ..] => {
                self.change(verb, device, rest)
            }
            ["qdisc", "show" | "list" | "ls", "dev", name] => no_device(name),
            _ => Output::unsupported(format!("tc {}", words.join(" "))),
        }
    }

    fn change(&mut self, verb: &str, device: &str, words: &[&str]) -> Output {
        let (mut name, mut rest) = (None, words);
        loop {
            rest = match rest {
                ["dev", found, after @ ..] => {
                    name = Some(*found);
                    after
                }
                ["root", after @ ..] | ["handle", _, after @ ..] => after,
                [word @ ("parent" | "ingress" | "clsact" | "estimator" | "stab"), ..] => {
                    return Output::unsupported(format!("tc qdisc {verb} … {word}"));
                }
                _ => break,
            };
        }
        match name {
            None => return Output::failed(1, "Device is required."),
            Some(name) if name != device => return no_device(name),
            Some(_) => {}
        }
        if matches!(verb, "del" | "delete") {
            return match self.kind.take() {
                Some(_) => Output::default(),
                None => Output::failed(2, "Error: Cannot delete qdisc with handle of zero."),
            };
        }
        match (verb, &self.kind) {
            ("add", Some(_)) => return Output::failed(2, "Error: Exclusivity flag on, cannot modify."),
            ("change", None) => {
                return Output::failed(2, "Error: Qdisc not found. To create specify NLM_F_CREATE flag.");
            }
            _ => {}
        }
        match kind_of(rest) {
            Ok(kind) => {
                self.kind = Some(kind);
                self.count += 1;
                Output::default()
            }
            Err(output) => *output,
        }
    }

    fn shown(&self, device: Option<&str>) -> String {
        let dev = device.map(|name| format!("dev {name} ")).unwrap_or_default();
        let handle = FIRST_HANDLE + self.count.saturating_sub(1);
        let map = "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1";
        match self.kind {
            None => format!("qdisc pfifo_fast 0: {dev}root refcnt 2 {map}\n"),
            Some(Kind::PfifoFast) => format!("qdisc pfifo_fast {handle:x}: {dev}root refcnt 2 {map}\n"),
            Some(Kind::Pfifo { limit }) => {
                format!("qdisc pfifo {handle:x}: {dev}root refcnt 2 limit {limit}p\n")
            }
            Some(Kind::Bfifo { limit }) => {
                format!("qdisc bfifo {handle:x}: {dev}root refcnt 2 limit {limit}b\n")
            }
            Some(Kind::NoQueue) => format!("qdisc noqueue {handle:x}: {dev}root refcnt 2 \n"),
        }
    }
}

fn kind_of(words: &[&str]) -> Result<Kind, Box<Output>> {
    let limit = |usual: u32, text: &[&str]| match text {
        [] => Ok(usual),
        ["limit", number] => match number.trim_end_matches(['p', 'b']).parse::<u32>() {
            Ok(0) => Err(Box::new(Output::unsupported("a queue with limit 0, which drops every packet"))),
            Ok(limit) => Ok(limit),
            Err(_) => Err(Box::new(Output::failed(1, format!("Illegal \"limit\": {number}")))),
        },
        other => Err(Box::new(Output::failed(1, format!("What is \"{}\"?", other.join(" "))))),
    };
    match words {
        ["pfifo", rest @ ..] => Ok(Kind::Pfifo { limit: limit(LENGTH, rest)? }),
        ["bfifo", rest @ ..] => Ok(Kind::Bfifo { limit: limit(LENGTH * 1500, rest)? }),
        ["pfifo_fast"] => Ok(Kind::PfifoFast),
        ["noqueue"] => Ok(Kind::NoQueue),
        [kind, ..] => Err(Box::new(Output::unsupported(format!("the queueing discipline `{kind}`")))),
        [] => Err(Box::new(Output::failed(1, "Error: a queueing discipline is missing."))),
    }
}

fn no_device(name: &str) -> Output {
    Output::failed(1, format!("Cannot find device \"{name}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_posix::tools::Problem;

    /// The texts and statuses are those of iproute2 6.1 for the same lines.
    #[test]
    fn the_root_of_the_device() {
        let mut qdisc = Qdisc::default();
        for (line, status, stderr) in [
            ("qdisc del dev tun0 root", 2, "Error: Cannot delete qdisc with handle of zero."),
            ("qdisc replace dev tun0 root pfifo", 0, ""),
            ("qdisc add dev tun0 root pfifo", 2, "Error: Exclusivity flag on, cannot modify."),
            ("qdisc change dev tun0 root pfifo limit 5", 0, ""),
            ("qdisc replace dev tun0 root noqueue", 0, ""),
            ("qdisc replace dev tun1 root pfifo", 1, "Cannot find device \"tun1\""),
            ("qdisc del dev tun0 root", 0, ""),
        ] {
            let output = qdisc.tc("tun0", &line.split(' ').collect::<Vec<_>>());
            assert_eq!((output.status, output.stderr.trim_end()), (status, stderr), "tc {line}");
            assert_eq!(output.problems, []);
        }
        let shown = "qdisc pfifo_fast 0: root refcnt 2 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n";
        assert_eq!(qdisc.tc("tun0", &["qdisc", "show", "dev", "tun0"]).stdout, shown);
    }

    #[test]
    fn what_would_pace_delay_or_drop_is_missing() {
        let mut qdisc = Qdisc::default();
        for line in ["fq", "netem delay 10ms", "tbf", "pfifo limit 0", "fq_codel"] {
            let words: Vec<_> =
                ["qdisc", "replace", "dev", "tun0", "root"].into_iter().chain(line.split(' ')).collect();
            assert!(matches!(qdisc.tc("tun0", &words).problems[..], [Problem::Unsupported(_)]), "{line}");
        }
        for line in ["class add", "filter show", "qdisc add dev tun0 ingress", "-batch x qdisc"] {
            assert_eq!(qdisc.tc("tun0", &line.split(' ').collect::<Vec<_>>()).problems.len(), 1, "{line}");
        }
        assert_eq!(qdisc, Qdisc::default());
    }
}
