//! What an ICMP error means to a connection (RFC 1122 4.2.3.9, RFC 5461, P-052).
//!
//! A table from type and code to the error that a user sees and to its kind, as Linux has it. Whether the
//! message is believable (its quoted sequence number in flight, RFC 5927) and what a soft or hard error does
//! in a state is decided where the connection is.

use crate::addr::FlowKey;
use crate::socket::errno::Errno;
use cauce_wire::icmp::{IcmpError, IcmpErrorKind};

/// The meaning of an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpMeaning {
    /// The way cannot carry packets of more than this many bytes (0: the router does not say how many).
    PathMtu(u32),
    /// The peer cannot be reached.
    Error {
        /// What the user sees: at once during the handshake, as a soft error afterwards.
        errno: Errno,
        /// RFC 1122 calls it hard. Linux, and so this stack, treats even these as soft once the connection is
        /// synchronised; with IP_RECVERR they are reported at once.
        hard: bool,
    },
    /// Nothing: source quench (RFC 6633), and codes that nobody knows.
    Ignored,
}

/// The flow that an ICMP error is about, seen from this host, which sent the quoted segment.
pub fn flow_of(error: &IcmpError) -> FlowKey {
    FlowKey::new(error.quoted.src, error.quoted.dst)
}

/// What the error means.
pub fn meaning(error: &IcmpError) -> IcmpMeaning {
    let v4 = error.quoted.dst.is_ipv4();
    let (errno, hard) = match error.kind {
        IcmpErrorKind::FragmentationNeeded { mtu } | IcmpErrorKind::PacketTooBig { mtu } => {
            return IcmpMeaning::PathMtu(mtu);
        }
        IcmpErrorKind::SourceQuench => return IcmpMeaning::Ignored,
        IcmpErrorKind::OtherUnreachable if v4 => return IcmpMeaning::Ignored,
        // Network unknown (6) is for good, no route (0) and no route for this service (11) may pass.
        IcmpErrorKind::NetUnreachable => (Errno::ENETUNREACH, v4 && error.code == 6),
        // Host unknown (7) and isolated (8) are for good, and have errors of their own.
        IcmpErrorKind::HostUnreachable if v4 && error.code == 7 => (Errno::EHOSTDOWN, true),
        IcmpErrorKind::HostUnreachable if v4 && error.code == 8 => (Errno::ENONET, true),
        IcmpErrorKind::HostUnreachable => (Errno::EHOSTUNREACH, false),
        IcmpErrorKind::ProtocolUnreachable if v4 => (Errno::ENOPROTOOPT, true),
        IcmpErrorKind::PortUnreachable => (Errno::ECONNREFUSED, true),
        IcmpErrorKind::SourceRouteFailed if v4 => (Errno::EOPNOTSUPP, false),
        // Code 9 prohibits the network, the others the host.
        IcmpErrorKind::AdminProhibited if v4 && error.code == 9 => (Errno::ENETUNREACH, true),
        IcmpErrorKind::AdminProhibited if v4 => (Errno::EHOSTUNREACH, true),
        IcmpErrorKind::AdminProhibited => (Errno::EACCES, true),
        IcmpErrorKind::BeyondScope => (Errno::EHOSTUNREACH, false),
        IcmpErrorKind::TtlExceeded | IcmpErrorKind::ReassemblyTimeout => (Errno::EHOSTUNREACH, false),
        IcmpErrorKind::ParameterProblem { .. }
        | IcmpErrorKind::ProtocolUnreachable
        | IcmpErrorKind::SourceRouteFailed
        | IcmpErrorKind::OtherUnreachable => (Errno::EPROTO, true),
    };
    IcmpMeaning::Error { errno, hard }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cauce_wire::icmp::{IcmpMessage, emit_v4, emit_v6, parse_v4, parse_v6};
    use cauce_wire::{IpEmit, Seq, protocol};
    use core::net::IpAddr;

    /// Reads an error of this type and code about a segment of ours, and looks it up.
    fn look_up(v4: bool, icmp_type: u8, code: u8, rest: u32) -> Option<IcmpMeaning> {
        let (own, peer, router): (IpAddr, IpAddr, IpAddr) = if v4 {
            ([10, 0, 0, 1].into(), [10, 9, 0, 2].into(), [10, 0, 0, 254].into())
        } else {
            let ip = |n: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
            (ip(1), ip(2), ip(3))
        };
        let ip = IpEmit {
            src: own,
            dst: peer,
            protocol: protocol::TCP,
            hop_limit: 1,
            traffic_class: 0,
            flow_label: 0,
            identification: 0,
            dont_fragment: true,
            payload_len: 20,
        };
        let mut quoted = [0; 60];
        let at = ip.emit(&mut quoted);
        quoted[at..at + 8].copy_from_slice(&[0, 80, 0x0f, 0xa0, 0, 0, 3, 232]);
        let (mut bytes, body) = ([0; 80], &quoted[..at + 8]);
        let message = if v4 {
            let len = emit_v4(icmp_type, code, rest, body, &mut bytes);
            parse_v4(&bytes[..len], router)
        } else {
            let len = emit_v6(router, own, icmp_type, code, rest, body, &mut bytes);
            parse_v6(&bytes[..len], router, own)
        };
        match message.unwrap() {
            IcmpMessage::TcpError(error) => {
                assert_eq!(flow_of(&error), FlowKey::new((own, 80).into(), (peer, 4000).into()));
                assert_eq!(error.quoted.seq, Seq(1000));
                Some(meaning(&error))
            }
            IcmpMessage::Other { .. } => None,
        }
    }

    /// each code of ICMP for IPv4.
    #[test]
    fn a40_a41_v4() {
        let error = |errno, hard| Some(IcmpMeaning::Error { errno, hard });
        for (code, errno, hard) in [
            (0, Errno::ENETUNREACH, false),
            (1, Errno::EHOSTUNREACH, false),
            (2, Errno::ENOPROTOOPT, true),
            (3, Errno::ECONNREFUSED, true),
            (5, Errno::EOPNOTSUPP, false),
            (6, Errno::ENETUNREACH, true),
            (7, Errno::EHOSTDOWN, true),
            (8, Errno::ENONET, true),
            (9, Errno::ENETUNREACH, true),
            (10, Errno::EHOSTUNREACH, true),
            (11, Errno::ENETUNREACH, false),
            (12, Errno::EHOSTUNREACH, false),
            (13, Errno::EHOSTUNREACH, true),
        ] {
            assert_eq!(look_up(true, 3, code, 0), error(errno, hard), "code {code}");
        }
        assert_eq!(look_up(true, 3, 4, 1400), Some(IcmpMeaning::PathMtu(1400)));
        assert_eq!(look_up(true, 3, 77, 0), Some(IcmpMeaning::Ignored));
        assert_eq!(look_up(true, 4, 0, 0), Some(IcmpMeaning::Ignored));
        assert_eq!(look_up(true, 11, 0, 0), error(Errno::EHOSTUNREACH, false));
        assert_eq!(look_up(true, 12, 0, 0), error(Errno::EPROTO, true));
        assert_eq!(look_up(true, 8, 0, 0), None, "no error at all");
    }

    /// over IPv6.
    #[test]
    fn a40_a41_v6() {
        let error = |errno, hard| Some(IcmpMeaning::Error { errno, hard });
        for (code, errno, hard) in [
            (0, Errno::ENETUNREACH, false),
            (1, Errno::EACCES, true),
            (2, Errno::EHOSTUNREACH, false),
            (3, Errno::EHOSTUNREACH, false),
            (4, Errno::ECONNREFUSED, true),
            (5, Errno::EACCES, true),
            (6, Errno::EACCES, true),
            (9, Errno::EPROTO, true),
        ] {
            assert_eq!(look_up(false, 1, code, 0), error(errno, hard), "code {code}");
        }
        assert_eq!(look_up(false, 2, 0, 1280), Some(IcmpMeaning::PathMtu(1280)));
        assert_eq!(look_up(false, 3, 0, 0), error(Errno::EHOSTUNREACH, false));
        assert_eq!(look_up(false, 4, 1, 6), error(Errno::EPROTO, true));
    }
}
