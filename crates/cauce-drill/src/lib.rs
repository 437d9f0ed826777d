//! The packetdrill language: scripts that say which packets arrive and which system calls are made at which
//! moment, and which packets and results must follow.
//!
//! A script is read by [`parser`], into the tree of [`ast`], checked as a whole ([`Checked::new`]) and played
//! against a [`Target`]; what is wrong is told by a [`Diagnostic`] with file, line, column and caret.
//! [`run_files`] does all of it for files and directories.

pub mod against;
pub mod ast;
pub mod call;
mod diagnostic;
mod expect;
mod expectations;
mod packet;
pub mod parser;
mod run;
mod runner;
mod settings;
mod sys;
mod target;

pub use diagnostic::{Diagnostic, Kind, Source};
pub use expectations::Expectations;
pub use run::{Checked, Figures, Journal, Python, Samples};
pub use runner::{
    Against, Case, Format, Options, Printer, Report, Summary, Verdict, check, list_files, record_file,
    run_files,
};
pub use settings::{FOREIGN, Foreign, IpMode, OWN, Settings, definition};
pub use target::{Captured, Progress, Sample, Target, TargetError};
