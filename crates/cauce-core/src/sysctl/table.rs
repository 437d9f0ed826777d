//! The table itself: one line a setting.

use super::profiles::{write_link_speed, write_profile};
use super::text::Value;
use super::values::{AlgorithmList, AlgorithmName, FastOpenKeys, PortList};
use super::{Access, Effect, Kind, Profile, Refusal, SysctlEntry};
use crate::congestion;

const INT_MIN: i128 = i32::MIN as i128;
const INT_MAX: i128 = i32::MAX as i128;
const UINT_MAX: i128 = u32::MAX as i128;
const ULONG_MAX: i128 = u64::MAX as i128;
/// The longest time that Linux takes for settings in seconds: `INT_MAX` ticks at 250 a second.
const SECS_MAX: i128 = INT_MAX / 250;
/// The same where Linux keeps the ticks without a sign.
const UNSIGNED_SECS_MAX: i128 = UINT_MAX / 250;
/// The length of a tick at 250 a second, in milliseconds.
const TICK_MS: u32 = 4;

/// Declares [`Sysctls`] and its table.
macro_rules! sysctls {
    (@write $field:ident) => {
        |sysctls, text, entry| {
            sysctls.$field = Value::parse(&sysctls.$field, text, entry)?;
            Ok(())
        }
    };
    (@write $field:ident $write:path) => { $write };
    (@access) => { Access::ReadWrite };
    (@access $access:ident) => { Access::$access };
    ($(
        $field:ident: $type:ty = $default:expr, $name:literal, $min:expr, $max:expr, $unit:literal,
        $effect:ident, $doc:literal $(, access $access:ident)? $(, write $write:path)?;
    )+ => $($alias:expr),+ $(,)?) => {
        /// The settings of one stack. Each field bears Linux' name; [`super::table`] tells more of it.
        ///
        /// Fields that are booleans in Linux are `u8` and mean yes unless they are zero. Whoever writes a
        /// field directly keeps to the range that the table states; [`Sysctls::set`] checks it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Sysctls {
            $(#[doc = concat!("`", $name, "`: ", $doc)] pub $field: $type,)+
        }

        impl Default for Sysctls {
            fn default() -> Self {
                Sysctls { $($field: $default,)+ }
            }
        }

        pub(super) const TABLE: &[SysctlEntry] = &[
            $(SysctlEntry {
                name: $name,
                kind: <$type as Value>::KIND,
                min: $min,
                max: $max,
                unit: $unit,
                effect: Effect::$effect,
                access: sysctls!(@access $($access)?),
                doc: $doc,
                read: |sysctls| Value::format(&sysctls.$field),
                write: sysctls!(@write $field $($write)?),
                copy: |to, from| to.$field.clone_from(&from.$field),
            },)+
            $($alias,)+
        ];
    };
}

/// A switch of tcp(7) that is another name for a value of `tcp_congestion_control` (S-09, S-51, S-52).
macro_rules! algorithm_switch {
    ($name:literal, $algorithm:literal, $doc:literal) => {
        SysctlEntry {
            name: $name,
            kind: Kind::U8,
            min: 0,
            max: 1,
            unit: "",
            effect: Effect::NextConnection,
            access: Access::ReadWrite,
            doc: $doc,
            read: |sysctls| u8::from(sysctls.tcp_congestion_control == $algorithm).format(),
            write: |sysctls, text, entry| {
                if u8::parse(&0, text, entry)? == 1 {
                    make_default(sysctls, $algorithm)
                } else if sysctls.tcp_congestion_control == $algorithm {
                    make_default(sysctls, "reno")
                } else {
                    Ok(())
                }
            },
            copy: |to, from| to.tcp_congestion_control = from.tcp_congestion_control,
        }
    };
}

