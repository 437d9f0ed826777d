//! The stack's side of the control socket.

use super::{LONGEST, Reply, Request, VERSION};
use crate::tools::{answer, known};
use anyhow::{Context, bail};
use cauce::Netstack;
use rustix::fs::Mode;
use rustix::process::umask;
use std::io;
use std::os::unix::net::UnixStream as Plain;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Conversations at a time; more wait.
const AT_ONCE: usize = 16;

/// A control socket that answers as long as it lives; its path goes with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds the socket at `path`, which only this user may open (mode 0600). One that nobody answers any more is
    /// replaced.
    ///
    /// # Errors
    /// Somebody answers there already, or the directory forbids it.
    pub fn bind(path: &Path) -> anyhow::Result<Control> {
        if Plain::connect(path).is_ok() {
            bail!("another stack answers at {}", path.display());
        }
        let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| {
            use std::os::unix::fs::FileTypeExt;
            found.file_type().is_socket()
        });
        if is_socket {
            std::fs::remove_file(path).with_context(|| format!("cannot replace {}", path.display()))?;
        }
        // From its first moment the socket is nobody else's.
        let before = umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        let listener = bound.with_context(|| format!("cannot make the control socket {}", path.display()))?;
        Ok(Control { listener, path: path.to_owned() })
    }

    /// Answers until the socket fails.
    pub async fn serve(self, stack: Netstack) -> io::Error {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return io::ErrorKind::BrokenPipe.into();
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let stack = stack.clone();
                    tokio::spawn(async move {
                        // Whoever asked is gone: nobody is left to be told.
                        let _ = converse(stream, &stack).await;
                        drop(place);
                    });
                }
                Err(error) => return error,
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Requests and replies in turn, until the other side has no more.
async fn converse(mut stream: UnixStream, stack: &Netstack) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LONGEST).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        let reply = if whole || (read as u64) < LONGEST {
            reply_to(&line, stack)
        } else {
            Reply::failed(2, format_args!("a request may have {LONGEST} bytes"))
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        writer.write_all(&text).await?;
        if !whole {
            return Ok(());
        }
    }
}

fn reply_to(line: &[u8], stack: &Netstack) -> Reply {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return Reply::failed(2, format_args!("this is no request: {error}")),
    };
    if request.version != VERSION {
        let version = request.version;
        return Reply::failed(
            2,
            format_args!("this stack speaks version {VERSION} of the protocol, not {version}"),
        );
    }
    if !known(&request.tool) {
        return Reply::failed(2, format_args!("there is no tool `{}` here", request.tool));
    }
    stack.with_stack(|stack, now| answer(stack, now, &request))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Reply {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let (stack, _peer) = cauce::pair();
        reply_to(line.as_bytes(), &stack)
    }

    #[test]
    fn bad_requests_are_told_what_is_wrong() {
        for (line, words) in [
            ("", "this is no request"),
            ("{}", "missing field `version`"),
            (r#"{"version":2,"tool":"ss"}"#, "speaks version 1"),
            (r#"{"version":1,"tool":"rm"}"#, "no tool `rm`"),
            (r#"{"version":1,"tool":"ss","color":true}"#, "unknown field `color`"),
        ] {
            let reply = asked(line);
            assert!(reply.status == 2 && reply.stderr.contains(words), "{line}: {reply:?}");
        }
    }

    #[test]
    fn tools_answer() {
        let reply = asked(r#"{"version":1,"tool":"sysctl","arguments":["-n","net.ipv4.tcp_sack"]}"#);
        assert_eq!((reply.status, reply.stdout.as_str()), (0, "1\n"));
        let reply = asked(r#"{"version":1,"tool":"ss","arguments":["-tan"],"json":true}"#);
        assert_eq!((reply.status, reply.stdout.as_str()), (0, "[]\n"));
    }

    /// Every tool has JSON, and flags that text does not know are errors of JSON too.
    #[test]
    fn every_tool_has_json() {
        let ask = |tool: &str, arguments: &[&str]| {
            let request =
                serde_json::json!({"version": 1, "tool": tool, "arguments": arguments, "json": true});
            asked(&request.to_string())
        };
        for (tool, arguments, stdout) in [
            ("netstat", &["-nat"][..], "[]\n"),
            ("nstat", &["-az", "TcpActiveOpens"], "{\"kernel\":{\"TcpActiveOpens\":0}}\n"),
            ("sysctl", &["-w", "net.ipv4.tcp_sack=0"], "{\"net.ipv4.tcp_sack\":\"0\"}\n"),
            ("sysctl", &["-n", "net.ipv4.tcp_sack"], "[\"1\"]\n"),
            ("ip", &["tcp_metrics", "show"], "[]\n"),
            ("ip", &["tcp_metrics", "flush"], ""),
            (
                "netsh",
                &["interface", "tcp", "set", "global", "congestionprovider=none"],
                "{\"autotuninglevel\":\"normal\",\"congestionprovider\":\"none\"}\n",
            ),
        ] {
            let reply = ask(tool, arguments);
            assert_eq!(
                (reply.status, reply.stdout.as_str()),
                (0, stdout),
                "{tool} {arguments:?} {}",
                reply.stderr
            );
        }
        let sums = ask("ss", &["-s"]).stdout;
        assert!(sums.contains("\"timewait\":0"), "{sums}");
        for (tool, arguments) in [
            ("ss", &["-Q"][..]),
            ("ss", &["state", "bogus"]),
            ("netstat", &["-Q"]),
            ("nstat", &["-Q"]),
            ("sysctl", &["-z"]),
            ("sysctl", &["net.ipv4.nosuch"]),
            ("ip", &["tcp_metrics", "show", "nowhere"]),
            ("ip", &["route"]),
            ("netsh", &["interface", "tcp", "set", "global", "rss=enabled"]),
        ] {
            let reply = ask(tool, arguments);
            assert!(reply.status != 0 && !reply.stderr.is_empty(), "{tool} {arguments:?} {reply:?}");
        }
    }
}
