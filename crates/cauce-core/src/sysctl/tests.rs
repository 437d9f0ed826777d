//! The table's own consistency, the text rules G-01 to G-05, and the rows with rules of their own.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::format;
use std::vec::Vec;

const FIN: &str = "net.ipv4.tcp_fin_timeout";

fn errno(result: Result<(), SysctlError>) -> &'static str {
    result.map_or_else(|error| error.errno_name(), |()| "0")
}

#[test]
fn every_name_is_unique_and_documented() {
    let mut seen = BTreeSet::new();
    for entry in table() {
        assert!(seen.insert(entry.name), "{}", entry.name);
        assert!(entry.short_name() == entry.name || seen.insert(entry.short_name()), "{}", entry.name);
        assert!(entry.doc.ends_with('.'), "{}", entry.name);
        assert!(entry.min <= entry.max, "{}", entry.name);
    }
}

#[test]
fn every_default_is_in_range_and_survives_text() {
    for profile in Profile::ALL {
        for entry in table().iter().filter(|entry| entry.access != Access::ReadOnly) {
            let mut sysctls = Sysctls::with_profile(profile);
            let text = sysctls.get(entry.name).unwrap();
            assert_eq!(text, entry.default_text(profile));
            // The unset Fast Open key reads as zeros; writing those sets a key.
            if entry.kind != Kind::FastOpenKey && !text.is_empty() {
                sysctls.set(entry.name, &text).unwrap();
                assert_eq!(sysctls, Sysctls::with_profile(profile), "{}", entry.name);
            }
        }
    }
}

#[test]
fn g03_the_bounds_are_taken_and_what_lies_beyond_is_refused() {
    let numbers = [Kind::U8, Kind::I32, Kind::U32, Kind::U64, Kind::I32x3, Kind::U64x3];
    for entry in table().iter().filter(|entry| numbers.contains(&entry.kind)) {
        let mut sysctls = Sysctls {
            tcp_max_reordering: i32::MAX as u32,
            ip_local_port_range: [65_535; 2],
            ..Sysctls::default()
        };
        if is_switch(entry) {
            continue;
        }
        for bound in [entry.min, entry.max] {
            sysctls.set(entry.name, &format!("{bound}")).unwrap();
            // The rate limit is kept in whole ticks.
            let kept = if entry.name.ends_with("invalid_ratelimit") { (bound + 3) / 4 * 4 } else { bound };
            assert!(sysctls.get(entry.name).unwrap().starts_with(&format!("{kept}")), "{}", entry.name);
        }
        let before = sysctls.clone();
        for beyond in [entry.min - 1, entry.max + 1, 1 << 64, -(1 << 40)] {
            assert_eq!(errno(sysctls.set(entry.name, &format!("{beyond}"))), "EINVAL", "{}", entry.name);
        }
        assert_eq!(sysctls, before, "{}", entry.name);
    }
}

/// True for the switches that are other names of `tcp_congestion_control`.
fn is_switch(entry: &SysctlEntry) -> bool {
    entry.doc.contains("the default congestion control")
}

#[test]
fn g01_numbers_are_read_as_linux_reads_them() {
    let forms = [
        ("0x10", 16),
        ("0X1F", 31),
        (" 7 ", 7),
        ("5\n6", 5),
        ("1 x", 1),
        ("\t9\t", 9),
        ("010", 8),
        ("-0", 0),
    ];
    for (text, value) in forms {
        let mut sysctls = Sysctls::default();
        sysctls.set(FIN, text).unwrap();
        assert_eq!(sysctls.tcp_fin_timeout, value, "{text:?}");
    }
}

/// G-02: and an empty write succeeds.
#[test]
fn g02_text_that_is_no_number_is_refused_and_kept() {
    let mut sysctls = Sysctls::default();
    for text in ["abc", "1.5", "1x", "+3", "9,1", "089", "0x", "0xg", "-", "--1", " ", "\n", "1\0", "ñ"] {
        let error = sysctls.set(FIN, text).unwrap_err();
        assert_eq!(error.errno_name(), "EINVAL", "{text:?}");
        assert!(format!("{error}").contains("8589934"), "{error}");
    }
    sysctls.set(FIN, "").unwrap();
    assert_eq!(sysctls, Sysctls::default());
}

#[test]
fn g04_u8_takes_255_and_a_boolean_only_1() {
    let mut sysctls = Sysctls::default();
    sysctls.set("net.ipv4.tcp_sack", "2").unwrap();
    sysctls.set("net.ipv4.tcp_sack", "255").unwrap();
    assert_eq!(errno(sysctls.set("net.ipv4.tcp_sack", "256")), "EINVAL");
    assert_eq!(sysctls.get("net.ipv4.tcp_sack").unwrap(), "255");
    assert_eq!(errno(sysctls.set("net.ipv4.tcp_autocorking", "2")), "EINVAL");
    assert_eq!(sysctls.tcp_autocorking, 1);
}

