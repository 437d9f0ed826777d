//! Fast Open's passive side: cookies, and how many connections a SYN may open at a time
//! (RFC 7413 4.1.2, 5.1; P-162, P-165, S-18, S-19, O-15).
//!
//! A cookie is SipHash-2-4 of the client's and the server's address, as Linux makes it, so that a farm of servers
//! may share a key with Linux hosts. Nothing is remembered of a client. What a SYN's cookie leads to is decided by the
//! stack, which knows the listener.

use crate::addr::Addr;
use crate::sysctl::FastOpenKeys;
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use arrayvec::ArrayVec;
use cauce_wire::FastOpen;
use core::hash::Hasher;
use siphasher::sip::SipHasher24;

/// Bits of `tcp_fastopen` (S-18).
pub mod enabled {
    /// Connections may be opened with data.
    pub const CLIENT: i32 = 1;
    /// Listeners may take data from SYNs.
    pub const SERVER: i32 = 2;
    /// Our SYNs carry data without a cookie.
    pub const CLIENT_WITHOUT_COOKIE: i32 = 4;
    /// SYNs need no cookie for their data to be taken.
    pub const SERVER_WITHOUT_COOKIE: i32 = 0x200;
    /// Listeners need no TCP_FASTOPEN.
    pub const SERVER_WITHOUT_OPTION: i32 = 0x400;
}

/// How long a connection that a reset has ended counts as pending: who forges the addresses of SYNs provokes resets,
/// and soon gets no more connections opened (RFC 7413 5.1).
const RESET_COUNTS_FOR: Duration = Duration::from_secs(60);

/// What becomes of a SYN, and the option of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It opens the connection.
    Open(Option<FastOpen>),
    /// It begins a handshake.
    Handshake(Option<FastOpen>),
}

/// Under which key a cookie is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    Primary,
    Backup,
    Invalid,
}

/// The cookie of a client at a server.
fn cookie(key: [u32; 4], client: &Addr, server: &Addr) -> ArrayVec<u8, 16> {
    let [a, b, c, d] = key.map(u64::from);
    let mut hasher = SipHasher24::new_with_keys(a | b << 32, c | d << 32);
    let start = if client.is_v4() { 12 } else { 0 };
    hasher.write(&client.0[start..]);
    hasher.write(&server.0[start..]);
    hasher.finish().to_le_bytes().into_iter().collect()
}

/// The cookie that a server with these keys grants; `None` without a key.
pub(crate) fn grant(keys: &FastOpenKeys, client: &Addr, server: &Addr) -> Option<ArrayVec<u8, 16>> {
    keys.primary().map(|key| cookie(key, client, server))
}

/// Whether a cookie was granted to this client, under either key.
pub(crate) fn check(keys: &FastOpenKeys, shown: &[u8], client: &Addr, server: &Addr) -> Validity {
    let is_of = |key: [u32; 4]| cookie(key, client, server)[..] == *shown;
    match (keys.primary(), keys.backup()) {
        (Some(key), _) if is_of(key) => Validity::Primary,
        (_, Some(key)) if is_of(key) => Validity::Backup,
        _ => Validity::Invalid,
    }
}

/// Connections of one listener that their SYN has opened, and whose handshake has not ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingOpens {
    open: u32,
    /// Until when each of those counts that a reset has ended, the oldest first.
    reset: VecDeque<Instant>,
}

impl PendingOpens {
    /// True when there is room for one more among `limit`. The oldest of those that were reset makes room when its
    /// time is over.
    pub(crate) fn admits(&mut self, limit: u32, now: Instant) -> bool {
        if self.open as usize + self.reset.len() < limit as usize {
            return true;
        }
        let over = self.reset.front().is_some_and(|until| *until <= now);
        if over {
            self.reset.pop_front();
        }
        over
    }

    /// One more is pending.
    pub(crate) fn opened(&mut self) {
        self.open += 1;
    }

    /// One is not pending any more; `by_reset` if the peer has reset it.
    pub(crate) fn ended(&mut self, by_reset: bool, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if by_reset {
            self.reset.push_back(now + RESET_COUNTS_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    fn addr(text: &str) -> Addr {
        text.parse::<IpAddr>().unwrap().into()
    }

    /// S-19: the known answer of Linux.
    #[test]
    fn s19_the_cookie_is_linux_s() {
        let keys = FastOpenKeys::new([1, 2, 3, 4], None);
        let (client, server) = (addr("10.9.0.2"), addr("10.9.0.1"));
        let granted = grant(&keys, &client, &server).unwrap();
        assert_eq!(granted[..], [0xfa, 0xc5, 0xa9, 0xb4, 0x00, 0x8e, 0x1b, 0x9f]);
        assert_eq!(check(&keys, &granted, &client, &server), Validity::Primary);
        assert_eq!(check(&keys, &granted[..6], &client, &server), Validity::Invalid);
        assert_eq!(check(&keys, &granted, &addr("10.9.0.3"), &server), Validity::Invalid);
    }

    /// S-19: a cookie stays good while its key is the second one.
    #[test]
    fn s19_keys_rotate() {
        let (client, server) = (addr("2001:db8::2"), addr("2001:db8::1"));
        let old = grant(&FastOpenKeys::new([1, 2, 3, 4], None), &client, &server).unwrap();
        let both = FastOpenKeys::new([5, 6, 7, 8], Some([1, 2, 3, 4]));
        assert_eq!(check(&both, &old, &client, &server), Validity::Backup);
        let new = FastOpenKeys::new([5, 6, 7, 8], None);
        assert_eq!(check(&new, &old, &client, &server), Validity::Invalid);
        assert_eq!(check(&FastOpenKeys::default(), &old, &client, &server), Validity::Invalid);
    }

    /// P-165: a reset counts for a minute, and then makes room for one.
    #[test]
    fn p165_resets_count_for_a_minute() {
        let (start, mut opens) = (Instant::from_secs(10), PendingOpens::default());
        assert!(opens.admits(2, start) && !opens.admits(0, start));
        opens.opened();
        opens.opened();
        assert!(!opens.admits(2, start));
        opens.ended(true, start);
        assert!(!opens.admits(2, start + Duration::from_secs(59)));
        assert!(opens.admits(2, start + Duration::from_secs(60)));
        opens.ended(false, start);
        assert!(opens.admits(1, start));
    }
}
