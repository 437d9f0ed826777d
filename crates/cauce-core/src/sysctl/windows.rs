//! Windows' names for the settings: values of the registry and of `netsh`, in Windows' units
//! (Q-09, Q-10, Q-54, Q-55, Q-57, Q-60).
//!
//! A value of the registry is named by its whole path or by its last part, in any case of letters. Each name is
//! another door to a setting of Linux: reading it shows what that setting means in Windows' terms. Times are in
//! milliseconds there and in seconds here; they are rounded up. Per-interface values (`Interfaces\GUID`) have
//! no counterpart and are unknown names.

use super::table::make_default;
use super::text::{Value, number_within};
use super::{Access, Effect, Kind, Refusal, SysctlEntry, Sysctls};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

/// The key of the registry under which the values lie.
pub const REGISTRY_KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\";
/// The same with the hive's whole name.
const LONG_REGISTRY_KEY: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\";

/// The largest window without scaling, and with it (Q-54).
const WINDOWS: [i32; 2] = [65_535, 1_073_741_823];
/// Windows that `autotuninglevel` allows: the largest field, shifted as far as each level lets the scale go.
const LEVELS: [(&str, i32); 4] = [
    ("highlyrestricted", 65_536 << 2),
    ("restricted", 65_536 << 4),
    ("normal", 65_536 << 8),
    ("experimental", 1_073_741_823),
];
const LEVEL_NAMES: &str = "a level: disabled, highlyrestricted, restricted, normal or experimental";

static TABLE: [SysctlEntry; 7] = [
    SysctlEntry {
        name: "KeepAliveTime",
        kind: Kind::U32,
        min: 1,
        max: 0xffff_ffff,
        unit: "milliseconds",
        effect: Effect::AtOnce,
        access: Access::ReadWrite,
        doc: "Idle time before the first keepalive probe: `tcp_keepalive_time`.",
        read: |sysctls| milliseconds(sysctls.tcp_keepalive_time),
        write: |sysctls, text, entry| {
            sysctls.tcp_keepalive_time = seconds(text, entry)?;
            Ok(())
        },
        copy: |to, from| to.tcp_keepalive_time = from.tcp_keepalive_time,
    },
    SysctlEntry {
        name: "KeepAliveInterval",
        kind: Kind::U32,
        min: 1,
        max: 0xffff_ffff,
        unit: "milliseconds",
        effect: Effect::AtOnce,
        access: Access::ReadWrite,
        doc: "Time between unanswered keepalive probes: `tcp_keepalive_intvl`.",
        read: |sysctls| milliseconds(sysctls.tcp_keepalive_intvl),
        write: |sysctls, text, entry| {
            sysctls.tcp_keepalive_intvl = seconds(text, entry)?;
            Ok(())
        },
        copy: |to, from| to.tcp_keepalive_intvl = from.tcp_keepalive_intvl,
    },
    SysctlEntry {
        name: "TcpMaxDataRetransmissions",
        kind: Kind::U8,
        min: 0,
        max: 255,
        unit: "",
        effect: Effect::AtOnce,
        access: Access::ReadWrite,
        doc: "Retransmissions, and unanswered keepalive probes, before a connection is given up: `tcp_retries2` and \
         `tcp_keepalive_probes`.",
        read: |sysctls| sysctls.tcp_retries2.to_string(),
        write: |sysctls, text, entry| {
            let count = u8::parse(&sysctls.tcp_retries2, text, entry)?;
            (sysctls.tcp_retries2, sysctls.tcp_keepalive_probes) = (count, count);
            Ok(())
        },
        copy: |to, from| {
            to.tcp_retries2 = from.tcp_retries2;
            to.tcp_keepalive_probes = from.tcp_keepalive_probes;
        },
    },
    SysctlEntry {
        name: "TcpWindowSize",
        kind: Kind::U32,
        min: 1,
        max: WINDOWS[1] as i128,
        unit: "bytes",
        effect: Effect::NextConnection,
        access: Access::ReadWrite,
        doc: "The fixed receive window of all connections: half of `tcp_rmem`'s default and limit, without \
         `tcp_moderate_rcvbuf`. At most 65535 unless windows are scaled; Vista and later ignore it.",
        read: |sysctls| (sysctls.tcp_rmem[1] / 2).to_string(),
        write: write_window_size,
        copy: copy_buffers,
    },
    SysctlEntry {
        name: "Tcp1323Opts",
        kind: Kind::U8,
        min: 0,
        max: 3,
        unit: "",
        effect: Effect::NextConnection,
        access: Access::ReadWrite,
        doc: "Bits: 1 window scaling, 2 timestamps; unset they only answer a SYN that has them. \
         `tcp_window_scaling`, `tcp_timestamps` and `tcp_offer_rfc1323`.",
        read: read_rfc1323,
        write: |sysctls, text, entry| {
            let bits = u8::parse(&0, text, entry)?;
            (sysctls.tcp_window_scaling, sysctls.tcp_timestamps) = (bits & 1, bits >> 1);
            sysctls.tcp_offer_rfc1323 = 1;
            Ok(())
        },
        copy: |to, from| {
            to.tcp_window_scaling = from.tcp_window_scaling;
            to.tcp_timestamps = from.tcp_timestamps;
            to.tcp_offer_rfc1323 = from.tcp_offer_rfc1323;
        },
    },
    SysctlEntry {
        name: "congestionprovider",
        kind: Kind::Word,
        min: 0,
        max: 0,
        unit: "",
        effect: Effect::NextConnection,
        access: Access::ReadWrite,
        doc: "netsh: the congestion control of new sockets, `ctcp` or `none`, which is Reno: \
         `tcp_congestion_control`.",
        read: |sysctls| if sysctls.tcp_congestion_control == "ctcp" { "ctcp" } else { "none" }.to_owned(),
        write: |sysctls, text, _| match text.trim() {
            "ctcp" => make_default(sysctls, "ctcp"),
            "none" => make_default(sysctls, "reno"),
            _ => Err(Refusal::Malformed("a provider: ctcp or none")),
        },
        copy: |to, from| to.tcp_congestion_control = from.tcp_congestion_control,
    },
    SysctlEntry {
        name: "autotuninglevel",
        kind: Kind::Word,
        min: 0,
        max: 0,
        unit: "",
        effect: Effect::AtOnce,
        access: Access::ReadWrite,
        doc: "netsh: how far receive windows grow by themselves: `tcp_moderate_rcvbuf` and `tcp_rmem`'s limit.",
        read: read_level,
        write: write_level,
        copy: copy_buffers,
    },
];

