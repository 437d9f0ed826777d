//! Numbers of options that the crate `libc` has no name for.

pub(crate) const SO_MEMINFO: i32 = 55;
pub(crate) const SO_COOKIE: i32 = 57;
pub(crate) const SO_PREFER_BUSY_POLL: i32 = 69;
pub(crate) const SO_BUF_LOCK: i32 = 72;
pub(crate) const SO_TXREHASH: i32 = 74;
pub(crate) const SO_RCVMARK: i32 = 75;
pub(crate) const IP_LOCAL_PORT_RANGE: i32 = 51;
pub(crate) const IP_PROTOCOL: i32 = 52;
pub(crate) const TCP_IS_MPTCP: i32 = 43;
pub(crate) const TCP_TX_DELAY: i32 = 37;
pub(crate) const SO_ZEROCOPY: i32 = 60;
pub(crate) const SO_TIMESTAMP_NEW: i32 = 63;
pub(crate) const SO_TIMESTAMPNS_NEW: i32 = 64;
pub(crate) const SO_TIMESTAMPING_NEW: i32 = 65;
pub(crate) const SO_RCVTIMEO_NEW: i32 = 66;
pub(crate) const SO_SNDTIMEO_NEW: i32 = 67;
pub(crate) const SO_SNDBUFFORCE: i32 = 32;
pub(crate) const SO_RCVBUFFORCE: i32 = 33;
pub(crate) const TCP_NOTSENT_LOWAT: i32 = 25;
pub(crate) const TCP_CC_INFO: i32 = 26;
pub(crate) const TCP_SAVE_SYN: i32 = 27;
pub(crate) const TCP_SAVED_SYN: i32 = 28;
pub(crate) const TCP_FASTOPEN_CONNECT: i32 = 30;
pub(crate) const TCP_FASTOPEN_KEY: i32 = 33;
pub(crate) const TCP_FASTOPEN_NO_COOKIE: i32 = 34;
pub(crate) const TCP_INQ: i32 = 36;
pub(crate) const TCP_RTO_MAX_MS: i32 = 44;
pub(crate) const TCP_RTO_MIN_US: i32 = 45;
pub(crate) const TCP_DELACK_MAX_US: i32 = 46;
pub(crate) const SO_BINDTOIFINDEX: i32 = 62;
pub(crate) const SO_RCVPRIORITY: i32 = 82;
pub(crate) const SO_INCOMING_NAPI_ID: i32 = 56;
pub(crate) const SO_BUSY_POLL_BUDGET: i32 = 70;
pub(crate) const IPV6_MINHOPCOUNT: i32 = 73;
pub(crate) const IPV6_TRANSPARENT: i32 = 75;
pub(crate) const IPV6_FREEBIND: i32 = 78;
/// SO_MAX_PACING_RATE
pub(crate) const SO_MAX_PACING_RATE: i32 = 47;
/// TCP_CM_INQ, a control message of recvmsg().
pub(crate) const TCP_CM_INQ: i32 = TCP_INQ;
