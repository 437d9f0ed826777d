//! What remains of a connection: the record of its TIME-WAIT, and nothing else.

use super::state::{Event, State};
use super::stats::Waiting;
use super::{Connection, flag, pending};
use crate::context::Context;
use crate::stack::time_wait::{NewTimeWait, Substate, TsRecent};
use crate::time::Instant;
use cauce_wire::Seq;

impl Connection {
    /// What TIME-WAIT, or an orphan's FIN-WAIT-2, must remember.
    pub(crate) fn time_wait_record(&self, substate: Substate, cx: &Context<'_>) -> NewTimeWait {
        NewTimeWait {
            key: self.key,
            substate,
            snd_nxt: Seq::at(self.snd.nxt),
            rcv_nxt: Seq::at(self.recv.nxt()),
            rcv_wnd: self.recv.window(),
            rcv_wscale: self.negotiated.rcv_scale,
            timestamps: self.negotiated.timestamps,
            ts_recent: self.ts.taken().map(|(value, at)| TsRecent { value, at }),
            rto: self.recovery.rto().as_duration(),
            ts_offset: self.ts.offset,
            tos: self.options.traffic_class(self.key.is_v4()),
            ttl: self.options.hop_limit(self.key.is_v4(), cx.sysctl),
            flow_label: self.flow_label(cx.sysctl),
            device: self.path.device,
            binding: self.hold.binding(self.key.local),
        }
    }

    /// The record has taken over: for the user the stream is over in both directions, without an error.
    pub(crate) fn end_in_time_wait(&mut self, cx: &mut Context<'_>) {
        if self.state == State::TimeWait {
            self.transition(Event::TimeOut, cx);
        }
        self.state = State::Closed;
        self.set(flag::RCV_SHUTDOWN | flag::SND_SHUTDOWN);
        self.stats.wait(Waiting::Idle, cx.now);
        self.write.clear();
        self.recovery.clear();
        self.timers.stop_all();
        self.settle_memory(cx);
        self.end_notices(cx);
        self.pending &= pending::EVENT;
    }

    /// An orphan in FIN-WAIT-2 with nothing left to do but wait: a record is enough.
    pub(crate) fn is_waiting_orphan(&self) -> bool {
        self.state == State::FinWait2
            && self.has(flag::ORPHAN)
            && self.timers.keepalive != Instant::NEVER
            && self.pending & !pending::EVENT == 0
            && !self.recv.ack_due()
            && !self.recv.has_gap()
    }

    /// When such an orphan is given up.
    pub(crate) fn orphan_until(&self) -> Instant {
        self.timers.keepalive
    }

    /// Gives back everything that is charged to the stack.
    pub(crate) fn release(&mut self, cx: &mut Context<'_>) {
        self.judge_black_hole(cx);
        self.write.clear();
        self.settle_memory(cx);
        self.recv.clear(cx);
    }
}