#[test]
fn g05_names_and_permissions() {
    let mut sysctls = Sysctls::default();
    assert_eq!(errno(sysctls.set("net.ipv4.tcp_nonsense", "1")), "ENOENT");
    assert_eq!(sysctls.get("tcp_sac").unwrap_err().errno_name(), "ENOENT");
    let available = "net.ipv4.tcp_available_congestion_control";
    assert_eq!(errno(sysctls.set(available, "reno")), "EACCES");
    assert_eq!(errno(sysctls.set(available, "")), "EACCES");
    assert_eq!(errno(sysctls.set_as(Caller::Unprivileged, FIN, "1")), "EACCES");
    assert_eq!(sysctls.get_as(Caller::Unprivileged, FIN).unwrap(), "60");
    let key = "net.ipv4.tcp_fastopen_key";
    assert_eq!(sysctls.get_as(Caller::Unprivileged, key).unwrap_err().errno_name(), "EACCES");
    assert_eq!(sysctls.get(key).unwrap(), "00000000-00000000-00000000-00000000");
    for name in ["net/ipv4/tcp_fin_timeout", "tcp_fin_timeout", FIN] {
        assert_eq!(sysctls.get(name).unwrap(), "60");
    }
}

#[test]
fn g09_every_parameter_of_tcp7_is_there() {
    let names = "abc abort_on_overflow adv_win_scale allowed_congestion_control autocorking \
        available_congestion_control app_win base_mss bic bic_fast_convergence bic_low_window \
        congestion_control dma_copybreak dsack ecn ecn_fallback fack fastopen fastopen_key fin_timeout frto \
        frto_response keepalive_intvl keepalive_probes keepalive_time low_latency max_orphans \
        max_syn_backlog max_tw_buckets mem moderate_rcvbuf mtu_probing no_metrics_save orphan_retries \
        reordering retrans_collapse rfc1337 retries1 retries2 rmem sack slow_start_after_idle stdurg \
        syn_retries synack_retries syncookies timestamps tso_win_divisor tw_recycle tw_reuse \
        vegas_cong_avoid westwood window_scaling wmem workaround_signed_windows";
    let names: Vec<_> = names.split_whitespace().collect();
    assert_eq!(names.len(), 55);
    for name in names {
        assert!(find(&format!("net.ipv4.tcp_{name}")).is_some(), "{name}");
    }
}

#[test]
fn g10_the_profiles_differ_where_the_documents_do() {
    let manpage = Sysctls::with_profile(Profile::Manpage);
    assert_eq!(manpage.tcp_rmem, [4096, 87_380, 4_194_304]);
    assert_eq!((manpage.tcp_fack, manpage.tcp_tw_reuse, manpage.tcp_base_mss), (1, 0, 512));
    let rfc793 = Sysctls::with_profile(Profile::Rfc793);
    assert_eq!((rfc793.tcp_timewait_len, rfc793.tcp_probe_bytes), (240, 1));
    assert_eq!(Sysctls::with_profile(Profile::Linux618), Sysctls::default());
    for profile in Profile::ALL {
        assert_eq!(profile.name().parse(), Ok(profile));
    }
    assert_eq!("windows".parse::<Profile>(), Err(UnknownProfile));
}

#[test]
fn s40_a_short_vector_changes_only_its_first_parts_and_a_bad_one_nothing() {
    let rmem = "net.ipv4.tcp_rmem";
    let mut sysctls = Sysctls::default();
    sysctls.set(rmem, "5").unwrap();
    assert_eq!(sysctls.tcp_rmem, [5, 131_072, 33_554_432]);
    sysctls.set(rmem, "5\n6").unwrap();
    sysctls.set(rmem, "3 2 1 x").unwrap();
    assert_eq!(sysctls.get(rmem).unwrap(), "3\t2\t1");
    for text in ["1 2 x", "5 0 7", "-1", "11,22,33", "1 2 3x", " ", "4294967296"] {
        assert_eq!(errno(sysctls.set(rmem, text)), "EINVAL", "{text:?}");
        assert_eq!(sysctls.tcp_rmem, [3, 2, 1]);
    }
    sysctls.set("net.ipv4.tcp_mem", "8 16 18446744073709551615").unwrap();
    assert_eq!(sysctls.tcp_mem, [8, 16, u64::MAX]);
    assert_eq!(errno(sysctls.set("net.ipv4.tcp_mem", "8 16 18446744073709551616")), "EINVAL");
}

