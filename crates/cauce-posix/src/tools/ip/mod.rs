//! `ip`: routes, devices, addresses and remembered metrics of a stack, as iproute2's tool shows and changes them.
//!
//! Objects and commands may be shortened, as with the real one. A metric that this engine would not act on is a
//! problem, never a number that is stored and forgotten.

mod link;
mod metrics;
mod route;
mod words;

use std::net::IpAddr;

use cauce_core::frame::DeviceId;
use cauce_core::stack::Stack;
use cauce_core::stack::metrics_cache::Known;
use cauce_core::time::Instant;

use super::Output;

const USAGE: &str = "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }";

/// Which family an `ip` command speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    /// Whatever fits: IPv4 where nothing tells.
    #[default]
    Any,
    V4,
    V6,
}

impl Family {
    fn includes(self, ip: &IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }
}

/// `ip [-4|-6|-s|-o|…] route|link|addr|tcp_metrics COMMAND …`.
///
/// ```
/// use cauce_core::stack::{InterfaceConfig, Medium, Stack};
/// use cauce_core::sysctl::Sysctls;
/// use cauce_core::time::Instant;
/// use cauce_posix::tools::ip::run;
/// let mut n = 0u64;
/// let mut stack = Stack::new(Sysctls::default(), Box::new(move || { n += 1; n }));
/// let tun = InterfaceConfig { name: "tun0".into(), mtu: 1500, medium: Medium::Ip, max_super: 0 };
/// stack.add_interface(tun);
/// run(&mut stack, Instant::ZERO, &["route", "add", "192.0.2.0/24", "dev", "tun0", "initcwnd", "3"]);
/// assert_eq!(run(&mut stack, Instant::ZERO, &["route"]).stdout, "192.0.2.0/24 dev tun0 scope link initcwnd 3 \n");
/// ```
pub fn run(stack: &mut Stack, now: Instant, arguments: &[&str]) -> Output {
    let mut family = Family::default();
    let mut words = arguments;
    while let [option, rest @ ..] = words {
        let Some(name) = option.strip_prefix('-') else { break };
        words = rest;
        match name.trim_start_matches('-') {
            "4" => family = Family::V4,
            "6" => family = Family::V6,
            "family" | "f" => {
                let [name, rest @ ..] = words else { return Output::failed(255, USAGE) };
                family = match *name {
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    other => return Output::unsupported(format!("ip -family {other}")),
                };
                words = rest;
            }
            // More or less detail of things that are not here.
            "s" | "stats" | "statistics" | "d" | "details" | "N" | "Numeric" | "q" => {}
            "V" | "Version" => return Output::text("ip utility, cauce\n"),
            other => return Output::unsupported(format!("ip -{other}")),
        }
    }
    let [object, words @ ..] = words else { return Output::failed(255, USAGE) };
    if is_short(object, "address", 1) {
        link::address(stack, family, words)
    } else if is_short(object, "route", 1) {
        route::run(stack, family, words)
    } else if is_short(object, "link", 1) {
        link::run(stack, words)
    } else if is_short(object, "tcp_metrics", 3) || is_short(object, "tcpmetrics", 3) {
        metrics::run(stack, family, now, words)
    } else if OTHERS.iter().any(|other| is_short(object, other, 2)) {
        Output::unsupported(format!("ip {object}"))
    } else {
        Output::failed(1, format!("Object \"{object}\" is unknown, try \"ip help\"."))
    }
}

/// What `ip tcp_metrics show …` is about, of which `words` are what follows `tcp_metrics`; `None` when they ask for
/// something else than to show it.
///
/// # Errors
/// What the tool prints when the words make no sense.
pub fn known_destinations(stack: &Stack, words: &[&str]) -> Option<Result<Vec<Known>, Box<Output>>> {
    metrics::shown(stack, Family::Any, words)
}

/// Objects of the real one that a stack does not have.
const OTHERS: [&str; 12] = [
    "rule",
    "neighbor",
    "neighbour",
    "netns",
    "tunnel",
    "tuntap",
    "maddress",
    "monitor",
    "mroute",
    "xfrm",
    "nexthop",
    "help",
];

/// True when `word` is `whole` or a beginning of it with at least `least` letters.
fn is_short(word: &str, whole: &str, least: usize) -> bool {
    word.len() >= least && whole.starts_with(word)
}

fn no_process() -> Output {
    Output::failed(2, "RTNETLINK answers: No such process")
}

fn no_device(name: &str) -> Output {
    Output::failed(1, format!("Cannot find device \"{name}\""))
}

fn wrong_address(text: &str) -> Output {
    Output::failed(1, format!("Error: any valid prefix is expected rather than \"{text}\"."))
}

fn unknown_command(command: &str, object: &str) -> Output {
    Output::failed(255, format!("Command \"{command}\" is unknown, try \"ip {object} help\"."))
}

fn device_named(stack: &mut Stack, name: &str) -> Option<DeviceId> {
    stack.interfaces().iter().find(|(_, config)| config.name == name).map(|(id, _)| id)
}

fn device_name(stack: &mut Stack, id: DeviceId) -> String {
    stack.interfaces().get(id).map_or_else(|| "lo".to_owned(), |config| config.name.clone())
}

#[cfg(test)]
mod tests;
