//! Where our stack answers otherwise than the kernel, on purpose: at most 30, each with its row.
//!
//! An exception excuses one step. Where nothing that follows can differ for the same reason, the comparison goes on;
//! otherwise ([`Exception::ends`]) the sequence has told all that it can.

use super::sequence::Op;
use cauce_drill::call::{Address, Answer, Call, Outcome};

/// A step at which the two differ, and what came before it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// All operations so far, this one last, with the kernel's answers.
    pub done: &'a [(&'a Op, &'a Outcome)],
    /// Our answer to the last.
    pub ours: &'a Outcome,
    pub what: What,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Answer,
    /// The answers are the same, what poll() says after them is not.
    Readiness,
    /// So are all answers, but not what has been sent when the last step was done.
    Wire,
}

/// One of them.
#[derive(Debug)]
pub struct Exception {
    /// The row of REQUIREMENTS.
    pub row: &'static str,
    pub why: &'static str,
    /// Whether a step falls under it.
    pub applies: fn(&Case<'_>) -> bool,
    /// Whether the sockets are no longer in the same state after it.
    pub ends: fn(&Case<'_>) -> bool,
}

const NEVER: fn(&Case<'_>) -> bool = |_| false;
const ALWAYS: fn(&Case<'_>) -> bool = |_| true;
const FIN: fn(&Op) -> bool = |op| *op == Op::PeerCloses;

/// What routes depend on.
const ROUTING: [(i32, i32); 7] = [
    (libc::SOL_SOCKET, libc::SO_BINDTODEVICE),
    (libc::SOL_SOCKET, libc::SO_DONTROUTE),
    (libc::SOL_SOCKET, libc::SO_MARK),
    (libc::SOL_IP, libc::IP_TOS),
    (libc::SOL_IP, libc::IP_TRANSPARENT),
    (libc::SOL_IPV6, libc::IPV6_TCLASS),
    (libc::SOL_IPV6, libc::IPV6_UNICAST_HOPS),
];

impl Case<'_> {
    fn op(&self) -> &Op {
        self.done.last().expect("a step").0
    }

    /// The kernel's answer to the last.
    fn theirs(&self) -> &Outcome {
        self.done.last().expect("a step").1
    }

    /// The answers to such an option differ.
    fn option(&self, level: i32, name: i32) -> bool {
        self.what == What::Answer && is_option(self.op(), level, name)
    }

    fn reads(&self) -> bool {
        matches!(self.op(), Op::Call(Call::GetSockOpt { .. }))
    }

    /// The step, or one before it, is such an operation.
    fn after(&self, wanted: impl Fn(&Op, &Outcome) -> bool) -> bool {
        self.done.iter().any(|(op, outcome)| wanted(op, outcome))
    }

    /// Such an operation, and later another.
    fn after_both(
        &self,
        first: impl Fn(&Op, &Outcome) -> bool,
        second: impl Fn(&Op, &Outcome) -> bool,
    ) -> bool {
        let at = self.done.iter().position(|(op, outcome)| first(op, outcome));
        at.is_some_and(|at| self.done[at..].iter().any(|(op, outcome)| second(op, outcome)))
    }
}

/// The operation sets or reads this option.
fn is_option(op: &Op, level: i32, name: i32) -> bool {
    match op {
        Op::Call(Call::SetSockOpt { level: l, name: n, .. } | Call::GetSockOpt { level: l, name: n, .. }) => {
            (*l, *n) == (level, name)
        }
        _ => false,
    }
}

/// All of them.
pub const ALL: &[Exception] = &[
    Exception {
        row: "A-51",
        why: "a read of no bytes returns 0, whatever the state; Linux makes it wait or tells an error",
        applies: |case| {
            let no_bytes = |call: &Call| match call {
                Call::Receive { buffers, .. } => buffers.iter().all(|buffer| buffer.is_empty()),
                _ => false,
            };
            let reads_nothing = matches!(case.op(), Op::Call(call) if no_bytes(call));
            case.what == What::Answer && reads_nothing && case.ours.result == 0 && case.theirs().result == -1
        },
        // An error that Linux has told is gone for later calls.
        ends: |case| ![libc::EAGAIN, libc::ENOTCONN, libc::EINVAL].contains(&case.theirs().errno),
    },
    Exception {
        row: "O-54",
        why: "the path's MTU is told while there is a connection; Linux forgets it with some options until the next packet",
        applies: |case| {
            let of_path =
                case.option(libc::SOL_IP, libc::IP_MTU) || case.option(libc::SOL_IPV6, libc::IPV6_MTU);
            let reroutes = |op: &Op, outcome: &Outcome| {
                let sets = matches!(op, Op::Call(Call::SetSockOpt { .. })) && outcome.errno == 0;
                sets && ROUTING.iter().any(|(level, name)| is_option(op, *level, *name))
            };
            of_path && case.reads() && case.theirs().errno == libc::ENOTCONN && case.after(reroutes)
        },
        ends: NEVER,
    },
    Exception {
        row: "O-25",
        why: "TCP_TX_DELAY is left out",
        applies: |case| case.option(libc::SOL_TCP, 37),
        ends: |case| !case.reads(),
    },
    Exception {
        row: "O-23",
        why: "there is no repair mode: whoever asks for it is refused as without privilege",
        applies: |case| case.option(libc::SOL_TCP, libc::TCP_REPAIR) && case.ours.errno == libc::EPERM,
        ends: ALWAYS,
    },
    Exception {
        row: "P-073",
        why: "an urgent pointer after the FIN is ignored (RFC 9293 3.10.7.4); Linux looks at it",
        applies: |case| {
            let urgent = |op: &Op, _: &Outcome| matches!(op, Op::PeerSendsUrgent(_));
            case.after_both(|op, _| FIN(op), urgent)
        },
        ends: NEVER,
    },
    Exception {
        row: "A-32",
        why: "shutdown() of a socket without connection fails and is forgotten when it connects or listens; Linux \
              remembers it for the connections to come",
        applies: |case| {
            let refused = |op: &Op, outcome: &Outcome| {
                matches!(op, Op::Call(Call::Shutdown { .. })) && outcome.errno == libc::ENOTCONN
            };
            let opens = |op: &Op, outcome: &Outcome| {
                let opens = match op {
                    Op::Call(Call::Connect { .. } | Call::Listen { .. }) => true,
                    Op::Call(Call::Send { address, .. }) => address.is_some(),
                    _ => false,
                };
                opens && [0, libc::EINPROGRESS].contains(&outcome.errno)
            };
            case.after_both(refused, opens)
        },
        ends: ALWAYS,
    },
    Exception {
        row: "O-11",
        why: "the acknowledgement of a FIN that follows on nothing waits for no time, which ends the mode that TCP_QUICKACK \
              reads; Linux's timer comes with its next tick",
        applies: |case| {
            let quick = case.option(libc::SOL_TCP, libc::TCP_QUICKACK) && case.reads();
            let first = |outcome: &Outcome| match &outcome.answer {
                Answer::Bytes(bytes) => bytes.first().copied(),
                _ => None,
            };
            let ahead = (first(case.theirs()), first(case.ours)) == (Some(0), Some(1));
            quick && ahead && case.after(|op, _| FIN(op))
        },
        ends: NEVER,
    },
    Exception {
        row: "O-40",
        why: "time-outs are kept to the microsecond; Linux rounds up to its tick",
        applies: |case| {
            let time = case.option(libc::SOL_SOCKET, libc::SO_RCVTIMEO)
                || case.option(libc::SOL_SOCKET, libc::SO_SNDTIMEO);
            let bytes = |outcome: &Outcome| match &outcome.answer {
                Answer::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
            time && case.reads() && bytes(case.ours) == bytes(case.theirs())
        },
        ends: NEVER,
    },
    Exception {
        row: "O-43",
        why: "what is bound to the loopback reaches nobody else; Linux sends it there all the same",
        applies: |case| {
            let device = |op: &Op, _: &Outcome| is_option(op, libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
            let connects = match case.op() {
                Op::Call(Call::Connect { .. }) => true,
                Op::Call(Call::Send { address, .. }) => address.is_some(),
                _ => false,
            };
            connects && case.ours.errno == libc::ENETUNREACH && case.after(device)
        },
        ends: ALWAYS,
    },
    Exception {
        row: "O-43",
        why: "who is bound to the loopback hears all that comes from there; Linux has the answers of others to an own \
              address come from that address's device",
        applies: |case| {
            let device = |op: &Op, _: &Outcome| is_option(op, libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
            let connect = |op: &Op, outcome: &Outcome| {
                let own = matches!(op, Op::Call(Call::Connect { address: Address::Local, .. }));
                own && outcome.errno == libc::EINPROGRESS
            };
            case.after_both(device, connect)
        },
        ends: ALWAYS,
    },
    Exception {
        row: "O-02",
        why: "what MSG_MORE holds back leaves with the next acknowledgement; on Linux also with text that comes while the socket's \
              share of memory is used up",
        applies: |case| {
            let holds = |op: &Op, _: &Outcome| matches!(op, Op::Call(Call::Send { flags, .. }) if flags & libc::MSG_MORE != 0);
            case.what == What::Wire && case.after(holds)
        },
        ends: ALWAYS,
    },
    Exception {
        row: "O-43",
        why: "a connection without a way sends no reset either; Linux answers what comes by the way it came",
        applies: |case| {
            let restricts = |op: &Op, outcome: &Outcome| {
                let options = [libc::SO_DONTROUTE, libc::SO_BINDTODEVICE];
                outcome.errno == 0 && options.iter().any(|name| is_option(op, libc::SOL_SOCKET, *name))
            };
            case.what == What::Wire && case.after(restricts)
        },
        ends: ALWAYS,
    },
    Exception {
        row: "A-42",
        why: "with IP_RECVERR the errors of an open connection are in the error queue too, as tcp(7) promises; Linux only \
              leaves them pending",
        applies: |case| {
            let asks = |op: &Op, _: &Outcome| {
                is_option(op, libc::SOL_IP, libc::IP_RECVERR)
                    || is_option(op, libc::SOL_IPV6, libc::IPV6_RECVERR)
            };
            case.after(asks) && case.after(|op, _| matches!(op, Op::RouterTells(_)))
        },
        ends: ALWAYS,
    },
];

/// The exception under which a difference is meant.
pub fn excuse(case: &Case<'_>) -> Option<&'static Exception> {
    ALL.iter().find(|exception| (exception.applies)(case))
}
