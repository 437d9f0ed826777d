//! The tools' side of the control socket.

use super::{LONGEST, Reply, Request};
use anyhow::{Context, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a stack may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the stack behind the socket at `path`.
pub fn ask(path: &Path, request: &Request) -> anyhow::Result<Reply> {
    let mut stream =
        UnixStream::connect(path).with_context(|| format!("cannot reach a stack at {}", path.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).context("the stack does not listen")?;
    let mut answer = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut answer).context("the stack does not answer")?;
    if answer.is_empty() {
        bail!("the stack has ended the conversation");
    }
    serde_json::from_str(&answer).context("the stack's answer is none of this protocol")
}