sysctls! {
    // tcp(7)'s own settings, S-01 to S-55.
    tcp_abc: u8 = 0, "net.ipv4.tcp_abc", 0, 2, "", AtOnce,
        "Appropriate byte counting (RFC 3465): 0 one MSS per ACK, in Linux's profiles one per segment, 1 one per full \
         MSS acknowledged, 2 up to two.";
    tcp_abort_on_overflow: u8 = 0, "net.ipv4.tcp_abort_on_overflow", 0, 255, "", AtOnce,
        "Reset a handshake that finds the accept queue full, instead of letting the peer try again.";
    tcp_adv_win_scale: i32 = 1, "net.ipv4.tcp_adv_win_scale", -31, 31, "", AtOnce,
        "Share of the receive buffer for the application: 1/2^n of it, or all but 1/2^-n; without \
         effect in Linux's profiles.";
    tcp_allowed_congestion_control: AlgorithmList = AlgorithmList::of(&["reno", "cubic"]),
        "net.ipv4.tcp_allowed_congestion_control", 0, 0, "", AtOnce,
        "Congestion controls that a process without privilege may choose.", write write_allowed;
    tcp_autocorking: u8 = 1, "net.ipv4.tcp_autocorking", 0, 1, "", NextSegment,
        "Hold small writes while an earlier packet of the flow waits in the device.";
    tcp_available_congestion_control: AlgorithmList = AlgorithmList::of(congestion::available()),
        "net.ipv4.tcp_available_congestion_control", 0, 0, "", AtOnce,
        "Congestion controls that there are.", access ReadOnly, write write_nothing;
    tcp_app_win: i32 = 31, "net.ipv4.tcp_app_win", 0, 31, "", NextConnection,
        "Reserve max(window/2^n, MSS) of the window for the application's slack; 31 reserves next to \
         nothing.";
    tcp_base_mss: i32 = 1024, "net.ipv4.tcp_base_mss", 1, 65_535, "bytes", AtOnce,
        "Where the search for the path MTU starts, and the size used after a black hole (RFC 4821).";
    tcp_bic_fast_convergence: u8 = 1, "net.ipv4.tcp_bic_fast_convergence", 0, 1, "", AtOnce,
        "BIC: after a loss below the last maximum remember less than the window, so newer flows gain.";
    tcp_bic_low_window: u32 = 14, "net.ipv4.tcp_bic_low_window", 0, INT_MAX, "segments", AtOnce,
        "BIC: at or below this window behave as Reno.";
    tcp_congestion_control: AlgorithmName = AlgorithmName::cubic(), "net.ipv4.tcp_congestion_control", 0,
        0, "",
        NextConnection, "The congestion control of new sockets.", write write_congestion_control;
    tcp_dma_copybreak: u32 = 4096, "net.ipv4.tcp_dma_copybreak", 0, INT_MAX, "bytes", AtOnce,
        "Reads of at least this size hand buffers over by reference, smaller ones copy.";
    tcp_dsack: u8 = 1, "net.ipv4.tcp_dsack", 0, 255, "", NextSegment,
        "Report duplicate data in the first SACK block (RFC 2883).";
    tcp_ecn: u8 = 2, "net.ipv4.tcp_ecn", 0, 5, "", NextConnection,
        "ECN: 0 never; 1 ask for it and accept it (RFC 3168), 2 accept only. 3 ask for and accept accurate ECN \
         (RFC 9768), 4 ask for classic ECN and accept both, 5 accept both only.";
    tcp_ecn_fallback: u8 = 1, "net.ipv4.tcp_ecn_fallback", 0, 1, "", NextSegment,
        "Send an unanswered SYN again without asking for ECN.";
    tcp_ecn_option: u8 = 2, "net.ipv4.tcp_ecn_option", 0, 3, "", NextConnection,
        "The option of accurate ECN, once the peer has shown his: 0 never, 1 after changes and as a beacon, \
         2 wherever it fits until a SYN,ACK with it was not answered, 3 wherever it fits.";
    tcp_ecn_option_beacon: u8 = 3, "net.ipv4.tcp_ecn_option_beacon", 0, 3, "", AtOnce,
        "How often in a round trip the option of accurate ECN is sent though nothing has changed, with \
         tcp_ecn_option 1; 0 never.";
    tcp_fack: u8 = 0, "net.ipv4.tcp_fack", 0, 255, "", AtOnce,
        "Forward acknowledgement: the highest SACK tells what is lost, until reordering is seen.";
    tcp_fastopen: i32 = 1, "net.ipv4.tcp_fastopen", INT_MIN, INT_MAX, "", NextConnection,
        "Fast Open (RFC 7413), bits: 1 client, 2 server, 4 client without cookie, 0x200 server without \
         cookie, 0x400 all listeners.";
    tcp_fastopen_key: FastOpenKeys = FastOpenKeys::default(), "net.ipv4.tcp_fastopen_key", 0, 0, "", AtOnce,
        "Keys of the server's Fast Open cookies; the first makes them, both check them.", access Secret;
    tcp_fin_timeout: u32 = 60, "net.ipv4.tcp_fin_timeout", 0, SECS_MAX, "seconds", AtOnce,
        "How long an orphan may stay in FIN-WAIT-2. It does not set the length of TIME-WAIT.";
    tcp_frto: u8 = 2, "net.ipv4.tcp_frto", 0, 255, "", AtOnce,
        "F-RTO (RFC 5682): 0 off, 1 basic, 2 with SACK.";
    tcp_frto_response: u8 = 2, "net.ipv4.tcp_frto_response", 0, 2, "", AtOnce,
        "After a spurious time-out: 0 halve over one round trip, 1 halve at once, 2 undo.";
    tcp_keepalive_intvl: u32 = 75, "net.ipv4.tcp_keepalive_intvl", 0, SECS_MAX, "seconds", AtOnce,
        "Time between unanswered keepalive probes.";
    tcp_keepalive_probes: u8 = 9, "net.ipv4.tcp_keepalive_probes", 0, 255, "", AtOnce,
        "Unanswered keepalive probes before the connection is given up.";
    tcp_keepalive_time: u32 = 7200, "net.ipv4.tcp_keepalive_time", 0, SECS_MAX, "seconds", AtOnce,
        "Idle time before the first keepalive probe.";
    tcp_low_latency: u8 = 0, "net.ipv4.tcp_low_latency", 0, 1, "", AtOnce,
        "Handle and announce each segment at once instead of in batches.";
    tcp_max_orphans: u32 = 131_072, "net.ipv4.tcp_max_orphans", 0, INT_MAX, "", AtOnce,
        "Most connections without a descriptor that still hold state; one more is reset.";
    tcp_max_syn_backlog: i32 = 2048, "net.ipv4.tcp_max_syn_backlog", INT_MIN, INT_MAX, "", AtOnce,
        "Most half-open connections of a listener without SYN cookies.";
    tcp_max_tw_buckets: i32 = 131_072, "net.ipv4.tcp_max_tw_buckets", INT_MIN, INT_MAX, "", AtOnce,
        "Most TIME-WAIT entries; one more is not kept. -1 sets no limit.";
    tcp_mem: [u64; 3] = [287_901, 383_868, 575_802], "net.ipv4.tcp_mem", 0, ULONG_MAX, "pages of 4096 bytes",
        AtOnce, "Memory of all sockets' buffers: below the first no regulation, above the second pressure, \
        the third is the limit.";
    tcp_moderate_rcvbuf: u8 = 1, "net.ipv4.tcp_moderate_rcvbuf", 0, 255, "", AtOnce,
        "Let receive buffers grow with the rate at which the application reads.";
    tcp_mtu_probing: u8 = 0, "net.ipv4.tcp_mtu_probing", 0, 255, "", NextConnection,
        "Path-MTU probing (RFC 4821): 0 off, 1 after a black hole, which acts at once, 2 always.";
    tcp_no_metrics_save: u8 = 0, "net.ipv4.tcp_no_metrics_save", 0, 255, "", AtOnce,
        "Do not remember a destination's metrics when a connection closes.";
    tcp_orphan_retries: u8 = 0, "net.ipv4.tcp_orphan_retries", 0, 255, "", AtOnce,
        "Retransmissions for a connection that the user has closed; 0 means 8.";
    tcp_reordering: u32 = 3, "net.ipv4.tcp_reordering", 1, INT_MAX, "segments", NextConnection,
        "Initial duplicate threshold; tcp_max_reordering bounds it.", write write_reordering;
    tcp_retrans_collapse: u8 = 1, "net.ipv4.tcp_retrans_collapse", 0, 255, "", NextSegment,
        "Merge small neighbours when retransmitting.";
    tcp_rfc1337: u8 = 0, "net.ipv4.tcp_rfc1337", 0, 255, "", AtOnce,
        "Ignore resets in TIME-WAIT (RFC 1337).";
    tcp_retries1: u8 = 3, "net.ipv4.tcp_retries1", 0, 255, "", AtOnce,
        "Time-outs after which the route is looked up again before each retransmission.";
    tcp_retries2: u8 = 15, "net.ipv4.tcp_retries2", 0, 255, "", AtOnce,
        "Retransmissions before a connection is given up, taken as the time they would last.";
    tcp_rmem: [i32; 3] = [4096, 131_072, 33_554_432], "net.ipv4.tcp_rmem", 1, INT_MAX, "bytes",
        NextConnection,
        "Receive buffer: guaranteed under pressure, default, limit of auto-tuning.";
    tcp_sack: u8 = 1, "net.ipv4.tcp_sack", 0, 255, "", NextConnection,
        "Offer and accept selective acknowledgements (RFC 2018).";
    tcp_slow_start_after_idle: u8 = 1, "net.ipv4.tcp_slow_start_after_idle", 0, 255, "", AtOnce,
        "Let the congestion window decay while nothing is sent (RFC 2861).";
    tcp_stdurg: u8 = 0, "net.ipv4.tcp_stdurg", 0, 255, "", NextSegment,
        "The urgent pointer addresses the urgent byte itself (RFC 1122) instead of the one behind it.";
    tcp_syn_retries: u8 = 6, "net.ipv4.tcp_syn_retries", 1, 127, "", AtOnce,
        "Retransmissions of a SYN.";
    tcp_synack_retries: u8 = 5, "net.ipv4.tcp_synack_retries", 0, 255, "", AtOnce,
        "Retransmissions of a SYN,ACK.";
    tcp_syncookies: u8 = 1, "net.ipv4.tcp_syncookies", 0, 255, "", AtOnce,
        "SYN cookies: 0 never, 1 when the SYN queue is full, 2 always.";
    tcp_timestamps: u8 = 1, "net.ipv4.tcp_timestamps", 0, 255, "", NextConnection,
        "Timestamps (RFC 7323): 0 off, 1 with an offset for each connection, 2 without.";
    tcp_tso_win_divisor: u8 = 3, "net.ipv4.tcp_tso_win_divisor", 0, 255, "", NextSegment,
        "One super-segment takes at most this part of the window.";
    tcp_tw_recycle: u8 = 0, "net.ipv4.tcp_tw_recycle", 0, 2, "", AtOnce,
        "Short TIME-WAIT with timestamps: 0 off, 1 guarded per connection, 2 guarded per address (breaks \
         behind NAT).";
    tcp_tw_reuse: u8 = 2, "net.ipv4.tcp_tw_reuse", 0, 2, "", NextConnection,
        "Let a new connection take over a TIME-WAIT entry: 0 never, 1 guarded by timestamps, 2 over \
         loopback only.";
    tcp_window_scaling: u8 = 1, "net.ipv4.tcp_window_scaling", 0, 255, "", NextConnection,
        "Offer and accept window scaling (RFC 7323).";
    tcp_wmem: [i32; 3] = [4096, 16_384, 4_194_304], "net.ipv4.tcp_wmem", 1, INT_MAX, "bytes", NextConnection,
        "Send buffer: guaranteed under pressure, default, limit of its growth.";
    tcp_workaround_signed_windows: u8 = 0, "net.ipv4.tcp_workaround_signed_windows", 0, 255, "",
        NextSegment,
        "Offer at most 32767 bytes to a peer that does not scale its window.";

    // Their companions in Linux, S-56 to S-75 and those that the send and receive paths read.
    tcp_syn_linear_timeouts: u8 = 4, "net.ipv4.tcp_syn_linear_timeouts", 0, 127, "", AtOnce,
        "Retransmissions of a SYN before its time-out starts to double.";
    tcp_rto_max_ms: u32 = 120_000, "net.ipv4.tcp_rto_max_ms", 1000, 120_000, "milliseconds", NextConnection,
        "Cap of the retransmission time-out.";
    tcp_rto_min_us: u32 = 200_000, "net.ipv4.tcp_rto_min_us", 1, INT_MAX, "microseconds", NextConnection,
        "Floor of the retransmission time-out.";
    tcp_tw_reuse_delay: u32 = 1000, "net.ipv4.tcp_tw_reuse_delay", 1, 60_000, "milliseconds", AtOnce,
        "Quiet time before tcp_tw_reuse lets a TIME-WAIT entry be taken over.";
    tcp_early_retrans: u8 = 3, "net.ipv4.tcp_early_retrans", 0, 4, "", AtOnce,
        "Tail-loss probes (RFC 8985): 3 and 4 send them.";
    tcp_recovery: u8 = 1, "net.ipv4.tcp_recovery", 0, 255, "", AtOnce,
        "Loss recovery, bits: 1 RACK, 2 no adaptive reordering window, 4 no duplicate threshold in RACK.";
    tcp_max_reordering: u32 = 300, "net.ipv4.tcp_max_reordering", 1, INT_MAX, "segments", AtOnce,
        "Cap of the reordering metric.";
    tcp_invalid_ratelimit: u32 = 500, "net.ipv4.tcp_invalid_ratelimit", 0, INT_MAX, "milliseconds", AtOnce,
        "Shortest time between two replies to invalid segments; kept in whole ticks of 4 ms.",
        write write_invalid_ratelimit;
    tcp_challenge_ack_limit: i32 = i32::MAX, "net.ipv4.tcp_challenge_ack_limit", INT_MIN, INT_MAX,
        "per second", AtOnce, "Challenge ACKs of the whole stack; the largest value sets no limit.";
    tcp_pingpong_thresh: u8 = 1, "net.ipv4.tcp_pingpong_thresh", 1, 255, "answers", NextSegment,
        "From how many prompt answers on a connection leaves its acknowledgements to the next one.";
    tcp_notsent_lowat: u32 = u32::MAX, "net.ipv4.tcp_notsent_lowat", 0, UINT_MAX, "bytes", AtOnce,
        "A socket is writable only while fewer bytes than these are unsent.";
    tcp_no_ssthresh_metrics_save: u8 = 1, "net.ipv4.tcp_no_ssthresh_metrics_save", 0, 1, "", AtOnce,
        "Leave the slow-start threshold out of the remembered metrics.";
    tcp_comp_sack_delay_ns: u64 = 1_000_000, "net.ipv4.tcp_comp_sack_delay_ns", 0, ULONG_MAX, "nanoseconds",
        AtOnce, "Longest delay of a compressed SACK.";
    tcp_comp_sack_slack_ns: u64 = 100_000, "net.ipv4.tcp_comp_sack_slack_ns", 0, ULONG_MAX, "nanoseconds",
        AtOnce, "How much later a compressed SACK may leave to share a wake-up.";
    tcp_comp_sack_nr: u8 = 44, "net.ipv4.tcp_comp_sack_nr", 0, 255, "", AtOnce,
        "Most SACKs that are compressed into one; 0 switches compression off.";
    tcp_probe_interval: u32 = 600, "net.ipv4.tcp_probe_interval", 0, UNSIGNED_SECS_MAX, "seconds", AtOnce,
        "Time until the path MTU is probed upwards again.";
    tcp_probe_threshold: i32 = 8, "net.ipv4.tcp_probe_threshold", INT_MIN, INT_MAX, "bytes", AtOnce,
        "Path-MTU probing stops when the range left is narrower.";
    tcp_min_snd_mss: u32 = 48, "net.ipv4.tcp_min_snd_mss", 48, 65_535, "bytes", NextConnection,
        "Smallest segment size that a peer can impose.";
    tcp_mtu_probe_floor: u32 = 48, "net.ipv4.tcp_mtu_probe_floor", 48, 65_535, "bytes", AtOnce,
        "Lowest bound of the path-MTU search after repeated black holes.";
    tcp_limit_output_bytes: i32 = 4_194_304, "net.ipv4.tcp_limit_output_bytes", INT_MIN, INT_MAX, "bytes",
        NextSegment, "Bytes of one socket that may wait below it.";
    tcp_min_rtt_wlen: u32 = 300, "net.ipv4.tcp_min_rtt_wlen", 0, 86_400, "seconds", AtOnce,
        "Window over which the minimum round-trip time is taken.";
    tcp_min_tso_segs: u8 = 2, "net.ipv4.tcp_min_tso_segs", 1, 255, "segments", NextSegment,
        "Smallest super-segment that pacing asks for.";
    tcp_tso_rtt_log: u8 = 9, "net.ipv4.tcp_tso_rtt_log", 0, 255, "", NextSegment,
        "Larger super-segments on short paths: 64 KiB halved for each 2^n microseconds of minimum round \
         trip.";
    tcp_pacing_ss_ratio: u32 = 200, "net.ipv4.tcp_pacing_ss_ratio", 0, 1000, "percent", AtOnce,
        "Pacing rate in slow start, relative to window over round trip.";
    tcp_pacing_ca_ratio: u32 = 120, "net.ipv4.tcp_pacing_ca_ratio", 0, 1000, "percent", AtOnce,
        "Pacing rate in congestion avoidance, relative to window over round trip.";
    tcp_thin_linear_timeouts: u8 = 0, "net.ipv4.tcp_thin_linear_timeouts", 0, 255, "", AtOnce,
        "Do not double the first six time-outs of a flow with fewer than four segments out.";
    tcp_shrink_window: u8 = 0, "net.ipv4.tcp_shrink_window", 0, 1, "", AtOnce,
        "Take back window already offered when memory runs short.";
    tcp_reflect_tos: u8 = 0, "net.ipv4.tcp_reflect_tos", 0, 1, "", NextConnection,
        "Answer a SYN with its own traffic class.";
    tcp_fastopen_blackhole_timeout_sec: u32 = 0, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", 0, INT_MAX,
        "seconds", AtOnce, "How long Fast Open stays off after a black hole; 0 never switches it off.";

    // Our own, X-02, X-03 and RFC 6928.
    tcp_timewait_len: u32 = 60, "net.ipv4.tcp_timewait_len", 1, 600, "seconds", AtOnce,
        "How long a TIME-WAIT lasts.";
    tcp_probe_bytes: u8 = 0, "net.ipv4.tcp_probe_bytes", 0, 1, "bytes", NextSegment,
        "Payload of a zero-window probe: none, as Linux, or one byte, as RFC 9293 describes.";
    tcp_init_cwnd: u32 = 10, "net.ipv4.tcp_init_cwnd", 1, 1000, "segments", NextConnection,
        "Initial congestion window (RFC 6928) where the route states none.";

    tcp_rto_initial_ms: u32 = 1000, "net.ipv4.tcp_rto_initial_ms", 1000, 120_000, "milliseconds",
        NextConnection,
        "The retransmission time-out of SYNs and SYN,ACKs, before any round trip is known (RFC 6298 2.1).";
    tcp_offer_rfc1323: u8 = 1, "net.ipv4.tcp_offer_rfc1323", 0, 1, "", NextConnection,
        "Offer window scaling and timestamps in SYNs of our own; with 0 they only answer a SYN that has them.";

    // IP, routes and neighbours.
    ip_default_ttl: u8 = 64, "net.ipv4.ip_default_ttl", 1, 255, "", NextSegment,
        "TTL of IPv4 packets sent.";
    ip_local_port_range: [u16; 2] = [32_768, 60_999], "net.ipv4.ip_local_port_range", 1, 65_535, "",
        NextConnection,
        "First and last ephemeral port; the first is not below ip_unprivileged_port_start.",
        write write_port_range;
    ip_local_reserved_ports: PortList = PortList::default(), "net.ipv4.ip_local_reserved_ports", 0, 65_535,
        "",
        NextConnection, "Ports that are never chosen as ephemeral ones.";
    ip_unprivileged_port_start: u32 = 1024, "net.ipv4.ip_unprivileged_port_start", 0, 65_535, "",
        NextConnection,
        "First port that may be bound without privilege; not above the first ephemeral port.",
        write write_unprivileged_start;
    ip_nonlocal_bind: u8 = 0, "net.ipv4.ip_nonlocal_bind", 0, 255, "", NextConnection,
        "Let sockets bind addresses that the stack does not have.";
    ip_no_pmtu_disc: u8 = 0, "net.ipv4.ip_no_pmtu_disc", 0, 255, "", NextConnection,
        "Path-MTU discovery: 0 on, 1 off, 2 ignore what ICMP says, 3 believe it only for checked flows.";
    ipfrag_high_thresh: u64 = 4_194_304, "net.ipv4.ipfrag_high_thresh", 0, ULONG_MAX, "bytes", AtOnce,
        "Memory for reassembling fragments.";
    ipfrag_time: u32 = 30, "net.ipv4.ipfrag_time", 0, SECS_MAX, "seconds", AtOnce,
        "How long a fragment waits for the others.";
    route_min_pmtu: u32 = 552, "net.ipv4.route.min_pmtu", 68, INT_MAX, "bytes", AtOnce,
        "Smallest path MTU that an ICMP message can impose over IPv4.";
    route_mtu_expires: u32 = 600, "net.ipv4.route.mtu_expires", 0, SECS_MAX, "seconds", AtOnce,
        "How long a learned path MTU is believed.";
    route_min_adv_mss: u32 = 256, "net.ipv4.route.min_adv_mss", 0, INT_MAX, "bytes", NextConnection,
        "Smallest MSS that is announced.";
    neigh_gc_thresh3: u32 = 1024, "net.ipv4.neigh.default.gc_thresh3", 0, INT_MAX, "", AtOnce,
        "Most entries of the neighbour table.";
    neigh_unres_qlen_bytes: u32 = 212_992, "net.ipv4.neigh.default.unres_qlen_bytes", 0, INT_MAX, "bytes",
        AtOnce,
        "Packets that may wait for one neighbour's link address.";
    neigh_retrans_time_ms: u32 = 1000, "net.ipv4.neigh.default.retrans_time_ms", 1, INT_MAX,
        "milliseconds", AtOnce,
        "Time between two solicitations of a neighbour.";
    neigh_mcast_solicit: u32 = 3, "net.ipv4.neigh.default.mcast_solicit", 0, INT_MAX, "", AtOnce,
        "Solicitations by multicast or broadcast before a neighbour is given up.";
    neigh_ucast_solicit: u32 = 3, "net.ipv4.neigh.default.ucast_solicit", 0, INT_MAX, "", AtOnce,
        "Solicitations by unicast before a known neighbour is looked for anew.";
    neigh_base_reachable_time_ms: u32 = 30_000, "net.ipv4.neigh.default.base_reachable_time_ms", 1, INT_MAX,
        "milliseconds", AtOnce, "How long a neighbour counts as reachable after it has answered.";
    neigh_delay_first_probe_time: u32 = 5, "net.ipv4.neigh.default.delay_first_probe_time", 0, SECS_MAX,
        "seconds", AtOnce,
        "How long after its use a neighbour that was not heard of lately is left in peace.";
    ipv6_bindv6only: u8 = 0, "net.ipv6.bindv6only", 0, 255, "", NextConnection,
        "IPv6 sockets take no IPv4-mapped peers unless they ask for them.";
    ipv6_auto_flowlabels: u8 = 1, "net.ipv6.auto_flowlabels", 0, 3, "", NextSegment,
        "IPv6 packets carry a flow label of their connection: 1 and 3 yes, 0 and 2 no.";

    ipv6_ip_nonlocal_bind: u8 = 0, "net.ipv6.ip_nonlocal_bind", 0, 255, "", NextConnection,
        "Let sockets bind IPv6 addresses that the stack does not have.";
    ipv6_hop_limit: u8 = 64, "net.ipv6.conf.default.hop_limit", 1, 255, "", NextSegment,
        "Hop limit of IPv6 packets sent, over all devices.";
    ipv6_route_mtu_expires: u32 = 600, "net.ipv6.route.mtu_expires", 0, SECS_MAX, "seconds", AtOnce,
        "How long a learned path MTU of IPv6 is believed.";
    ipv6_route_min_adv_mss: u32 = 1220, "net.ipv6.route.min_adv_mss", 0, INT_MAX, "bytes", NextConnection,
        "Smallest MSS that is announced over IPv6.";

    // net.core.
    core_somaxconn: u32 = 4096, "net.core.somaxconn", 0, INT_MAX, "", NextConnection,
        "Cap of listen's backlog and of the Fast Open queue.";
    core_rmem_default: u32 = 212_992, "net.core.rmem_default", 2304, INT_MAX, "bytes", NextConnection,
        "Generic receive buffer, which tcp_rmem overrides.";
    core_rmem_max: u32 = 4_194_304, "net.core.rmem_max", 2304, INT_MAX, "bytes", AtOnce,
        "Largest receive buffer that a user may ask for, before it is doubled.";
    core_wmem_default: u32 = 212_992, "net.core.wmem_default", 4608, INT_MAX, "bytes", NextConnection,
        "Generic send buffer, which tcp_wmem overrides.";
    core_wmem_max: u32 = 4_194_304, "net.core.wmem_max", 4608, INT_MAX, "bytes", AtOnce,
        "Largest send buffer that a user may ask for, before it is doubled.";
    core_txrehash: u8 = 1, "net.core.txrehash", 0, 1, "", NextConnection,
        "A time-out gives a connection another flow label, so that its packets may take another path.";

    core_optmem_max: u32 = 131_072, "net.core.optmem_max", 0, INT_MAX, "bytes", AtOnce,
        "Control messages that one sendmsg() may bring.";
    core_message_burst: u32 = 10, "net.core.message_burst", 0, INT_MAX, "", AtOnce,
        "Remarks to the operator in each net.core.message_cost; what is more is counted, not told.";
    core_message_cost: u32 = 5, "net.core.message_cost", 0, INT_MAX, "s", AtOnce,
        "In how many seconds net.core.message_burst remarks may come; 0 for any number.";

    // What the defaults follow from.
    cauce_profile: Profile = Profile::Linux618, "cauce.profile", 0, 0, "", NextConnection,
        "The profile. Writing one sets all settings to its values.", write write_profile;
    cauce_link_speed: u64 = 0, "cauce.link_speed", 0, ULONG_MAX, "bits per second", NextConnection,
        "Speed of the link, from which profile windows-xp takes its receive window; 0 is not known.",
        write write_link_speed;

    // Bounds of the stack's own queues.
    max_sockets: u32 = 1 << 20, "cauce.max_sockets", 1, INT_MAX, "", NextConnection,
        "Most sockets of the stack, listeners and accepted ones included.";
    max_half_open: u32 = 1 << 18, "cauce.max_half_open", 1, INT_MAX, "", NextConnection,
        "Most half-open records of the whole stack, whatever its listeners allow.";
    max_metrics: u32 = 1 << 12, "cauce.max_metrics", 0, INT_MAX, "", AtOnce,
        "Most destinations whose metrics and Fast Open cookies are remembered.";
    max_pending_replies: u32 = 1 << 12, "cauce.max_pending_replies", 1, INT_MAX, "", AtOnce,
        "Most replies to single segments that may wait to be sent.";
    max_loopback_queue: u32 = 1 << 12, "cauce.max_loopback_queue", 1, INT_MAX, "packets", AtOnce,
        "Most packets on their way from the stack to itself.";
    max_error_queue: u32 = 64, "cauce.max_error_queue", 1, INT_MAX, "messages", AtOnce,
        "Most messages in a socket's error queue.";
    =>
    algorithm_switch!("net.ipv4.tcp_bic", "bic",
        "Make BIC the default congestion control; 0 returns to Reno."),
    algorithm_switch!("net.ipv4.tcp_vegas_cong_avoid", "vegas",
        "Make Vegas the default congestion control; 0 returns to Reno."),
    algorithm_switch!("net.ipv4.tcp_westwood", "westwood",
        "Make Westwood the default congestion control; 0 returns to Reno."),
}

