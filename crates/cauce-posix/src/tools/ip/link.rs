//! `ip link` and `ip addr`: the devices of a stack, their MTU and their addresses.

use std::fmt::Write;
use std::net::IpAddr;

use cauce_core::frame::DeviceId;
use cauce_core::stack::route::Prefix;
use cauce_core::stack::{InterfaceConfig, Medium, Stack};

use super::{Family, device_named, is_short, no_device, unknown_command, wrong_address};
use crate::tools::Output;

/// The smallest MTU that a device may have.
const LEAST_MTU: u16 = 68;

pub(super) fn run(stack: &mut Stack, words: &[&str]) -> Output {
    let (command, rest) = words.split_first().map_or(("show", words), |(command, rest)| (*command, rest));
    if is_short(command, "set", 1) {
        set(stack, rest)
    } else if is_short(command, "show", 2) || is_short(command, "list", 1) {
        let [device] = devices(stack, rest).unwrap_or_default()[..] else {
            return show(stack, rest, None);
        };
        show(stack, rest, Some(device))
    } else if ["add", "delete"].iter().any(|whole| is_short(command, whole, 1)) {
        Output::unsupported(format!("ip link {command}"))
    } else {
        unknown_command(command, "link")
    }
}

/// The device that `[dev] NAME` names; `None` when the name is unknown.
fn devices(stack: &mut Stack, words: &[&str]) -> Option<Vec<DeviceId>> {
    match words {
        [] => Some(Vec::new()),
        ["dev", name, ..] | [name, ..] => device_named(stack, name).map(|device| vec![device]),
    }
}

fn show(stack: &mut Stack, words: &[&str], only: Option<DeviceId>) -> Output {
    if let (None, ["dev", name, ..] | [name, ..]) = (only, words) {
        return no_such_device(name);
    }
    let mut text = String::new();
    for (id, config) in stack.interfaces().iter().filter(|(id, _)| only.is_none_or(|only| only == *id)) {
        describe(id, config, &mut text);
        describe_medium(config, &mut text);
    }
    Output::text(text)
}

fn no_such_device(name: &str) -> Output {
    Output::failed(1, format!("Device \"{name}\" does not exist."))
}

/// A device's first line. Number 1 is the loopback, as everywhere.
fn describe(id: DeviceId, config: &InterfaceConfig, text: &mut String) {
    let flags = match config.medium {
        Medium::Ip => "POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP",
        Medium::Ethernet { .. } => "BROADCAST,MULTICAST,UP,LOWER_UP",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}: {}: <{flags}> mtu {} state UP mode DEFAULT group default",
        id.0 + 2,
        config.name,
        config.mtu
    );
}

fn describe_medium(config: &InterfaceConfig, text: &mut String) {
    match config.medium {
        Medium::Ip => text.push_str("    link/none \n"),
        Medium::Ethernet { mac } => {
            let bytes: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(text, "    link/ether {} brd ff:ff:ff:ff:ff:ff", bytes.join(":"));
        }
    }
}

/// `set [dev] NAME [mtu N] [up]…`.
fn set(stack: &mut Stack, words: &[&str]) -> Output {
    let (name, mut rest) = match words {
        ["dev", name, rest @ ..] => (*name, rest),
        [name, rest @ ..] => (*name, rest),
        [] => return Output::failed(255, "Not enough information: \"dev\" argument is required."),
    };
    let device = match (device_named(stack, name), name) {
        (Some(device), _) => device,
        // The loopback is always up.
        (None, "lo") if rest == ["up"] => return Output::default(),
        _ => return no_device(name),
    };
    while let [word, after @ ..] = rest {
        rest = after;
        match *word {
            "up" => {}
            "mtu" => {
                let Some(text) = rest.first() else {
                    return Output::failed(255, "Command line is not complete: mtu needs a value.");
                };
                let Ok(mtu) = text.parse::<u32>() else {
                    return Output::failed(
                        255,
                        format!("Error: argument \"{text}\" is wrong: Invalid \"mtu\" value"),
                    );
                };
                match u16::try_from(mtu) {
                    Err(_) => return Output::failed(2, "Error: mtu greater than device maximum."),
                    Ok(mtu) if mtu < LEAST_MTU => {
                        return Output::failed(2, "Error: mtu less than device minimum.");
                    }
                    Ok(mtu) => stack.interfaces().set_mtu(device, mtu),
                };
                rest = &rest[1..];
            }
            other => return Output::unsupported(format!("ip link set … {other}")),
        }
    }
    Output::default()
}

pub(super) fn address(stack: &mut Stack, family: Family, words: &[&str]) -> Output {
    let (command, rest) = words.split_first().map_or(("show", words), |(command, rest)| (*command, rest));
    if is_short(command, "show", 2) || is_short(command, "list", 1) {
        return show_addresses(stack, family, rest);
    }
    let adds = ["add", "replace", "change"].iter().any(|whole| is_short(command, whole, 1));
    if !adds && !is_short(command, "delete", 1) {
        return match command {
            "flush" => Output::unsupported("ip addr flush"),
            _ => unknown_command(command, "address"),
        };
    }
    let (prefix, name) = match rest {
        [prefix, "dev", name] | ["dev", name, prefix] => (*prefix, *name),
        [prefix, "dev", name, "nodad"] | [prefix, "nodad", "dev", name] => (*prefix, *name),
        _ => return Output::unsupported(format!("ip addr {command} {}", rest.join(" "))),
    };
    let Some(device) = device_named(stack, name) else { return no_device(name) };
    let Some((ip, length)) = ip_and_length(prefix) else { return wrong_address(prefix) };
    let kind = if ip.is_ipv4() { "ipv4" } else { "ipv6" };
    if adds {
        let exists = stack.interfaces().routes().is_own_address(&ip.into());
        if exists && !is_short(command, "add", 1) {
            return Output::default();
        }
        if !stack.interfaces().add_address(device, ip, length) {
            return Output::failed(2, format!("Error: {kind}: Address already assigned."));
        }
    } else if !stack.interfaces().routes_mut().remove_address(&ip.into()) {
        return Output::failed(2, format!("Error: {kind}: Address not found."));
    }
    Output::default()
}

fn ip_and_length(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, length) = match text.split_once('/') {
        Some((ip, length)) => (ip, Some(length.parse().ok()?)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let length = length.unwrap_or(if ip.is_ipv4() { 32 } else { 128 });
    Prefix::new(ip, length).map(|_| (ip, length))
}

fn show_addresses(stack: &mut Stack, family: Family, words: &[&str]) -> Output {
    let only = match words {
        [] => None,
        ["dev", name, ..] | [name, ..] => match device_named(stack, name) {
            Some(device) => Some(device),
            None => return no_such_device(name),
        },
    };
    let mut text = String::new();
    let interfaces = stack.interfaces();
    for (id, config) in interfaces.iter().filter(|(id, _)| only.is_none_or(|only| only == *id)) {
        describe(id, config, &mut text);
        if family == Family::Any {
            describe_medium(config, &mut text);
        }
        for own in interfaces.routes().addresses().iter().filter(|own| own.device == id) {
            let ip = own.addr.ip();
            if !family.includes(&ip) {
                continue;
            }
            let (kind, name) = match ip {
                IpAddr::V4(_) => ("inet", format!(" {}", config.name)),
                IpAddr::V6(_) => ("inet6", " ".to_owned()),
            };
            let _ = writeln!(
                text,
                "    {kind} {ip}/{} scope global{name}\n       valid_lft forever preferred_lft forever",
                own.prefix.length()
            );
        }
    }
    Output::text(text)
}
