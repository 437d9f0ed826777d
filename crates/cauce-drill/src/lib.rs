//! The packetdrill language: scripts that say which packets arrive and which system calls are made at which
//! moment, and which packets and results must follow.
//!
//! A script is read by [`parser`], into the tree of [`ast`]; what is wrong with it is told by a [`Diagnostic`]
//! with file, line, column and caret.

pub mod ast;
mod diagnostic;
pub mod parser;

pub use diagnostic::{Diagnostic, Kind, Source};
