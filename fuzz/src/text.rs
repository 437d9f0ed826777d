//! Text that people write: segment lines, settings, packetdrill scripts.

use cauce_core::sysctl::{Caller, Sysctls};
use cauce_drill::{Against, Options, Source, check};
use cauce_wire::{IpVersion, literal};
use std::net::SocketAddr;

/// A line that is understood is printed in a form that is understood the same way, and makes a packet that
/// says the same.
pub fn literal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for version in [IpVersion::V4, IpVersion::V6] {
        if let Ok(line) = literal::parse_icmp(&text, version) {
            let printed = line.to_string();
            assert_eq!(literal::parse_icmp(&printed, version).as_ref(), Ok(&line), "printed as {printed}");
        }
    }
    let Ok(segment) = literal::parse(&text) else { return };
    let printed = segment.to_string();
    assert_eq!(literal::parse(&printed).as_ref(), Ok(&segment), "printed as {printed}");
    let ends: [SocketAddr; 2] = [([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 80).into()];
    if let Ok(packet) = segment.to_packet(ends[0], ends[1]) {
        let again = literal::Segment::of_packet(&packet).expect("a packet made of a segment is one");
        assert_eq!(
            (again.flags, again.seq, again.payload_len),
            (segment.flags, segment.seq, segment.payload_len)
        );
        let _ = cauce_wire::dissect::print_with_addresses(&packet);
    }
}

/// `name=text` lines: a refused text changes nothing, and what is read back can be written again.
pub fn sysctl(bytes: &[u8]) {
    let mut settings = Sysctls::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        let (name, text) = line.split_once('=').unwrap_or((line, ""));
        let before = settings.get(name);
        let _ = Sysctls::default().set_as(Caller::Unprivileged, name, text);
        if settings.set(name, text).is_err() {
            assert_eq!(settings.get(name).ok(), before.ok(), "a refused text left its mark on {name}");
            continue;
        }
        let read = settings.get(name).expect("a setting that was written can be read");
        settings.set(name, &read).unwrap_or_else(|error| panic!("{name} reads {read:?}: {error}"));
        assert_eq!(settings.get(name).as_deref(), Ok(&*read));
    }
}

/// A script is read, its options and calls are understood, or it is refused with a diagnostic that can be shown.
pub fn drill(bytes: &[u8]) {
    let source = Source::new("fuzz.pkt", &String::from_utf8_lossy(bytes));
    for version in [None, Some("ipv4"), Some("ipv6"), Some("ipv4-mapped-ipv6")] {
        let mut options = Options::new(Vec::new(), Against::Core);
        options.definitions.insert("TFO_COOKIE".into(), "de4f234f0f433a55".into());
        options.definitions.insert("CODE".into(), "host_unreachable".into());
        let version = version.map(|version| ("ip_version".to_owned(), Some(version.to_owned())));
        options.overrides.extend(version);
        match check(source.clone(), &options) {
            Ok(checked) => assert!(checked.settings().mtu >= 68),
            Err(diagnostic) => assert!(!diagnostic.to_string().is_empty()),
        }
    }
}
