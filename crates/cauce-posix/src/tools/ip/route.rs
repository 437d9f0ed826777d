//! `ip route`: the routing table, and what a route prescribes to connections (DESIGN 4.13).

use std::fmt::Write;
use std::net::IpAddr;

use cauce_core::frame::DeviceId;
use cauce_core::stack::Stack;
use cauce_core::stack::route::{Prefix, Route, RouteKind, RouteMetrics, RouteQuery, Unroutable};
use cauce_core::sysctl::{AlgorithmList, AlgorithmName};

use super::words::{Parsed, Words};
use super::{
    Family, device_name, device_named, is_short, no_device, no_process, unknown_command, wrong_address,
};
use crate::tools::Output;

pub(super) fn run(stack: &mut Stack, family: Family, words: &[&str]) -> Output {
    let (command, rest) = words.split_first().map_or(("show", words), |(command, rest)| (*command, rest));
    if ["show", "list", "lst"].iter().any(|whole| is_short(command, whole, 1)) {
        return show(stack, family, rest);
    }
    if is_short(command, "get", 1) {
        return get(stack, rest);
    }
    if is_short(command, "flush", 1) {
        return match rest {
            ["cache"] => {
                stack.interfaces().forget_path_mtus(family != Family::V6);
                Output::default()
            }
            _ => Output::unsupported(format!("ip route flush {}", rest.join(" "))),
        };
    }
    let verb = match command {
        "add" | "a" => Verb::Add,
        _ if is_short(command, "change", 2) || command == "chg" => Verb::Change,
        _ if is_short(command, "replace", 3) => Verb::Replace,
        _ if is_short(command, "delete", 1) => Verb::Delete,
        _ if is_short(command, "append", 2) => return Output::unsupported("ip route append"),
        _ => return unknown_command(command, "route"),
    };
    match parse(stack, rest).and_then(|wanted| apply(stack, verb, &wanted)) {
        Ok(()) => Output::default(),
        Err(output) => *output,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Change,
    Replace,
    Delete,
}

/// A route as it was written: what was left out is `None`.
struct Wanted {
    prefix: Prefix,
    kind: RouteKind,
    gateway: Option<IpAddr>,
    device: Option<DeviceId>,
    source: Option<IpAddr>,
    priority: Option<u32>,
    metrics: RouteMetrics,
}

fn apply(stack: &mut Stack, verb: Verb, wanted: &Wanted) -> Parsed<()> {
    let priority = wanted.priority.unwrap_or(0);
    let routes = stack.interfaces().routes();
    let same: Vec<Route> = routes.iter().filter(|route| route.prefix == wanted.prefix).copied().collect();
    if verb == Verb::Delete {
        let fits = |route: &Route| {
            wanted.device.is_none_or(|device| device == route.device)
                && wanted.gateway.is_none_or(|gateway| route.gateway == Some(gateway.into()))
                && wanted.priority.is_none_or(|priority| priority == route.priority)
        };
        let Some(old) = same.into_iter().find(fits) else { return Err(Box::new(no_process())) };
        stack.interfaces().routes_mut().remove(&old);
        return Ok(());
    }
    let old = same.into_iter().find(|route| route.priority == priority);
    let new = whole(stack, wanted, priority)?;
    match (verb, old) {
        (Verb::Add, Some(_)) => Err(Box::new(Output::failed(2, "RTNETLINK answers: File exists"))),
        (Verb::Change, None) => {
            Err(Box::new(Output::failed(2, "RTNETLINK answers: No such file or directory")))
        }
        (_, old) => {
            let routes = stack.interfaces().routes_mut();
            if let Some(old) = old {
                routes.remove(&old);
            }
            routes.add(new);
            Ok(())
        }
    }
}

/// The route that was written, its device found by its gateway where none was named.
fn whole(stack: &mut Stack, wanted: &Wanted, priority: u32) -> Parsed<Route> {
    let by_gateway = match wanted.gateway {
        None => None,
        Some(gateway) => {
            let query = RouteQuery { device: wanted.device, on_link: true, avoid: None };
            match stack.interfaces().routes().lookup(&gateway.into(), query) {
                // Linux lets an IPv4 route lead through one of its own addresses: the device is what counts.
                Ok(hop) if hop.local && gateway.is_ipv6() => {
                    return Err(Box::new(Output::failed(2, "Error: Gateway can not be a local address.")));
                }
                Ok(hop) => Some(hop.device),
                Err(_) => return Err(Box::new(Output::failed(2, "Error: Nexthop has invalid gateway."))),
            }
        }
    };
    let device = match (wanted.device.or(by_gateway), wanted.kind) {
        (Some(device), _) => device,
        (None, RouteKind::Unicast) => {
            return Err(Box::new(Output::failed(2, "RTNETLINK answers: No such device")));
        }
        // A route that leads nowhere needs no device.
        (None, _) => DeviceId::default(),
    };
    if let Some(source) = wanted.source
        && !stack.interfaces().is_local(source.into())
    {
        return Err(Box::new(Output::failed(2, "Error: Invalid prefsrc address.")));
    }
    Ok(Route {
        prefix: wanted.prefix,
        kind: wanted.kind,
        gateway: wanted.gateway.map(Into::into),
        device,
        source: wanted.source.map(Into::into),
        priority,
        metrics: wanted.metrics,
    })
}

fn parse(stack: &mut Stack, words: &[&str]) -> Parsed<Wanted> {
    let (kind, words) = match words {
        ["unicast", rest @ ..] => (RouteKind::Unicast, rest),
        ["local", rest @ ..] => (RouteKind::Local, rest),
        ["unreachable", rest @ ..] => (RouteKind::Unreachable, rest),
        ["prohibit", rest @ ..] => (RouteKind::Prohibit, rest),
        ["blackhole", rest @ ..] => (RouteKind::Blackhole, rest),
        [kind @ ("broadcast" | "multicast" | "throw" | "nat" | "anycast"), ..] => {
            return Err(Box::new(Output::unsupported(format!("ip route … {kind}"))));
        }
        words => (RouteKind::Unicast, words),
    };
    let words = words.strip_prefix(&["to"]).unwrap_or(words);
    let [destination, rest @ ..] = words else {
        return Err(Box::new(Output::failed(1, "Error: a destination is missing.")));
    };
    let mut words = Words { rest };
    // Of "default" the family is known once an address is.
    let family_of_default = rest.iter().find_map(|word| word.parse::<IpAddr>().ok());
    let prefix = match (*destination, family_of_default) {
        ("default", Some(IpAddr::V6(_))) => Prefix::new(IpAddr::from([0u16; 8]), 0),
        ("default", _) => Prefix::new(IpAddr::from([0u8; 4]), 0),
        (text, _) => text.parse().ok(),
    };
    let prefix = prefix.ok_or_else(|| Box::new(wrong_address(destination)))?;
    let algorithms = stack.sysctl().tcp_available_congestion_control.clone();
    let mut wanted = Wanted {
        prefix,
        kind,
        gateway: None,
        device: None,
        source: None,
        priority: None,
        metrics: RouteMetrics::default(),
    };
    while let Some(name) = words.next() {
        match name {
            "dev" => {
                let device = words.value(name)?;
                wanted.device = Some(device_named(stack, device).ok_or_else(|| Box::new(no_device(device)))?);
            }
            "via" => {
                words.skip(&["inet", "inet6"]);
                wanted.gateway = Some(words.address(name)?);
            }
            "src" => wanted.source = Some(words.address(name)?),
            "metric" | "priority" | "preference" => wanted.priority = Some(words.number(name, u32::MAX)?),
            "proto" | "protocol" | "scope" => {
                words.value(name)?;
            }
            "table" => match words.value(name)? {
                "main" | "254" => {}
                other => return Err(Box::new(Output::unsupported(format!("ip route … table {other}")))),
            },
            "onlink" => return Err(Box::new(Output::unsupported("ip route … onlink"))),
            _ => metric(name, &mut words, &mut wanted.metrics, &algorithms)?,
        }
    }
    Ok(wanted)
}

/// One metric. Those that the engine does not act on are unsupported.
fn metric(
    name: &str,
    words: &mut Words<'_, '_>,
    metrics: &mut RouteMetrics,
    algorithms: &AlgorithmList,
) -> Parsed<()> {
    let locked = words.skip(&["lock"]);
    match name {
        "rtt" => (metrics.path.srtt_us, metrics.path.locked.srtt) = (words.span(name)?, locked),
        "rttvar" => (metrics.path.rttvar_us, metrics.path.locked.rttvar) = (words.span(name)?, locked),
        "ssthresh" => {
            (metrics.path.ssthresh, metrics.path.locked.ssthresh) = (words.number(name, u32::MAX)?, locked);
        }
        "cwnd" => (metrics.path.cwnd, metrics.path.locked.cwnd) = (words.number(name, u32::MAX)?, locked),
        "reordering" => {
            (metrics.path.reordering, metrics.path.locked.reordering) =
                (words.number(name, u32::MAX)?, locked);
        }
        "quickack" => metrics.quickack = words.number(name, u32::MAX)? != 0,
        "congctl" if locked => return Err(Box::new(Output::unsupported("ip route … congctl lock"))),
        "congctl" => {
            let algorithm = AlgorithmName::new(words.value(name)?);
            metrics.congctl = algorithm.filter(|name| algorithms.contains(name.as_str()));
            if metrics.congctl.is_none() {
                return Err(Box::new(Output::failed(2, "Error: Unknown tcp congestion algorithm.")));
            }
        }
        "mtu" => {
            metrics.mtu_lock = locked;
            metrics.mtu = words.number(name, u32::from(u16::MAX))? as u16;
        }
        "advmss" => metrics.advmss = words.number(name, u32::from(u16::MAX))? as u16,
        "initcwnd" => metrics.initcwnd = words.number(name, u32::from(u16::MAX))? as u16,
        "initrwnd" => metrics.initrwnd = words.number(name, u32::from(u16::MAX))? as u16,
        "rto_min" => metrics.rto_min_us = words.span(name)?,
        "features" if words.skip(&["ecn"]) => metrics.ecn = true,
        other => return Err(Box::new(Output::unsupported(format!("ip route … {other}")))),
    }
    Ok(())
}

fn show(stack: &mut Stack, family: Family, words: &[&str]) -> Output {
    let (mut prefix, mut device, mut gateway) = (None, None, None);
    let mut words = Words { rest: words };
    while let Some(word) = words.next() {
        match word {
            "dev" | "oif" => {
                let Some(name) = words.next() else {
                    return Output::failed(255, "Command line is not complete: dev needs a value.");
                };
                device = match device_named(stack, name) {
                    Some(id) => Some(id),
                    None => return no_device(name),
                };
            }
            "table" if words.skip(&["main"]) => {}
            "via" => match words.address(word) {
                Ok(address) => gateway = Some(address.into()),
                Err(output) => return *output,
            },
            "default" => prefix = Some((true, Prefix::new(IpAddr::from([0u8; 4]), 0))),
            "to" => {}
            text => match text.parse::<Prefix>() {
                Ok(wanted) => prefix = Some((false, Some(wanted))),
                Err(_) if ["proto", "scope", "root", "match", "exact", "table", "cache"].contains(&text) => {
                    return Output::unsupported(format!("ip route show {text}"));
                }
                Err(_) => return wrong_address(text),
            },
        }
    }
    let v4 = family != Family::V6;
    let mut routes: Vec<Route> = stack
        .interfaces()
        .routes()
        .iter()
        .filter(|route| prefix.is_some_and(|(default, _)| !default) || route.prefix.is_v4() == v4)
        .filter(|route| device.is_none_or(|device| device == route.device))
        .filter(|route| gateway.is_none() || route.gateway == gateway)
        .filter(|route| prefix.is_none_or(|(_, prefix)| prefix == Some(route.prefix)))
        .copied()
        .collect();
    routes.sort_by_key(|route| (route.prefix.network(), route.prefix.length(), route.priority));
    let mut text = String::new();
    for route in &routes {
        describe(stack, route, device.is_none(), &mut text);
    }
    Output::text(text)
}

fn describe(stack: &mut Stack, route: &Route, with_device: bool, text: &mut String) {
    let kind = match route.kind {
        RouteKind::Unicast => "",
        RouteKind::Local => "local ",
        RouteKind::Unreachable => "unreachable ",
        RouteKind::Prohibit => "prohibit ",
        RouteKind::Blackhole => "blackhole ",
    };
    let whole = if route.prefix.is_v4() { 32 } else { 128 };
    let destination = match route.prefix {
        prefix if prefix.is_default() => "default".to_owned(),
        prefix if prefix.length() == whole => prefix.network().to_string(),
        prefix => prefix.to_string(),
    };
    // Writing to a String cannot fail.
    let _ = write!(text, "{kind}{destination} ");
    if let Some(gateway) = route.gateway {
        let _ = write!(text, "via {gateway} ");
    }
    let leads = matches!(route.kind, RouteKind::Unicast | RouteKind::Local);
    if leads && with_device {
        let _ = write!(text, "dev {} ", device_name(stack, route.device));
    }
    if leads && route.gateway.is_none() {
        text.push_str(if route.source.is_some() { "proto kernel scope link " } else { "scope link " });
    }
    if let Some(source) = route.source {
        let _ = write!(text, "src {source} ");
    }
    if route.priority != 0 {
        let _ = write!(text, "metric {} ", route.priority);
    }
    describe_metrics(&route.metrics, text);
    text.push('\n');
}

/// The metrics that are set, in iproute2's order.
fn describe_metrics(metrics: &RouteMetrics, text: &mut String) {
    let (path, locked) = (&metrics.path, &metrics.path.locked);
    let count = |value: u32| if value == 0 { String::new() } else { value.to_string() };
    for (name, locked, value) in [
        ("mtu", metrics.mtu_lock, count(metrics.mtu.into())),
        ("rtt", locked.srtt, span(path.srtt_us)),
        ("rttvar", locked.rttvar, span(path.rttvar_us)),
        ("ssthresh", locked.ssthresh, count(path.ssthresh)),
        ("cwnd", locked.cwnd, count(path.cwnd)),
        ("advmss", false, count(metrics.advmss.into())),
        ("reordering", locked.reordering, count(path.reordering)),
        ("initcwnd", false, count(metrics.initcwnd.into())),
        ("features", false, if metrics.ecn { "ecn".to_owned() } else { String::new() }),
        ("rto_min", true, span(metrics.rto_min_us)),
        ("initrwnd", false, count(metrics.initrwnd.into())),
        ("quickack", false, count(metrics.quickack.into())),
        ("congctl", false, metrics.congctl.map_or_else(String::new, |name| name.to_string())),
    ] {
        if !value.is_empty() {
            let lock = if locked { "lock " } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{name} {lock}{value} ");
        }
    }
}

/// A span as iproute2 writes it, empty for none.
fn span(us: u32) -> String {
    match us / 1_000 {
        0 => String::new(),
        ms @ 1..1_000 => format!("{ms}ms"),
        ms => format!("{}s", f64::from(ms) / 1_000.0),
    }
}

fn get(stack: &mut Stack, words: &[&str]) -> Output {
    let words = words.strip_prefix(&["to"]).unwrap_or(words);
    let ([text] | [text, "dev", _]) = words else {
        return Output::unsupported(format!("ip route get {}", words.join(" ")));
    };
    let mut query = RouteQuery::default();
    if let [_, _, name] = words {
        match device_named(stack, name) {
            Some(device) => query.device = Some(device),
            None => return no_device(name),
        }
    }
    let Ok(to) = text.parse::<IpAddr>() else {
        return Output::failed(1, format!("Error: any valid address is expected rather than \"{text}\"."));
    };
    let hop = match stack.interfaces().routes().lookup(&to.into(), query) {
        Ok(hop) => hop,
        Err(why) => {
            let reason = match why {
                Unroutable::NoRoute => "Network is unreachable",
                Unroutable::Unreachable => "No route to host",
                Unroutable::Prohibited => "Permission denied",
                Unroutable::Blackhole => "Invalid argument",
                Unroutable::NoSource => "Cannot assign requested address",
            };
            return Output::failed(2, format!("RTNETLINK answers: {reason}"));
        }
    };
    let mut line = String::new();
    if hop.local {
        let _ = write!(line, "local {to} dev lo src {} uid 0 \n    cache <local> \n", hop.source);
        return Output::text(line);
    }
    let _ = write!(line, "{to} ");
    if to.is_ipv6() {
        line.push_str("from :: ");
    }
    if hop.next_hop.ip() != to {
        let _ = write!(line, "via {} ", hop.next_hop);
    }
    let _ = write!(line, "dev {} src {} uid 0 \n    cache ", device_name(stack, hop.device), hop.source);
    describe_metrics(&hop.metrics, &mut line);
    line.push('\n');
    Output::text(line)
}
