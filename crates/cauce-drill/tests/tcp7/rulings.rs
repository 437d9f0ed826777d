//! The rulings of REQUIREMENTS 7 that say how the stack behaves where documents contradict each other, or Linux.

use super::rows::{Row, Section};

/// All rows.
pub fn rows() -> Vec<Row> {
    let row =
        |(id, what): &(&str, &str)| Row { kernel: kernel(id), ..Row::statement(Section::Rulings, id, what) };
    RULINGS.iter().map(row).collect()
}

/// Where Linux differs: what a ruling takes from the documents, Linux has no more.
fn kernel(id: &str) -> Option<&'static str> {
    Some(match id {
        "X-01" | "X-06" | "X-07" => "gone from Linux: ours alone",
        "X-02" | "X-18" | "X-37" => "Linux differs, as the row says",
        "X-03" | "X-29" | "X-30" => "the default profile is as Linux; others are ours alone",
        "X-04" | "X-05" | "X-10" => "without effect on Linux: ours alone",
        "X-15" => "Linux counts from the first retransmission",
        "X-19" => "Linux forgets the clamp once the buffer grows",
        "X-20" => "Linux queues nothing in ESTABLISHED",
        "X-23" => "1 and 2 are one on Linux",
        "X-28" => "a matter of other systems",
        "X-33" => "Linux takes a reflected SYN,ACK for consent",
        "X-34" => "Linux pushes the tail",
        "X-38" => "Linux takes negative times",
        _ => return None,
    })
}

/// X-35 is about tests alone.
const RULINGS: &[(&str, &str)] = &[
    ("X-01", "`tcp_tw_recycle` is there: 1 guards each connection, 2 each address, with a warning"),
    (
        "X-02",
        "`tcp_fin_timeout` bounds FIN-WAIT-2 of orphans, exactly; `tcp_timewait_len` is the length of TIME-WAIT",
    ),
    (
        "X-03",
        "a window probe is empty, or carries a byte in profiles `manpage` and `rfc793` (`tcp_probe_bytes`)",
    ),
    ("X-04", "`tcp_low_latency` chooses between batches and single segments"),
    ("X-05", "`tcp_fack` acts, until reordering is seen"),
    ("X-06", "`tcp_abc`, `tcp_frto_response` and `tcp_dma_copybreak` are there"),
    ("X-07", "`tcp_bic`, `tcp_westwood` and `tcp_vegas_cong_avoid` choose the default algorithm"),
    ("X-08", "six retries of a SYN last 131 s, four of them linear, or 127 s in profile `manpage`"),
    ("X-09", "retries of a SYN are 1 to 127"),
    ("X-10", "`tcp_adv_win_scale` acts in profile `manpage`"),
    ("X-11", "`tcp_app_win` acts"),
    ("X-12", "`tcp_tw_reuse` is 0, 1 or 2, and waits for a second"),
    ("X-13", "SIOCOUTQ counts what is not acknowledged, SIOCOUTQNSD what is not sent"),
    ("X-14", "the user time-out bounds SYN-SENT, too"),
    ("X-15", "the user time-out counts from the first sending, exactly"),
    ("X-16", "`tcp_retries2` stands for the time that so many retransmissions last"),
    ("X-17", "`tcp_orphan_retries` 0 means 8"),
    ("X-18", "`tcp_stdurg` acts on both sides"),
    ("X-19", "TCP_WINDOW_CLAMP stays when the buffer grows"),
    ("X-20", "IP_RECVERR queues ICMP errors in SYN-SENT and in ESTABLISHED"),
    ("X-21", "the last soft ICMP error is told instead of ETIMEDOUT"),
    ("X-22", "reading from a socket that is shut down is the end, writing EPIPE"),
    ("X-23", "`tcp_frto` 1 is the basic form, 2 that with SACK"),
    ("X-24", "`tcp_max_syn_backlog` bounds without cookies, the last quarter for known peers"),
    ("X-25", "`tcp_abort_on_overflow` does not reset who comes with a cookie"),
    ("X-26", "four SACK blocks, or three beside timestamps"),
    ("X-27", "keepalive and the user time-out are two things, shown as two timers"),
    ("X-28", "Windows' names take Windows' units"),
    ("X-29", "slow start counts acknowledged segments, or as `tcp_abc` and the profile say"),
    ("X-30", "the documents' defaults are profile `manpage`"),
    ("X-31", "a SYN in the window is answered by a challenge ACK"),
    ("X-32", "a segment without the expected timestamp is accepted and counted"),
    ("X-33", "a reflected SYN,ACK is no consent to ECN"),
    ("X-34", "a corked tail stays when a tail-loss probe is due"),
    ("X-36", "TCP_DEFER_ACCEPT's seconds become retries of the SYN,ACK"),
    ("X-37", "what is global on Linux belongs to one stack"),
    ("X-38", "negative times are EINVAL"),
];