fn unknown_algorithm(sysctls: &Sysctls) -> Refusal {
    Refusal::UnknownAlgorithm { known: sysctls.tcp_available_congestion_control.format() }
}

/// Makes an available algorithm the default, and so one that everybody may choose.
pub(super) fn make_default(sysctls: &mut Sysctls, algorithm: &str) -> Result<(), Refusal> {
    match AlgorithmName::new(algorithm) {
        Some(name) if sysctls.tcp_available_congestion_control.contains(algorithm) => {
            sysctls.tcp_congestion_control = name;
            sysctls.tcp_allowed_congestion_control.insert(name);
            Ok(())
        }
        _ => Err(unknown_algorithm(sysctls)),
    }
}

fn write_congestion_control(sysctls: &mut Sysctls, text: &str, _: &SysctlEntry) -> Result<(), Refusal> {
    let line = text.split('\n').next().unwrap_or_default();
    make_default(sysctls, line)
}

fn write_allowed(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let list = AlgorithmList::parse(&sysctls.tcp_allowed_congestion_control, text, entry)
        .map_err(|_| unknown_algorithm(sysctls))?;
    if list.iter().any(|name| !sysctls.tcp_available_congestion_control.contains(name)) {
        return Err(unknown_algorithm(sysctls));
    }
    sysctls.tcp_allowed_congestion_control = list;
    Ok(())
}

