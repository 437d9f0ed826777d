//! Where our stack answers otherwise than the kernel, on purpose: at most 30, each with its row.

use super::sequence::Op;
use cauce_drill::call::{Address, Answer, Call, Outcome};

/// A step at which the two differ, and what came before it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// All operations so far, this one last, with the kernel's answers.
    pub done: &'a [(&'a Op, &'a Outcome)],
    /// Our answer to the last.
    pub ours: &'a Outcome,
    /// True when the answers are the same and the readiness after them is not.
    pub readiness: bool,
}

/// One of them.
#[derive(Debug)]
pub struct Exception {
    /// The row of REQUIREMENTS.
    pub row: &'static str,
    pub why: &'static str,
    /// Whether a step falls under it.
    pub applies: fn(&Case<'_>) -> bool,
}

/// The connection is lost or dissolved.
const ENDS: fn(&Op) -> bool = |op| match op {
    Op::Call(Call::Connect { address, .. }) => *address == Address::Unspecified,
    other => matches!(other, Op::PeerResets | Op::PeerRefuses),
};
const FIN: fn(&Op) -> bool = |op| *op == Op::PeerCloses;

impl Case<'_> {
    fn op(&self) -> &Op {
        self.done.last().expect("a step").0
    }

    /// The step reads or sets this option.
    fn option(&self, level: i32, name: i32) -> bool {
        match self.op() {
            Op::Call(
                Call::SetSockOpt { level: l, name: n, .. } | Call::GetSockOpt { level: l, name: n, .. },
            ) => (*l, *n) == (level, name),
            _ => false,
        }
    }

    fn reads(&self) -> bool {
        matches!(self.op(), Op::Call(Call::GetSockOpt { .. }))
    }

    /// The step, or one before it, is such an operation.
    fn after(&self, wanted: impl Fn(&Op, &Outcome) -> bool) -> bool {
        self.done.iter().any(|(op, outcome)| wanted(op, outcome))
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
            // What Linux has told is gone for later calls.
            case.after(|op, outcome| matches!(op, Op::Call(call) if no_bytes(call)) && outcome.result != 0)
        },
    },
    Exception {
        row: "A-20",
        why: "without a connection there is nothing to read and nothing queued; Linux counts with numbers that are left \
              of a connection that was, or of a listener",
        applies: |case| {
            matches!(case.op(), Op::Call(Call::Ioctl { .. })) && case.ours.answer == Answer::Int(0)
        },
    },
    Exception {
        row: "O-54",
        why: "the path's MTU is told while there is a connection; Linux forgets it with some options until the next packet, \
              and still knows it of a connection that was",
        applies: |case| {
            let of_path =
                case.option(libc::SOL_IP, libc::IP_MTU) || case.option(libc::SOL_IPV6, libc::IPV6_MTU);
            of_path && case.reads()
        },
    },
    Exception {
        row: "O-25",
        why: "TCP_TX_DELAY is left out",
        applies: |case| case.option(libc::SOL_TCP, 37),
    },
    Exception {
        row: "O-23",
        why: "there is no repair mode: whoever asks for it is refused as without privilege",
        applies: |case| case.option(libc::SOL_TCP, libc::TCP_REPAIR) && case.ours.errno == libc::EPERM,
    },
    Exception {
        row: "P-073",
        why: "an urgent pointer after the FIN is ignored (RFC 9293 3.10.7.4); Linux looks at it",
        applies: |case| {
            case.after(|op, _| FIN(op)) && case.after(|op, _| matches!(op, Op::PeerSendsUrgent(_)))
        },
    },
    Exception {
        row: "A-32",
        why: "shutdown() of a socket without connection fails and does nothing; Linux remembers it all the same",
        applies: |case| {
            case.after(|op, outcome| {
                matches!(op, Op::Call(Call::Shutdown { .. })) && outcome.errno == libc::ENOTCONN
            })
        },
    },
    Exception {
        row: "O-11",
        why: "TCP_QUICKACK reads what the acknowledgements of this moment do, which a connection that has ended has not",
        applies: |case| {
            case.option(libc::SOL_TCP, libc::TCP_QUICKACK) && case.reads() && case.after(|op, _| FIN(op))
        },
    },
    Exception {
        row: "O-09",
        why: "a connection that is gone leaves no segment size behind; Linux reads the last one",
        applies: |case| {
            case.option(libc::SOL_TCP, libc::TCP_MAXSEG) && case.reads() && case.after(|op, _| ENDS(op))
        },
    },
    Exception {
        row: "O-18",
        why: "without a connection nothing is unsent; Linux counts with numbers that are left of one",
        applies: |case| {
            let low =
                |op: &Op| matches!(op, Op::Call(Call::SetSockOpt { level: libc::SOL_TCP, name: 25, .. }));
            case.readiness && case.ours.errno == 0 && case.after(|op, _| low(op))
        },
    },
    Exception {
        row: "A-23",
        why: "what is left of a lost connection is no socket to be bound; Linux lets it",
        applies: |case| {
            let bind = matches!(case.op(), Op::Call(Call::Bind { .. }));
            bind && case.ours.errno == libc::EINVAL
        },
    },
    Exception {
        row: "O-14",
        why: "the window clamp reads as the largest window that can be offered now; Linux reads back a larger one, and \
              that of a connection that is gone",
        applies: |case| case.option(libc::SOL_TCP, libc::TCP_WINDOW_CLAMP) && case.reads(),
    },
    Exception {
        row: "O-40",
        why: "time-outs are kept to the microsecond; Linux rounds up to its tick",
        applies: |case| {
            let time = case.option(libc::SOL_SOCKET, libc::SO_RCVTIMEO)
                || case.option(libc::SOL_SOCKET, libc::SO_SNDTIMEO);
            time && case.reads()
        },
    },
    Exception {
        row: "A-21",
        why: "a FIN is no byte; Linux counts it as long as it is not acknowledged",
        applies: |case| {
            let shut = |op: &Op| matches!(op, Op::Call(Call::Shutdown { .. }));
            matches!(case.op(), Op::Call(Call::Ioctl { .. })) && case.after(|op, _| shut(op))
        },
    },
    Exception {
        row: "O-43",
        why: "what is bound to the loopback reaches nobody else; Linux sends it there all the same",
        applies: |case| {
            let device = |op: &Op| {
                let (level, name) = (libc::SOL_SOCKET, libc::SO_BINDTODEVICE);
                matches!(op, Op::Call(Call::SetSockOpt { level: l, name: n, .. }) if (*l, *n) == (level, name))
            };
            case.ours.errno == libc::ENETUNREACH && case.after(|op, _| device(op))
        },
    },
];

/// True when a difference is meant.
pub fn excused(case: &Case<'_>) -> bool {
    ALL.iter().any(|exception| (exception.applies)(case))
}
