//! `--json`: the same data for programs. Field names are those of the tables; times are in milliseconds.

use cauce::Instant;
use cauce_core::stack::Stack;
use cauce_core::stack::listing::Listed;
use cauce_posix::tools::Output;
use cauce_posix::tools::sysctl::{Done, Shown};
use serde_json::{Value, json};

/// All sockets, half-open connections and TIME-WAITs.
pub fn sockets(stack: &Stack, now: Instant) -> Output {
    let all: Vec<Value> = stack.listing(now).map(|listed| socket(&listed, now)).collect();
    text(&Value::Array(all))
}

fn socket(listed: &Listed, now: Instant) -> Value {
    let mut value = json!({
        "state": listed.state.name(),
        "local": listed.local.to_string(),
        "peer": listed.remote.to_string(),
        "recv_q": listed.recv_queue,
        "send_q": listed.send_queue,
        "cookie": listed.cookie,
        "retransmits": listed.retransmits,
        "probes": listed.probes,
        "owned": listed.owned,
    });
    if let Some(timer) = listed.timer {
        let left = timer.at.since(now).as_micros() / 1000;
        value["timer"] = json!({ "kind": format!("{:?}", timer.kind), "expires_ms": left });
    }
    if let Some(details) = &listed.details {
        let info = &details.info;
        value["congestion"] = json!(details.algorithm);
        value["memory"] = json!({
            "receive": details.memory.receive,
            "receive_limit": details.memory.receive_limit,
            "send": details.memory.send,
            "send_limit": details.memory.send_limit,
        });
        value["info"] = json!({
            "rto_us": info.rto, "rtt_us": info.rtt, "rttvar_us": info.rttvar, "min_rtt_us": info.min_rtt,
            "snd_mss": info.snd_mss, "rcv_mss": info.rcv_mss, "advmss": info.advmss, "pmtu": info.pmtu,
            "snd_cwnd": info.snd_cwnd, "snd_ssthresh": info.snd_ssthresh, "unacked": info.unacked,
            "sacked": info.sacked, "lost": info.lost, "retrans": info.retrans,
            "total_retrans": info.total_retrans, "reordering": info.reordering,
            "bytes_acked": info.bytes_acked, "bytes_received": info.bytes_received,
            "segs_out": info.segs_out, "segs_in": info.segs_in, "delivered": info.delivered,
            "pacing_rate": info.pacing_rate, "delivery_rate": info.delivery_rate,
            "busy_us": info.busy_time, "rwnd_limited_us": info.rwnd_limited,
            "sndbuf_limited_us": info.sndbuf_limited,
        });
    }
    value
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
