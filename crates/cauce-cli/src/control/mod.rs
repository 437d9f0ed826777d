//! The control socket of a running stack: a Unix socket that only its owner may open, over which the tools
//! (`cauce ss`, `netstat`, `nstat`, `sysctl`, `netsh`, `tcp-metrics`) look at the stack and change its settings.
//!
//! The protocol is one JSON object a line, a [`Request`] and its [`Reply`] in turn, and is described in
//! docs/control.md. Its version is [`VERSION`]; a request of another version is refused and told so. A line of
//! more than [`LONGEST`] bytes ends the conversation.

mod client;
mod path;
mod server;

pub use client::ask;
pub use path::{Place, socket_of, state_directory};
pub use server::Control;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// Most bytes of a line, either way.
pub const LONGEST: u64 = 16 << 20;

/// What a tool asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// `ss`, `netstat`, `nstat`, `sysctl` or `ip`.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The answer as JSON instead of text.
    #[serde(default)]
    pub json: bool,
    /// The contents of files that the arguments name (`sysctl -p FILE`, `ss -F FILE`) or need: the stack opens none.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What `nstat` has shown before: names and values; none for the first time.
    #[serde(default)]
    pub history: Option<BTreeMap<String, u64>>,
}

/// What the stack answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`].
    pub version: u32,
    /// The exit status of the tool.
    pub status: u8,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What `nstat` has shown now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<BTreeMap<String, u64>>,
}

impl Reply {
    /// A failure without output.
    fn failed(status: u8, why: impl std::fmt::Display) -> Reply {
        Reply { version: VERSION, status, stdout: String::new(), stderr: format!("{why}\n"), history: None }
    }
}
