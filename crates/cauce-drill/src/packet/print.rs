//! Packets in the language's own spelling, for diagnostics.

use std::fmt;

use cauce_wire::Flags;

use crate::ast::{AccEcnOrder, Direction, TcpOption};

/// A segment to be printed, its numbers in the script's sequence space.
#[derive(Debug, Clone)]
pub(crate) struct Shown<'p> {
    pub direction: Direction,
    pub flags: Flags,
    pub seq: u32,
    pub len: usize,
    pub ack: Option<u32>,
    pub window: Option<u16>,
    pub urgent: Option<u16>,
    /// `None` prints `<...>`.
    pub options: Option<&'p [TcpOption]>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.direction == Direction::In { '<' } else { '>' };
        let end = self.seq.wrapping_add(self.len as u32);
        write!(f, "{arrow} {} {}:{end}({})", self.flags, self.seq, self.len)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        if let Some(urgent) = self.urgent {
            write!(f, " urg {urgent}")?;
        }
        match self.options {
            None => f.write_str(" <...>"),
            Some([]) => Ok(()),
            Some(options) => write!(f, " <{}>", options_text(options)),
        }
    }
}

/// Options separated by commas.
fn options_text(options: &[TcpOption]) -> String {
    options.iter().map(option_text).collect::<Vec<_>>().join(",")
}

/// One option as scripts write it.
pub(crate) fn option_text(option: &TcpOption) -> String {
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let with = |name: &str, bytes: &[u8]| match bytes {
        [] => name.to_owned(),
        bytes => format!("{name} {}", hexadecimal(bytes)),
    };
    match option {
        TcpOption::Nop => "nop".to_owned(),
        TcpOption::Eol => "eol".to_owned(),
        TcpOption::Mss(mss) => format!("mss {mss}"),
        TcpOption::WindowScale(scale) => format!("wscale {scale}"),
        TcpOption::SackPermitted => "sackOK".to_owned(),
        TcpOption::Sack(blocks) => {
            let blocks: Vec<_> = blocks.iter().map(|(left, right)| format!("{left}:{right}")).collect();
            format!("sack {}", blocks.join(" "))
        }
        TcpOption::Timestamps { val, ecr } => format!("TS val {val} ecr {ecr}"),
        TcpOption::FastOpen { experimental, cookie } => {
            with(if *experimental { "FOEXP" } else { "FO" }, cookie)
        }
        TcpOption::Md5(digest) => with("md5", digest.as_ref().map_or(&[], |digest| digest)),
        TcpOption::AccEcn(order, counters) => {
            let names = match order {
                AccEcnOrder::E0First => ["e0b", "ceb", "e1b"],
                AccEcnOrder::E1First => ["e1b", "ceb", "e0b"],
            };
            let counters = names.iter().zip(counters).map(|(name, counter)| format!(" {name} {counter}"));
            format!("ECN{}", counters.collect::<String>())
        }
        TcpOption::AccEcnCe(counter) => format!("ECN ceb {counter}"),
        TcpOption::Other(kind, data) => {
            format!("option {kind} of {} bytes ({})", data.len() + 2, hexadecimal(data))
        }
    }
}