#[test]
fn s62_port_ranges_and_lists() {
    let range = "net.ipv4.ip_local_port_range";
    let mut sysctls = Sysctls::default();
    sysctls.set(range, "40000").unwrap();
    assert_eq!(sysctls.get(range).unwrap(), "40000\t60999");
    for text in ["50000 40000", "0 5", "70000 80000"] {
        assert_eq!(errno(sysctls.set(range, text)), "EINVAL", "{text}");
    }
    assert_eq!(sysctls.ip_local_port_range, [40_000, 60_999]);

    let reserved = "net.ipv4.ip_local_reserved_ports";
    sysctls.set(reserved, "30,5,7-9,8-12,65535\n").unwrap();
    assert_eq!(sysctls.get(reserved).unwrap(), "5,7-12,30,65535");
    assert!(sysctls.ip_local_reserved_ports.contains(11) && !sysctls.ip_local_reserved_ports.contains(6));
    for text in ["9-5", "70000", "5;6", "5,,6", "5-"] {
        assert_eq!(errno(sysctls.set(reserved, text)), "EINVAL", "{text}");
    }
    assert_eq!(sysctls.ip_local_reserved_ports.ranges().len(), 4);
    sysctls.set(reserved, "\n").unwrap();
    assert!(sysctls.ip_local_reserved_ports.ranges().is_empty());
}

#[test]
fn s12_s04_only_known_algorithms_can_be_chosen() {
    let default = "net.ipv4.tcp_congestion_control";
    let allowed = "net.ipv4.tcp_allowed_congestion_control";
    let mut sysctls = Sysctls::default();
    for text in ["nosuch", "cubic reno", " cubic", "\n"] {
        assert_eq!(errno(sysctls.set(default, text)), "ENOENT", "{text:?}");
    }
    sysctls.set(default, "reno\n").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "reno");
    sysctls.set(allowed, "reno reno").unwrap();
    assert_eq!(sysctls.get(allowed).unwrap(), "reno");
    assert!(!sysctls.may_choose("cubic"));
    assert_eq!(errno(sysctls.set(allowed, "reno vega$")), "ENOENT");
    sysctls.set(default, "cubic").unwrap();
    assert!(sysctls.may_choose("cubic"), "the default is always allowed");
}

#[test]
fn s09_the_switches_agree_with_the_default_algorithm() {
    let mut sysctls = Sysctls::default();
    assert!(["westwood", "vegas"].into_iter().all(|name| sysctls.register_algorithm(name)));
    assert!(!sysctls.register_algorithm("a name with blanks") && !sysctls.register_algorithm(""));
    sysctls.set("tcp_bic", "1").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "bic");
    sysctls.set("tcp_westwood", "1").unwrap();
    assert_eq!(
        (sysctls.get("tcp_bic").unwrap().as_str(), sysctls.get("tcp_westwood").unwrap().as_str()),
        ("0", "1")
    );
    sysctls.set("tcp_bic", "0").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "westwood");
    sysctls.set("tcp_westwood", "0").unwrap();
    assert_eq!(sysctls.tcp_congestion_control, "reno");
    assert_eq!(errno(sysctls.set("tcp_bic", "2")), "EINVAL");
}

#[test]
fn s19_fast_open_keys() {
    let key = "net.ipv4.tcp_fastopen_key";
    let mut sysctls = Sysctls::default();
    assert_eq!(sysctls.tcp_fastopen_key.primary(), None);
    sysctls.set(key, "1-2-3-4,00000005-6-7-100000008\n").unwrap();
    assert_eq!(
        sysctls.get(key).unwrap(),
        "00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008"
    );
    for text in ["1-2-3", "1-2-3-4-5", "1-2-3-g", "1-2-3-", "\n", "1-2-3-4,", "1-1-1-1,2-2-2-2,3-3-3-3"] {
        assert_eq!(errno(sysctls.set(key, text)), "EINVAL", "{text:?}");
    }
    assert_eq!(sysctls.tcp_fastopen_key.primary(), Some([1, 2, 3, 4]));
    assert_eq!(sysctls.tcp_fastopen_key.backup(), Some([5, 6, 7, 8]));
    assert!(!format!("{sysctls:?}").contains("[1, 2, 3, 4]"), "a secret is not printed");
}

#[test]
fn s35_the_cap_of_reordering_bounds_what_can_be_written() {
    let mut sysctls = Sysctls::default();
    assert_eq!(errno(sysctls.set("tcp_reordering", "301")), "EINVAL");
    sysctls.set("tcp_max_reordering", "1000").unwrap();
    sysctls.set("tcp_reordering", "301").unwrap();
    sysctls.set("tcp_max_reordering", "10").unwrap();
    assert_eq!((sysctls.tcp_reordering, sysctls.reordering()), (301, 10));
}

proptest! {
    /// No text panics, and a refused one changes nothing.
    #[test]
    fn any_text_is_taken_or_refused_as_a_whole(index in 0..table().len(), text in "[ -~\\t\\n]{0,40}") {
        let entry = &table()[index];
        let mut sysctls = Sysctls::default();
        let before = sysctls.clone();
        if sysctls.set(entry.name, &text).is_err() {
            prop_assert_eq!(&sysctls, &before);
        } else {
            let stored = sysctls.get(entry.name).unwrap();
            let after = sysctls.clone();
            if entry.kind != Kind::FastOpenKey {
                sysctls.set(entry.name, &stored).unwrap();
                prop_assert_eq!(sysctls, after);
            }
        }
    }
}
