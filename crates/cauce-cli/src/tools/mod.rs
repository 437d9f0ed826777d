//! `cauce ss`, `netstat`, `nstat`, `sysctl`, `netsh`, `tcp-metrics`: the tools of Linux and Windows over a running stack.
//!
//! What they print is made in the stack's process, where the stack is (`cauce_posix::tools`); here the request is
//! made, and what `nstat` has shown is remembered.

mod answer;
mod history;
mod json;

pub use answer::{answer, known};

use crate::control::{self, Request};
use anyhow::Context;
use cauce::sysctl::{Profile, Sysctls};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a tool is told beside its own arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The control socket of the stack; needed only when several run.
    #[arg(long, value_name = "PATH", env = "CAUCE_CONTROL")]
    control: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The arguments of Linux's tool.
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What `sysctl` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cauce sysctl -a                       all settings of the running stack
  cauce sysctl net.ipv4.tcp_fin_timeout
  cauce sysctl -w net.ipv4.tcp_fin_timeout=30
  cauce sysctl -p /etc/sysctl.conf      a file of settings, as sysctl(8) reads it
  cauce sysctl --profile manpage -a     the settings with which a profile starts; needs no stack")]
pub struct SysctlArgs {
    /// Look at the settings with which a profile starts instead of a running stack's.
    #[arg(long, value_name = "PROFILE", conflicts_with = "control")]
    profile: Option<Profile>,
    #[command(flatten)]
    common: Args,
}

/// Sends a tool's arguments to the stack and prints what comes back.
pub fn run(tool: &str, args: &Args) -> anyhow::Result<ExitCode> {
    let socket = control::socket_of(args.control.as_deref())?;
    ask(&socket, tool, args, BTreeMap::new())
}

/// `tcp-metrics show|flush|delete ADDRESS`, as `ip tcp_metrics` has them.
pub fn metrics(args: &Args) -> anyhow::Result<ExitCode> {
    let mut arguments = vec!["tcp_metrics".to_owned()];
    arguments.extend(args.arguments.iter().cloned());
    let socket = control::socket_of(args.control.as_deref())?;
    ask(&socket, "ip", &Args { control: None, json: args.json, arguments }, BTreeMap::new())
}

/// `sysctl`, of a running stack or of a profile.
pub fn sysctl(args: &SysctlArgs) -> anyhow::Result<ExitCode> {
    let files = files(&args.common.arguments)?;
    if let Some(profile) = args.profile {
        let mut settings = Sysctls::with_profile(profile);
        let request = request("sysctl", &args.common, files, None);
        return print(answer::sysctl(&mut settings, &request));
    }
    let all = args.common.arguments.iter().any(|argument| argument == "-a");
    match control::socket_of(args.common.control.as_deref()) {
        Ok(socket) => ask(&socket, "sysctl", &args.common, files),
        Err(_) if all && args.common.control.is_none() => {
            let request = request("sysctl", &args.common, files, None);
            print(answer::sysctl(&mut Sysctls::default(), &request))
        }
        Err(error) => Err(error),
    }
}

/// The files that `-p` names, which the stack does not open itself.
fn files(arguments: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    const USUAL: &str = "/etc/sysctl.conf";
    let loads = |argument: &&String| *argument == "-p" || argument.starts_with("--load");
    if !arguments.iter().any(|argument| loads(&argument)) {
        return Ok(BTreeMap::new());
    }
    let named = arguments.iter().filter_map(|argument| match argument.strip_prefix("--load=") {
        Some(path) => Some(path),
        None => (!argument.starts_with('-')).then_some(argument.as_str()),
    });
    let mut paths: Vec<&str> = named.collect();
    if paths.is_empty() {
        paths.push(USUAL);
    }
    paths
        .into_iter()
        .map(|path| {
            let text = match path {
                "-" => std::io::read_to_string(std::io::stdin()),
                path => std::fs::read_to_string(path),
            };
            Ok((path.to_owned(), text.with_context(|| format!("cannot read {path}"))?))
        })
        .collect()
}

fn request(
    tool: &str,
    args: &Args,
    files: BTreeMap<String, String>,
    history: Option<BTreeMap<String, u64>>,
) -> Request {
    Request {
        version: control::VERSION,
        tool: tool.to_owned(),
        arguments: args.arguments.clone(),
        json: args.json,
        files,
        history,
    }
}

fn ask(socket: &Path, tool: &str, args: &Args, files: BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let remembers = tool == "nstat";
    let history = if remembers { history::load(socket)? } else { None };
    let reply = control::ask(socket, &request(tool, args, files, history))?;
    if let Some(history) = &reply.history {
        history::store(socket, history)?;
    }
    print(reply)
}

fn print(reply: control::Reply) -> anyhow::Result<ExitCode> {
    crate::print(reply.stdout.as_bytes())?;
    eprint!("{}", reply.stderr);
    Ok(ExitCode::from(reply.status))
}
