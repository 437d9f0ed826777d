//! `--json`: what the tools show, for programs. Flags and filters choose as they do for the text.
//!
//! Names are those of the tables, of the kernel's `struct tcp_info`, and of the settings; docs/control.md has the units.

use cauce::Instant;
use cauce::sysctl::Sysctls;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_core::stack::metrics_cache::Known;
use cauce_posix::options::tcp_info_fields;
use cauce_posix::tools::sysctl::{Done, Shown};
use cauce_posix::tools::{self, Columns, Output, netstat, ss};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The sockets that `ss` chooses, or its sums.
pub fn ss(stack: &Stack, now: Instant, arguments: &[&str], files: &BTreeMap<String, String>) -> Output {
    match ss::Command::parse(arguments, files) {
        Ok(command) if command.summary => text(&sums(ss::sums(stack))),
        Ok(command) => sockets(stack, command.select(stack, now), now, command.columns),
        Err(output) => *output,
    }
}

/// The sockets that `netstat` chooses.
pub fn netstat(stack: &Stack, now: Instant, arguments: &[&str]) -> Output {
    match netstat::Command::parse(arguments) {
        Ok(command) => sockets(stack, command.select(stack, now).into_iter(), now, command.columns),
        Err(output) => *output,
    }
}

fn sockets(stack: &Stack, chosen: impl Iterator<Item = Listed>, now: Instant, columns: Columns) -> Output {
    text(&Value::Array(chosen.map(|listed| socket(stack, &listed, now, columns)).collect()))
}

fn socket(stack: &Stack, listed: &Listed, now: Instant, columns: Columns) -> Value {
    let mut value = json!({
        "state": listed.state.name(),
        "local": listed.local.to_string(),
        "peer": listed.remote.to_string(),
        "recv_q": listed.recv_queue,
        "send_q": listed.send_queue,
    });
    if let Some(device) = listed.device {
        value["dev"] = json!(stack.device_name(device));
    }
    if let (true, Some(timer)) = (columns.timers, listed.timer) {
        let left = timer.at.since(now).as_micros() / 1000;
        value["timer"] = json!({
            "kind": format!("{:?}", timer.kind),
            "expires_ms": left,
            "retransmits": listed.retransmits,
            "probes": listed.probes,
        });
    }
    if columns.extended {
        value["cookie"] = json!(listed.cookie);
        value["owned"] = json!(listed.owned);
        value["fwmark"] = json!(listed.mark);
        value["v6only"] = json!(listed.v6_only);
        value["shutdown"] = json!({ "receive": listed.shutdown & 1 != 0, "send": listed.shutdown & 2 != 0 });
    }
    let Some(details) = &listed.details else { return value };
    if columns.tos {
        value["tos"] = json!(details.tos);
        value["tclass"] = json!(details.traffic_class);
        value["priority"] = json!(details.priority);
    }
    if columns.memory {
        value["memory"] = json!({
            "receive": details.memory.receive,
            "receive_limit": details.memory.receive_limit,
            "send": details.memory.send,
            "send_limit": details.memory.send_limit,
        });
    }
    if columns.info {
        let fields = tcp_info_fields(&details.info).into_iter();
        value["congestion"] = json!(details.algorithm);
        value["info"] =
            fields.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Map<_, _>>().into();
    }
    value
}

fn sums(sums: ss::Sums) -> Value {
    json!({
        "total": sums.total,
        "tcp": {
            "total": sums.all,
            "estab": sums.established,
            "closed": sums.closed,
            "orphaned": sums.orphaned,
            "timewait": sums.time_waits,
        },
        "transport": { "tcp": { "total": sums.v4 + sums.v6, "ip": sums.v4, "ipv6": sums.v6 } },
    })
}

/// What `ip tcp_metrics` knows of destinations. What only changes something answers as it does without JSON.
pub fn ip(stack: &mut Stack, now: Instant, arguments: &[&str]) -> Output {
    let ["tcp_metrics", words @ ..] = arguments else { return Output::unsupported("--json of ip") };
    match tools::ip::known_destinations(stack, words) {
        Some(Ok(known)) => text(&known.iter().map(|known| destination(known, now)).collect()),
        Some(Err(output)) => *output,
        None => tools::ip::run(stack, now, arguments),
    }
}

fn destination(known: &Known, now: Instant) -> Value {
    let Known { dst, source, metrics, updated } = known;
    let mut value = json!({ "dst": dst.to_string(), "age_ms": now.since(*updated).as_micros() / 1000 });
    for (name, number) in [
        ("ssthresh", metrics.ssthresh),
        ("cwnd", metrics.cwnd),
        ("reordering", metrics.reordering),
        ("rtt_us", metrics.srtt_us),
        ("rttvar_us", metrics.rttvar_us),
    ] {
        if number != 0 {
            value[name] = json!(number);
        }
    }
    if let Some(source) = source {
        value["source"] = json!(source.to_string());
    }
    value
}

/// `netsh`: the global parameters as they are when the command is done.
pub fn netsh(settings: &mut Sysctls, arguments: &[&str]) -> Output {
    let output = tools::netsh::run(settings, arguments);
    if output.status != 0 {
        return output;
    }
    text(&tools::netsh::values(settings).map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What `sysctl` shows: values by name, or a list where it shows only names or only values. Its status and what it
/// says of errors stay.
pub fn settings(done: Done) -> Output {
    let named = |shown: &Shown| match shown {
        Shown::Setting(name, value) => Some((name.clone(), Value::from(value.as_str()))),
        Shown::Name(_) | Shown::Value(_) => None,
    };
    let bare = |shown: &Shown| match shown {
        Shown::Setting(..) => None,
        Shown::Name(text) | Shown::Value(text) => Some(Value::from(text.as_str())),
    };
    let all = match done.shown.iter().filter_map(bare).collect::<Vec<_>>() {
        empty if empty.is_empty() => Value::Object(done.shown.iter().filter_map(named).collect()),
        list => Value::Array(list),
    };
    Output { stdout: format!("{all}\n"), ..done.output }
}

fn text(value: &Value) -> Output {
    Output::text(format!("{value}\n"))
}
