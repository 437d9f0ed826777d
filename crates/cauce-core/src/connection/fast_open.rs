//! Fast Open's active side: data in the SYN (RFC 7413 4.1.1, 4.1.3, 4.2.1; P-160, P-161, P-163, P-166, A-17, O-16,
//! O-19, S-18).
//!
//! Decides what the first SYN carries, from what is remembered of the destination, and learns from its answer. A SYN
//! that has to be sent again carries neither option nor data. Which call opens the connection is decided by the
//! stack's side of the user calls.

use super::negotiated::DEFAULT_MSS;
use super::state::State;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::counters::Counter;
use crate::listen::fast_open::enabled;
use crate::socket::errno::Errno;
use crate::socket::options::rare_flag;
use crate::stack::interfaces::LOOPBACK;
use cauce_wire::{FastOpen, FastOpenKind, MAX_OPTIONS_LEN, TcpOptions};

/// Why Fast Open has not spared a round trip (`tcpi_fastopen_client_fail`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OpenFailure {
    /// It has, or was not asked for.
    #[default]
    None = 0,
    /// There was no cookie for the destination.
    NoCookie = 1,
    /// The SYN,ACK did not acknowledge the data.
    DataNotAcked = 2,
    /// Nothing answered the SYN with data.
    SynRetransmitted = 3,
}

/// Fast Open of one active connection.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The SYN waits for the first write.
    deferred: bool,
    /// The option of the first SYN.
    option: Option<FastOpen>,
    /// The first SYN carries data.
    data: bool,
    /// The first one since a path has swallowed something: whether it goes well is news.
    trial: bool,
    failure: OpenFailure,
    /// A writer waits for the handshake, with more than the SYN has taken.
    writer_waits: bool,
}

/// What the first SYN may carry.
enum Permission {
    /// Fast Open is off because of a black hole.
    Closed,
    /// The request for a cookie.
    Request(FastOpen),
    /// Data, with the cookie unless none is needed.
    Data(Option<FastOpen>),
}

impl Connection {
    /// connect() of a socket with TCP_FASTOPEN_CONNECT (O-16). True if the SYN waits for the first write; otherwise
    /// it leaves now, and asks for a cookie.
    pub(crate) fn connect_by_write(&mut self, cx: &mut Context<'_>) -> bool {
        match self.permission(cx) {
            Permission::Closed => return false,
            Permission::Request(request) => self.opening_mut().option = Some(request),
            Permission::Data(_) => self.defer_syn(),
        }
        self.waits_for_write()
    }

    /// The SYN does not leave before the first write.
    pub(crate) fn defer_syn(&mut self) {
        self.opening_mut().deferred = true;
        self.done(pending::SYN);
    }

    /// True while the SYN waits for the first write.
    pub(crate) fn waits_for_write(&self) -> bool {
        self.opening().is_some_and(|opening| opening.deferred) && self.state == State::SynSent
    }

    /// The first write: the SYN leaves, with as much of `data` as it may carry. Returns how much that is.
    ///
    /// # Errors
    /// `EINPROGRESS` when it carries nothing.
    pub(crate) fn write_into_syn(&mut self, data: &[u8], cx: &mut Context<'_>) -> Result<usize, Errno> {
        let (option, room) = match self.permission(cx) {
            Permission::Closed => (None, 0),
            Permission::Request(request) => (Some(request), 0),
            Permission::Data(option) => (option, self.room_in_syn(cx)),
        };
        let taken = room.min(data.len());
        let opening = self.opening_mut();
        opening.deferred = false;
        opening.option = option;
        opening.data = taken > 0;
        self.write.append(&data[..taken]);
        self.write.push();
        self.settle_memory(cx);
        self.stalled_since = cx.now;
        self.want(pending::SYN);
        if taken > 0 { Ok(taken) } else { Err(Errno::EINPROGRESS) }
    }

    fn permission(&mut self, cx: &Context<'_>) -> Permission {
        let setting = cx.sysctl.tcp_fastopen_blackhole_timeout_sec;
        if cx.black_hole.is_closed(setting, cx.now) {
            return Permission::Closed;
        }
        self.opening_mut().trial = cx.black_hole.is_suspected(setting);
        let needs_none = cx.sysctl.tcp_fastopen & enabled::CLIENT_WITHOUT_COOKIE != 0
            || self.options.has_rare(rare_flag::FASTOPEN_NO_COOKIE);
        if needs_none {
            return Permission::Data(None);
        }
        let known = cx.destinations.fast_open(&self.key.remote).cloned().unwrap_or_default();
        if known.cookie.is_empty() {
            self.opening_mut().failure = OpenFailure::NoCookie;
            let kind = kind_of(known.in_vain == 1);
            return Permission::Request(FastOpen { kind, ..FastOpen::default() });
        }
        Permission::Data(Some(FastOpen { cookie: known.cookie, kind: kind_of(known.experimental) }))
    }

    /// Bytes that the SYN may carry: by what the peer once announced, less all the room that options may take.
    fn room_in_syn(&mut self, cx: &Context<'_>) -> usize {
        let announced = cx.destinations.fast_open(&self.key.remote).map_or(0, |known| known.mss);
        let announced = if announced > 0 { announced } else { self.negotiated.advertised_mss };
        self.negotiated.peer_mss = self.options.at_most_asked(announced);
        self.sync_mss(cx);
        let segment = usize::from(self.mss + self.negotiated.option_space());
        segment.saturating_sub(MAX_OPTIONS_LEN)
    }

    /// The writer who has opened the connection waits for the rest of his bytes to be taken, or does not any more.
    pub(crate) fn set_writer_waits(&mut self, waits: bool) {
        self.opening_mut().writer_waits = waits;
    }

