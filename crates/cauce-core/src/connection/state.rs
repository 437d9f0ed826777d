//! The connection states and the table of their transitions (RFC 9293 3.3.2, figure 5; P-001 to P-037).
//!
//! The table is the only place that knows which state follows which event. What else an event causes
//! (segments, timers, errors) is the business of the room that reports it.

/// The states of RFC 9293, with the numbers that Linux shows in `tcpi_state` and `/proc/net/tcp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Data flows both ways.
    Established = 1,
    /// A SYN has been sent.
    SynSent = 2,
    /// SYNs have been exchanged, the acknowledgement of ours is missing.
    SynReceived = 3,
    /// Our FIN is on its way.
    FinWait1 = 4,
    /// Our FIN is acknowledged, the peer's direction is open.
    FinWait2 = 5,
    /// Both ends are closed; old segments are kept from doing harm.
    TimeWait = 6,
    /// No connection.
    #[default]
    Closed = 7,
    /// The peer has closed, we have not.
    CloseWait = 8,
    /// The peer has closed and our FIN is on its way.
    LastAck = 9,
    /// Waiting for SYNs.
    Listen = 10,
    /// Both FINs crossed; ours is not acknowledged yet.
    Closing = 11,
}

/// What can move a connection from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The user opened passively.
    PassiveOpen,
    /// The user opened actively, or promoted a listener by sending (P-004).
    ActiveOpen,
    /// A SYN without an acknowledgement of ours arrived.
    Syn,
    /// A SYN with an acceptable acknowledgement of ours arrived.
    SynAck,
    /// Our SYN was acknowledged.
    AckOfSyn,
    /// The user closed his sending direction.
    Close,
    /// The peer's FIN was reached in sequence.
    Fin,
    /// Our FIN was acknowledged.
    AckOfFin,
    /// The 2MSL or FIN-WAIT-2 time-out went off.
    TimeOut,
    /// A valid reset arrived, or the connection was aborted or given up.
    Reset,
}

impl Event {
    /// The event in a few words, for traces.
    pub const fn name(self) -> &'static str {
        match self {
            Event::PassiveOpen => "passive open",
            Event::ActiveOpen => "active open",
            Event::Syn => "SYN received",
            Event::SynAck => "SYN,ACK received",
            Event::AckOfSyn => "SYN acknowledged",
            Event::Close => "close",
            Event::Fin => "FIN received",
            Event::AckOfFin => "FIN acknowledged",
            Event::TimeOut => "time-out",
            Event::Reset => "reset or abort",
        }
    }
}

impl State {
    /// All states, in the order of their numbers.
    pub const ALL: [State; 11] = [
        State::Established,
        State::SynSent,
        State::SynReceived,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
        State::Closed,
        State::CloseWait,
        State::LastAck,
        State::Listen,
        State::Closing,
    ];

    /// The state that follows `event`, or `None` where the event has no meaning and changes nothing.
    ///
    /// ```
    /// use cauce_core::connection::state::{Event, State};
    /// assert_eq!(State::Established.after(Event::Fin), Some(State::CloseWait));
    /// assert_eq!(State::Listen.after(Event::Fin), None);
    /// ```
    pub const fn after(self, event: Event) -> Option<State> {
        use State::*;
        Some(match (self, event) {
            (Closed, Event::PassiveOpen) => Listen,
            (Closed | Listen, Event::ActiveOpen) => SynSent,
            (Listen | SynSent, Event::Syn) => SynReceived,
            (SynSent, Event::SynAck) => Established,
            (SynReceived, Event::AckOfSyn) => Established,
            (Listen | SynSent, Event::Close) => Closed,
            (SynReceived | Established, Event::Close) => FinWait1,
            (CloseWait, Event::Close) => LastAck,
            (SynReceived | Established, Event::Fin) => CloseWait,
            (FinWait1, Event::Fin) => Closing,
            (FinWait2, Event::Fin) => TimeWait,
            (FinWait1, Event::AckOfFin) => FinWait2,
            (Closing, Event::AckOfFin) => TimeWait,
            (LastAck, Event::AckOfFin) => Closed,
            (TimeWait | FinWait2, Event::TimeOut) => Closed,
            (Closed | Listen, Event::Reset) => return None,
            (_, Event::Reset) => Closed,
            _ => return None,
        })
    }

