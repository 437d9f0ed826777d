//! A script as a tree: options, commands, timed events. No meaning is given to names here.

mod packet;

use std::ops::Range;

pub use packet::{
    AccEcnOrder, Direction, Ecn, IcmpFamily, IcmpPacket, IpFields, OptionList, Packet, Payload, TcpOption,
    TcpPacket,
};

/// Where something stands in the text, in bytes.
pub type Span = Range<usize>;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// A whole script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// `--name=value` lines at the top.
    pub options: Vec<OptionLine>,
    /// The command run before the first event.
    pub init: Option<Spanned<String>>,
    /// What happens, in order.
    pub events: Vec<Event>,
    /// The command run at the end, whether the script passed or not.
    pub cleanup: Option<Spanned<String>>,
}

/// One option: `--name` or `--name=value`.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionLine {
    /// The name without its dashes.
    pub name: Spanned<String>,
    /// What stands after `=`.
    pub value: Option<Spanned<String>>,
}

/// One event and its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The whole event, its time included.
    pub span: Span,
    /// When.
    pub time: Time,
    /// What.
    pub action: Action,
    /// The event without its time.
    pub action_span: Span,
}

impl Event {
    /// A command that stands between events without a time of its own.
    pub(crate) fn at_once(command: Spanned<String>) -> Event {
        let (span, action_span) = (command.span.clone(), command.span);
        Event { span, time: Time::Relative(0), action: Action::Command(command.value), action_span }
    }
}

/// When an event happens or is expected. All numbers are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// `1.5`: so long after the script's start.
    Absolute(i64),
    /// `+0.1`: so long after the event before.
    Relative(i64),
    /// `1.5~1.7`: expected between two moments.
    AbsoluteRange(i64, i64),
    /// `+0.1~+0.3`: expected between two moments after the event before.
    RelativeRange(i64, i64),
    /// `*`: expected at any time.
    Any,
    /// `1.5...1.7`: a blocking call with the moments of its start and of its end.
    AbsoluteBlocking(i64, i64),
    /// `+0.1...0.3`: the same, both counted from the event before.
    RelativeBlocking(i64, i64),
}

impl Time {
    /// True for the forms that only an expected packet may have.
    pub fn is_vague(self) -> bool {
        matches!(self, Time::Any | Time::AbsoluteRange(..) | Time::RelativeRange(..))
    }

    /// True for the forms that only a call may have.
    pub fn is_blocking(self) -> bool {
        matches!(self, Time::AbsoluteBlocking(..) | Time::RelativeBlocking(..))
    }
}

/// What an event does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A packet that arrives or is expected.
    Packet(Packet),
    /// A system call and what it must give.
    Call(CallLine),
    /// A command of the shell.
    Command(String),
    /// Python over tcp_info.
    Code(String),
}

/// A system call as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct CallLine {
    /// The name.
    pub name: Spanned<String>,
    /// The arguments.
    pub args: Vec<Spanned<Expr>>,
    /// What must be returned; `?` accepts anything.
    pub result: Spanned<Expr>,
    /// The errno that must be set.
    pub errno: Option<Spanned<String>>,
    /// The comment in parentheses after the errno.
    pub note: Option<String>,
}

/// An argument or a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `...`: whatever fits.
    Ellipsis,
    /// `?`: any result.
    Anything,
    /// A number, decimal or hexadecimal.
    Integer(i64),
    /// A name.
    Symbol(String),
    /// A string, its escapes resolved.
    Text(Vec<u8>),
    /// Several values joined by `|`.
    Or(Vec<Spanned<Expr>>),
    /// `[a, b]`.
    List(Vec<Spanned<Expr>>),
    /// `{a, name=b, name(c)=d}`.
    Struct(Vec<Field>),
    /// `name(a, b)`, such as `htons(80)`.
    Apply(String, Vec<Spanned<Expr>>),
}

/// One member of a structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name, if it is written.
    pub name: Option<Spanned<String>>,
    /// What stands in parentheses after the name: `msg_iov(1)=…`.
    pub argument: Option<Box<Spanned<Expr>>>,
    /// Its value.
    pub value: Spanned<Expr>,
}
