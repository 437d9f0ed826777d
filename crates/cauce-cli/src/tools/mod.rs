//! `cauce ss`, `netstat`, `nstat`, `sysctl`, `netsh`, `tcp-metrics`: the tools of Linux and Windows over a running stack.
//!
//! What they print is made in the stack's process, where the stack is (`cauce_posix::tools`); here the request is
//! made, and what `nstat` has shown is remembered.

mod answer;
mod files;
mod history;
mod json;

pub use answer::{answer, known};

use crate::control::{self, Request};
use anyhow::Context;
use cauce::sysctl::{Profile, Sysctls};
use cauce_posix::tools::sysctl::Command;
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

impl Args {
    /// Takes out of the tool's arguments what is ours: clap leaves everything to the tool from its first word on.
    fn settled(&self) -> anyhow::Result<Args> {
        let mut args = Args { control: self.control.clone(), json: self.json, arguments: Vec::new() };
        let mut rest = self.arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--" => {
                    args.arguments.push(argument.clone());
                    args.arguments.extend(rest.cloned());
                    break;
                }
                "--json" => args.json = true,
                "--control" => {
                    let path = rest.next().context("--control needs the path of a socket")?;
                    args.control = Some(path.into());
                }
                word => match word.strip_prefix("--control=") {
                    Some(path) => args.control = Some(path.into()),
                    None => args.arguments.push(argument.clone()),
                },
            }
        }
        Ok(args)
    }
}

/// Sends a tool's arguments to the stack and prints what comes back.
pub fn run(tool: &str, args: &Args) -> anyhow::Result<ExitCode> {
    let args = args.settled()?;
    let socket = control::socket_of(args.control.as_deref())?;
    let files = if tool == "ss" { files::of_ss(&args.arguments)? } else { BTreeMap::new() };
    ask(&socket, tool, &args, files)
}

/// `tcp-metrics show|flush|delete ADDRESS`, as `ip tcp_metrics` has them.
pub fn metrics(args: &Args) -> anyhow::Result<ExitCode> {
    let Args { control, json, arguments } = args.settled()?;
    let arguments = std::iter::once("tcp_metrics".to_owned()).chain(arguments).collect();
    let socket = control::socket_of(control.as_deref())?;
    ask(&socket, "ip", &Args { control, json, arguments }, BTreeMap::new())
}

/// `sysctl`, of a running stack or of a profile.
pub fn sysctl(args: &SysctlArgs) -> anyhow::Result<ExitCode> {
    let common = args.common.settled()?;
    let words: Vec<&str> = common.arguments.iter().map(String::as_str).collect();
    let command = match Command::parse(&words) {
        Ok(command) => command,
        Err(output) => return print(answer::reply(*output)),
    };
    let files = files::of_sysctl(&command)?;
    let alone = |profile| {
        let request = request("sysctl", &common, files.clone(), None);
        print(answer::sysctl(&mut Sysctls::with_profile(profile), &request))
    };
    if let Some(profile) = args.profile {
        return alone(profile);
    }
    match control::socket_of(common.control.as_deref()) {
        Ok(socket) => ask(&socket, "sysctl", &common, files),
        Err(_) if command.lists_all() && common.control.is_none() => alone(Profile::default()),
        Err(error) => Err(error),
    }
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