    /// Both SYNs have been exchanged and acknowledged (RFC 9293's "synchronized").
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, State::Closed | State::Listen | State::SynSent | State::SynReceived)
    }

    /// The user may still hand over data, or data waits for the handshake.
    pub const fn can_send(self) -> bool {
        matches!(self, State::Established | State::CloseWait)
    }

    /// Segments may still carry new text to us.
    pub const fn can_receive_text(self) -> bool {
        matches!(self, State::Established | State::FinWait1 | State::FinWait2 | State::SynReceived)
    }

    /// Our FIN has been queued or sent.
    pub const fn has_closed_sending(self) -> bool {
        matches!(self, State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck | State::TimeWait)
    }

    /// The name that netstat prints (Q-32).
    pub const fn name(self) -> &'static str {
        match self {
            State::Established => "ESTABLISHED",
            State::SynSent => "SYN_SENT",
            State::SynReceived => "SYN_RECV",
            State::FinWait1 => "FIN_WAIT1",
            State::FinWait2 => "FIN_WAIT2",
            State::TimeWait => "TIME_WAIT",
            State::Closed => "CLOSE",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::Listen => "LISTEN",
            State::Closing => "CLOSING",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 10] = [
        Event::PassiveOpen,
        Event::ActiveOpen,
        Event::Syn,
        Event::SynAck,
        Event::AckOfSyn,
        Event::Close,
        Event::Fin,
        Event::AckOfFin,
        Event::TimeOut,
        Event::Reset,
    ];

    /// P-001 to P-037: every state against every event. Rows follow `State::ALL`, columns `EVENTS`;
    /// a dash means that the event changes nothing.
    #[test]
    fn transitions_are_those_of_the_diagram() {
        let table = "
            ESTABLISHED | - - - - - FIN_WAIT1 CLOSE_WAIT - - CLOSE
            SYN_SENT    | - - SYN_RECV ESTABLISHED - CLOSE - - - CLOSE
            SYN_RECV    | - - - - ESTABLISHED FIN_WAIT1 CLOSE_WAIT - - CLOSE
            FIN_WAIT1   | - - - - - - CLOSING FIN_WAIT2 - CLOSE
            FIN_WAIT2   | - - - - - - TIME_WAIT - CLOSE CLOSE
            TIME_WAIT   | - - - - - - - - CLOSE CLOSE
            CLOSE       | LISTEN SYN_SENT - - - - - - - -
            CLOSE_WAIT  | - - - - - LAST_ACK - - - CLOSE
            LAST_ACK    | - - - - - - - CLOSE - CLOSE
            LISTEN      | - SYN_SENT SYN_RECV - - CLOSE - - - -
            CLOSING     | - - - - - - - TIME_WAIT - CLOSE";
        let rows: std::vec::Vec<&str> = table.lines().filter(|line| line.contains('|')).collect();
        assert_eq!(rows.len(), State::ALL.len());
        for (state, row) in State::ALL.into_iter().zip(rows) {
            let (name, cells) = row.split_once('|').unwrap();
            assert_eq!(name.trim(), state.name());
            let cells: std::vec::Vec<&str> = cells.split_whitespace().collect();
            assert_eq!(cells.len(), EVENTS.len(), "{name}");
            for (event, cell) in EVENTS.into_iter().zip(cells) {
                let expected = if cell == "-" { None } else { Some(cell) };
                assert_eq!(state.after(event).map(State::name), expected, "{name} {event:?}");
            }
        }
    }
}