/// All of Windows' names.
pub fn table() -> &'static [SysctlEntry] {
    &TABLE
}

/// The setting that has this name in Windows, with or without the path of the registry.
pub(super) fn find(name: &str) -> Option<&'static SysctlEntry> {
    let last = [REGISTRY_KEY, LONG_REGISTRY_KEY]
        .into_iter()
        .find(|key| name.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key)))
        .and_then(|key| name.get(key.len()..));
    let of_registry = |entry: &&SysctlEntry| entry.kind != Kind::Word;
    match last {
        Some(last) => TABLE.iter().filter(of_registry).find(|entry| entry.name.eq_ignore_ascii_case(last)),
        None => TABLE.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)),
    }
}

/// What somebody who writes `text` to this name should know although it is accepted.
///
/// ```
/// use cauce_core::sysctl::{Sysctls, windows};
/// let warning = windows::warning(&Sysctls::default(), "KeepAliveTime", "120").unwrap();
/// assert_eq!(warning, "KeepAliveTime: 120 milliseconds are rounded up to 1 s; 120 seconds are 120000");
/// assert_eq!(windows::warning(&Sysctls::default(), "KeepAliveTime", "120000"), None);
/// ```
pub fn warning(sysctls: &Sysctls, name: &str, text: &str) -> Option<String> {
    let entry = find(name)?;
    if entry.name == "TcpWindowSize" {
        let profile = sysctls.cauce_profile;
        let ignored = profile.tunes_windows_itself();
        return ignored
            .then(|| format!("{}: profile {profile} tunes windows itself and ignores it", entry.name));
    }
    if entry.unit != "milliseconds" {
        return None;
    }
    let (value, _) = number_within(text, entry).ok()?;
    if value % 1000 == 0 {
        return None;
    }
    let rounded =
        format!("{}: {value} milliseconds are rounded up to {} s", entry.name, (value + 999) / 1000);
    Some(if value < 1000 { format!("{rounded}; {value} seconds are {value}000") } else { rounded })
}

fn milliseconds(seconds: u32) -> String {
    (u64::from(seconds) * 1000).to_string()
}

fn seconds(text: &str, entry: &SysctlEntry) -> Result<u32, Refusal> {
    u32::parse(&0, text, entry).map(|milliseconds| milliseconds.div_ceil(1000))
}

fn write_window_size(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let (value, _) = number_within(text, entry)?;
    if sysctls.cauce_profile.tunes_windows_itself() {
        return Ok(());
    }
    let scaled = sysctls.tcp_window_scaling != 0 && sysctls.tcp_offer_rfc1323 != 0;
    let max = i128::from(WINDOWS[usize::from(scaled)]);
    let value = i32::try_from(value).ok().filter(|value| i128::from(*value) <= max);
    let window = value.ok_or(Refusal::OutOfRange { min: entry.min, max })?;
    sysctls.set_fixed_window(window);
    Ok(())
}

fn copy_buffers(to: &mut Sysctls, from: &Sysctls) {
    to.tcp_rmem = from.tcp_rmem;
    to.tcp_moderate_rcvbuf = from.tcp_moderate_rcvbuf;
}

fn read_rfc1323(sysctls: &Sysctls) -> String {
    let bits = u8::from(sysctls.tcp_window_scaling != 0) | u8::from(sysctls.tcp_timestamps != 0) << 1;
    if sysctls.tcp_offer_rfc1323 == 0 && bits != 0 { String::new() } else { bits.to_string() }
}

fn read_level(sysctls: &Sysctls) -> String {
    if sysctls.tcp_moderate_rcvbuf == 0 {
        return "disabled".to_owned();
    }
    let limit = sysctls.tcp_rmem[2];
    let level = LEVELS.into_iter().find(|(_, window)| window * 2 >= limit);
    level.map_or("experimental", |(name, _)| name).to_owned()
}

fn write_level(sysctls: &mut Sysctls, text: &str, _: &SysctlEntry) -> Result<(), Refusal> {
    let word = text.trim();
    if word == "disabled" {
        sysctls.tcp_moderate_rcvbuf = 0;
        return Ok(());
    }
    let level = LEVELS.into_iter().find(|(name, _)| *name == word);
    let (_, window) = level.ok_or(Refusal::Malformed(LEVEL_NAMES))?;
    sysctls.tcp_moderate_rcvbuf = 1;
    sysctls.tcp_rmem[2] = window * 2;
    Ok(())
}
