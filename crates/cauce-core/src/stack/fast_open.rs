//! Fast Open between a SYN, its listener and the connection that it opens, and calls that open by writing
//! (RFC 7413 4.2; P-162, P-165, S-18, S-19, A-17, O-15, O-16, O-19).
//!
//! What a cookie is, and how many connections may be pending, is decided in `listen/fast_open`; here stands what
//! needs the listener, the settings and the tables.

use super::input::Arrived;
use super::{Entry, Stack};
use crate::connection::Connection;
use crate::context::Context;
use crate::counters::Counter;
use crate::drop_reason::DropReason;
use crate::listen::fast_open::{Validity, Verdict, check, enabled, grant};
use crate::listen::syn_queue::HalfOpen;
use crate::socket::SocketId;
use crate::socket::errno::Errno;
use crate::socket::options::rare_flag;
use crate::sysctl::FastOpenKeys;
use crate::time::Instant;
use cauce_wire::FastOpen;
use core::net::SocketAddr;

impl Stack {
    /// What becomes of a SYN that there is room for.
    pub(super) fn fast_open_verdict(&mut self, id: SocketId, arrived: &Arrived, now: Instant) -> Verdict {
        let plain = Verdict::Handshake(None);
        let shown = arrived.segment.header.options.fast_open.as_ref();
        let (settings, counters) = (self.shared.sysctl.tcp_fastopen, &mut self.shared.counters);
        if shown.is_some_and(|shown| shown.cookie.is_empty()) {
            counters.add(Counter::TCPFastOpenCookieReqd, 1);
        }
        let concerned = shown.is_some() || arrived.segment.len > 0;
        let Some(Entry::Listener(listener)) = self.sockets.get_mut(id) else { return plain };
        let limit = listener.options.fast_open_limit();
        if settings & enabled::SERVER == 0 || !concerned || limit == 0 {
            return plain;
        }
        if !listener.opens.admits(limit, now) {
            counters.add(Counter::TCPFastOpenListenOverflow, 1);
            return plain;
        }
        let free = settings & enabled::SERVER_WITHOUT_COOKIE != 0
            || listener.options.has_rare(rare_flag::FASTOPEN_NO_COOKIE);
        match shown {
            _ if free => Verdict::Open(None),
            Some(shown) => self.judge_cookie(id, shown, arrived, now),
            None => plain,
        }
    }

    /// A valid cookie opens the connection; whoever has none, or a stale one, is granted a fresh one.
    fn judge_cookie(&mut self, id: SocketId, shown: &FastOpen, arrived: &Arrived, now: Instant) -> Verdict {
        let keys = self.fast_open_keys(id);
        let (client, server) = (&arrived.key.remote, &arrived.key.local);
        let fresh = grant(&keys, client, server).map(|cookie| FastOpen { cookie, kind: shown.kind });
        if shown.cookie.is_empty() {
            return Verdict::Handshake(fresh);
        }
        match check(&keys, &shown.cookie, client, server) {
            Validity::Primary => Verdict::Open(None),
            Validity::Backup => {
                self.shared.counters.add(Counter::TCPFastOpenPassiveAltKey, 1);
                Verdict::Open(fresh)
            }
            Validity::Invalid => {
                self.shared.counters.add(Counter::TCPFastOpenPassiveFail, 1);
                self.shared.trace.dropped(now, DropReason::FastOpen);
                Verdict::Handshake(fresh)
            }
        }
    }

    /// The listener's own keys, or the setting's.
    fn fast_open_keys(&self, id: SocketId) -> FastOpenKeys {
        let own = match self.sockets.get(id) {
            Some(Entry::Listener(listener)) => listener.options.fast_open_keys(),
            _ => None,
        };
        own.unwrap_or(&self.shared.sysctl.tcp_fastopen_key).clone()
    }

    /// The first socket that may take data from SYNs makes a key, if the setting has none (S-19).
    pub(super) fn make_fast_open_key(&mut self) {
        let shared = &mut self.shared;
        if shared.sysctl.tcp_fastopen_key.primary().is_none() {
            let mut word = || shared.rng.next_u64() as u32;
            let key = [word(), word(), word(), word()];
            shared.sysctl.tcp_fastopen_key = FastOpenKeys::new(key, None);
        }
    }

    /// The SYN opens the connection: its text is there to be read at once, and `accept` finds it.
    pub(super) fn open_by_syn(
        &mut self,
        listener_id: SocketId,
        record: HalfOpen,
        arrived: Arrived,
        cookie: Option<FastOpen>,
        now: Instant,
    ) {
        let Some(setup) = self.child_setup(listener_id, &record, now) else { return };
        let Some(Entry::Listener(listener)) = self.sockets.get_mut(listener_id) else { return };
        listener.opens.opened();
        let saved_syn = arrived.syn_headers.filter(|_| listener.options.saves_syn());
        self.shared.counters.add(Counter::TCPFastOpenPassive, 1);
        let open = |setup, cx: &mut Context<'_>| Connection::opened_by_syn(setup, record, cx);
        let id = self.insert_child(setup, saved_syn, now, open);
        if let Some(Entry::Connection(conn)) = self.sockets.get_mut(id) {
            conn.take_syn_text(arrived.segment, cookie, &mut self.shared.cx(now));
        }
        self.queue_child(listener_id, id, now);
    }

    /// The handshake of a connection that its SYN has opened is over: its listener has room for another.
    pub(super) fn count_confirmed(&mut self, id: SocketId, now: Instant) {
        let confirmed = self.connection_mut(id).and_then(|conn| conn.rare.as_mut()?.confirmed.take());
        let Some(confirmed) = confirmed else { return };
        if let Some(Entry::Listener(listener)) = self.sockets.get_mut(confirmed.listener) {
            listener.opens.ended(confirmed.by_reset, now);
        }
    }

    /// A socket begins to listen: if the setting asks for no TCP_FASTOPEN, its backlog takes the place (S-18).
    pub(super) fn follow_backlog(&mut self, id: SocketId) {
        let wanted = enabled::SERVER | enabled::SERVER_WITHOUT_OPTION;
        if self.shared.sysctl.tcp_fastopen & wanted != wanted {
            return;
        }
        if let Some(Entry::Listener(listener)) = self.sockets.get_mut(id)
            && listener.options.fast_open_limit() == 0
        {
            let backlog = listener.accept.backlog();
            listener.options.rare_mut().fast_open = backlog;
            self.make_fast_open_key();
        }
    }

    /// A write with MSG_FASTOPEN: the connection to `to` exists afterwards, and its SYN waits for the bytes; or it was
    /// opened before, and the write goes on as any other.
    ///
    /// # Errors
    /// `EOPNOTSUPP` unless the setting allows it, and what connect(2) says.
    pub(crate) fn open_for_write(
        &mut self,
        id: SocketId,
        now: Instant,
        to: Option<SocketAddr>,
    ) -> Result<(), Errno> {
        if self.shared.sysctl.tcp_fastopen & enabled::CLIENT == 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.connection(id).is_some_and(|conn| conn.waits_for_write()) {
            return Ok(());
        }
        if !matches!(self.sockets.get(id), Some(Entry::Idle(_))) {
            return self.how_connect_went(id, now);
        }
        match self.connect(id, now, to.ok_or(Errno::EINVAL)?) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        if let Some(conn) = self.connection_mut(id) {
            conn.defer_syn();
        }
        Ok(())
    }
}