    /// True when a writer will go on as soon as the handshake is over.
    pub(crate) fn writer_waits(&self) -> bool {
        self.opening().is_some_and(|opening| opening.writer_waits)
    }

    /// The option of the SYN that leaves now: only the first one has it.
    pub(crate) fn syn_fast_open(&self) -> Option<FastOpen> {
        let first = self.state == State::SynSent && self.snd.nxt == self.snd.iss();
        self.opening().filter(|_| first).and_then(|opening| opening.option.clone())
    }

    /// True while the SYN's data awaits its answer.
    pub(crate) fn has_data_in_syn(&self) -> bool {
        self.state == State::SynSent && self.opening().is_some_and(|opening| opening.data)
    }

    /// The SYN,ACK has come and its acknowledgement is processed: learns from it, and sends again what the peer has
    /// not taken of the data (RFC 7413 4.2.1).
    pub(crate) fn fast_open_answered(&mut self, theirs: &TcpOptions, cx: &mut Context<'_>) {
        let Some(opening) = self.opening().filter(|opening| opening.option.is_some() || opening.data) else {
            return;
        };
        let (data, option) = (opening.data, opening.option.clone());
        let again = self.recovery.total_retrans() > 0;
        let unacked = data && self.snd.una < self.snd.nxt;
        self.learn(option.as_ref(), theirs, unacked && again, cx);
        if unacked {
            self.opening_mut().failure =
                if again { OpenFailure::SynRetransmitted } else { OpenFailure::DataNotAcked };
            cx.count(Counter::TCPFastOpenActiveFail);
            self.resend_all(cx);
        } else if data {
            self.rare_mut().syn_data_acked = true;
            cx.count(Counter::TCPFastOpenActive);
            self.cong.rate.one_segment_less();
        }
    }

    /// Remembers the peer's MSS and cookie, or that it gives none. `data_lost` tells that the SYN with data was lost,
    /// so that an answer without a cookie says nothing of what the peer can do.
    fn learn(
        &mut self,
        asked: Option<&FastOpen>,
        theirs: &TcpOptions,
        data_lost: bool,
        cx: &mut Context<'_>,
    ) {
        let mut known = cx.destinations.fast_open(&self.key.remote).cloned().unwrap_or_default();
        known.mss = theirs.mss.filter(|mss| *mss > 0).unwrap_or(DEFAULT_MSS);
        let granted = theirs.fast_open.as_ref().filter(|_| asked.is_some());
        let again = self.recovery.total_retrans() > 0;
        match (granted, asked) {
            (Some(option), _) if !option.cookie.is_empty() => {
                known.cookie = option.cookie.clone();
                known.experimental = option.kind == FastOpenKind::Experimental;
            }
            (None, Some(request)) if !again && !self.has_data_in_syn() && known.cookie.is_empty() => {
                let tried = if request.kind == FastOpenKind::Experimental { 2 } else { 1 };
                known.in_vain = known.in_vain.max(tried);
            }
            _ => {}
        }
        known.syn_losses = match data_lost && granted.is_none() && asked.is_some() {
            true => known.syn_losses.saturating_add(1),
            false => 0,
        };
        let limit = cx.sysctl.max_metrics as usize;
        cx.destinations.store_fast_open(self.key.remote, known, cx.now, limit);
    }

    /// The data of a SYN was acknowledged with it, in either direction.
    pub(crate) fn syn_data_acked(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.syn_data_acked)
    }

    /// Why Fast Open has not spared a round trip.
    pub(crate) fn fast_open_failure(&self) -> OpenFailure {
        self.opening().map_or(OpenFailure::None, |opening| opening.failure)
    }

    /// A time-out, the `last` one before the connection is given up perhaps: the third in a row of a connection that
    /// has used Fast Open, or an end before it, smells of a black hole.
    pub(super) fn suspect_black_hole(&mut self, last: bool, cx: &mut Context<'_>) {
        let timeouts = self.recovery.retransmits();
        if self.has_used_fast_open() && (timeouts == 2 || timeouts < 2 && last) {
            cx.count(Counter::TCPFastOpenActiveFail);
            self.close_fast_open(cx);
        }
    }

    fn has_used_fast_open(&self) -> bool {
        let asked = self.opening().is_some_and(|opening| opening.option.is_some() || opening.data);
        asked || self.syn_data_acked()
    }

    /// The connection is over. If all that ever came was a FIN behind a hole, something on the path has swallowed the
    /// rest; if data came, the path is good.
    pub(super) fn judge_black_hole(&mut self, cx: &mut Context<'_>) {
        let Some(opening) = self.opening().filter(|opening| opening.option.is_some()) else { return };
        if self.stats.data_segs_in == 0 {
            if self.recv.lacks_all_but_fin() {
                self.close_fast_open(cx);
            }
        } else if opening.trial && self.path.device != LOOPBACK {
            cx.black_hole.forget();
        }
    }

    fn close_fast_open(&self, cx: &mut Context<'_>) {
        if cx.black_hole.swallowed(cx.sysctl.tcp_fastopen_blackhole_timeout_sec, cx.now) {
            cx.count(Counter::TCPFastOpenBlackhole);
        }
    }

    fn opening(&self) -> Option<&Opening> {
        self.rare.as_ref()?.opening.as_deref()
    }

    fn opening_mut(&mut self) -> &mut Opening {
        debug_assert!(self.has(flag::ACTIVE), "Fast Open of a passive connection");
        self.rare_mut().opening.get_or_insert_default()
    }
}

fn kind_of(experimental: bool) -> FastOpenKind {
    if experimental { FastOpenKind::Experimental } else { FastOpenKind::Standard }
}