fn write_nothing(_: &mut Sysctls, _: &str, _: &SysctlEntry) -> Result<(), Refusal> {
    Err(Refusal::ReadOnly)
}

fn write_reordering(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let value = u32::parse(&sysctls.tcp_reordering, text, entry)?;
    let max = sysctls.tcp_max_reordering;
    if value > max {
        return Err(Refusal::OutOfRange { min: entry.min, max: i128::from(max) });
    }
    sysctls.tcp_reordering = value;
    Ok(())
}

/// Linux keeps the time in ticks and shows what it kept.
fn write_invalid_ratelimit(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let value = u32::parse(&sysctls.tcp_invalid_ratelimit, text, entry)?;
    sysctls.tcp_invalid_ratelimit = value.next_multiple_of(TICK_MS);
    Ok(())
}

fn write_port_range(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let range = <[u16; 2]>::parse(&sysctls.ip_local_port_range, text, entry)?;
    if u32::from(range[0]) < sysctls.ip_unprivileged_port_start {
        return Err(Refusal::Malformed("a range that begins at ip_unprivileged_port_start or above"));
    }
    sysctls.ip_local_port_range = range;
    Ok(())
}

fn write_unprivileged_start(sysctls: &mut Sysctls, text: &str, entry: &SysctlEntry) -> Result<(), Refusal> {
    let start = u32::parse(&sysctls.ip_unprivileged_port_start, text, entry)?;
    let first = u32::from(sysctls.ip_local_port_range[0]);
    if start > first {
        return Err(Refusal::OutOfRange { min: entry.min, max: i128::from(first) });
    }
    sysctls.ip_unprivileged_port_start = start;
    Ok(())
}
