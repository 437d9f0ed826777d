//! Bytes of a connection in each of the states in which very many may rest.
//!
//! Time is virtual here, so that delayed acknowledgements and probes are long over when counting starts.

use super::read;
use super::scale::connect_many;
use crate::counting;
use crate::host::{ADDRS, Host, pair};
use anyhow::{Result, ensure};
use bytes::Bytes;
use cauce_core::batch::Batch;
use cauce_core::frame::Frame;
use cauce_core::sysctl::Sysctls;
use cauce_core::time::{Duration, Instant};
use cauce_device::{Pipe, PipeOptions};
use cauce_wire::{Flags, IpEmit, Seq, TcpHeader, Timestamps, checksum};
use std::net::IpAddr;

/// Brings `n` connections into a state and says what each costs.
pub type Measure = fn(usize) -> Result<Cost>;

/// Bytes of one end, indexes included.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// As the program asked for them.
    pub requested: f64,
    /// As the allocator hands them out: rounded up, with its own header.
    pub allocated: f64,
}

fn start() -> Instant {
    Instant::from_secs(100)
}

/// Lets both hosts work for `span` of virtual time.
fn rest(hosts: &mut [Host<Pipe>; 2], from: Instant, span: Duration) -> Result<Instant> {
    let end = from + span;
    let mut now = from;
    while now < end {
        let deadline =
            hosts.iter_mut().filter_map(|host| host.stack().poll_timeout()).map(|(at, _)| at).min();
        now = deadline.unwrap_or(end).clamp(now, end);
        for _ in 0..3 {
            for host in hosts.iter_mut() {
                while host.turn(now)?.again {}
            }
        }
        if deadline.is_none_or(|at| at >= end) {
            break;
        }
    }
    Ok(end)
}

/// What one of `count` has cost between two moments.
pub(super) fn per(before: counting::Use, after: counting::Use, count: usize) -> Cost {
    let each = |now: usize, then: usize| (now as f64 - then as f64) / count as f64;
    Cost {
        requested: each(after.requested, before.requested),
        allocated: each(after.allocated, before.allocated),
    }
}

/// An idle established connection after 1 KiB each way, one end.
///
/// # Errors
/// When a connection does not come about or a byte is lost.
pub fn idle(count: usize) -> Result<Cost> {
    let mut hosts = pair(PipeOptions::default(), &Sysctls::default())?;
    let now = start();
    let before = counting::in_use();
    let ids = connect_many(&mut hosts, count, || now)?;
    let mut buffer = vec![7; 2048];
    for (client, server) in &ids {
        hosts[0].stack().socket(*client).send(now, &buffer[..1024])?;
        hosts[0].turn(now)?;
        hosts[1].turn(now)?;
        let got = read(hosts[1].stack(), *server, now, &mut buffer)?;
        hosts[1].stack().socket(*server).send(now, &buffer[..1024])?;
        hosts[1].turn(now)?;
        hosts[0].turn(now)?;
        let back = read(hosts[0].stack(), *client, now, &mut buffer)?;
        ensure!((got, back) == (1024, 1024), "bytes are missing: {got} there, {back} back");
    }
    for host in &mut hosts {
        while host.stack().poll_event().is_some() {}
    }
    rest(&mut hosts, now, Duration::from_secs(30))?;
    ensure!(hosts[0].stack().connections() == count, "connections are missing");
    let cost = per(before, counting::in_use(), 2 * count);
    drop(ids);
    Ok(cost)
}

/// A half-open connection: a SYN with all of today's options has come, its ACK has not.
///
/// # Errors
/// When the listener refuses one.
pub fn half_open(count: usize) -> Result<Cost> {
    let sysctl = Sysctls {
        core_somaxconn: count as u32 + 1,
        tcp_max_syn_backlog: count as i32 + 1,
        ..Sysctls::default()
    };
    let (pipe, _other) = cauce_device::pipe(PipeOptions::default());
    let mut host = Host::new(ADDRS[1], pipe, 2, sysctl)?;
    host.listen(80, count as u32 + 1)?;
    let mut batch = Batch::new(64);
    let before = counting::in_use();
    for number in 0..count {
        let source = IpAddr::from([10, 8, (number >> 14) as u8, (number >> 6) as u8]);
        let packet = syn(source, 1024 + (number & 63) as u16, ADDRS[1].into(), 80);
        host.stack().handle_packet(start(), Frame::new(packet));
        host.stack().poll_transmit(start(), &mut batch);
        while batch.pop().is_some() {}
    }
    ensure!(host.stack().half_open() == count, "only {} are half-open", host.stack().half_open());
    Ok(per(before, counting::in_use(), count))
}

/// A TIME-WAIT.
///
/// # Errors
/// When a connection does not get there.
pub fn time_wait(count: usize) -> Result<Cost> {
    let sysctl = Sysctls { tcp_max_tw_buckets: count as i32 + 1, ..Sysctls::default() };
    let mut hosts = pair(PipeOptions::default(), &sysctl)?;
    let now = start();
    // The hosts' own lists are as long as they get when the counting starts.
    let before = counting::in_use();
    let mut done = 0;
    let mut listeners = Vec::new();
    while done < count {
        let port = 9000 + (done / super::scale::PER_PORT) as u16;
        if done % super::scale::PER_PORT == 0 {
            listeners.push(hosts[1].listen(port, 128)?);
        }
        let (client, server) = crate::host::join(&mut hosts, now, listeners[listeners.len() - 1], port)?;
        hosts[0].stack().socket(client).close(now)?;
        hosts[0].turn(now)?;
        hosts[1].turn(now)?;
        hosts[1].stack().socket(server).close(now)?;
        for _ in 0..2 {
            hosts[1].turn(now)?;
            hosts[0].turn(now)?;
        }
        for host in &mut hosts {
            while host.stack().poll_event().is_some() {}
        }
        done += 1;
    }
    let kept = hosts[0].stack().time_waits();
    ensure!(kept == count, "only {kept} are in TIME-WAIT");
    ensure!(hosts[1].stack().sockets() == listeners.len(), "the other side keeps connections");
    Ok(per(before, counting::in_use(), count))
}

/// A SYN as Linux sends it.
fn syn(src: IpAddr, src_port: u16, dst: IpAddr, dst_port: u16) -> Bytes {
    let mut header = TcpHeader {
        src_port,
        dst_port,
        seq: Seq(7),
        ack: Seq(0),
        flags: Flags::SYN,
        window: 64_240,
        urgent: 0,
        options: Default::default(),
    };
    header.options.mss = Some(1460);
    header.options.sack_permitted = true;
    header.options.timestamps = Some(Timestamps { val: 1, ecr: 0 });
    header.options.window_scale = Some(7);
    let ip = IpEmit {
        src,
        dst,
        protocol: 6,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        identification: 1,
        dont_fragment: true,
        payload_len: header.header_len(),
    };
    let mut packet = vec![0; ip.len() + header.header_len()];
    let start = ip.emit(&mut packet);
    header.emit(&mut packet[start..]);
    let mut sum = checksum::pseudo_header(src, dst, 6, packet.len() - start);
    sum.add_bytes(&packet[start..]);
    packet[start + 16..start + 18].copy_from_slice(&sum.finish().to_be_bytes());
    packet.into()
}
