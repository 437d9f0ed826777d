//! A request as the tools of `cauce-posix` take it. This runs where the stack is.

use super::json;
use crate::control::{Reply, Request, VERSION};
use cauce::Instant;
use cauce::sysctl::Sysctls;
use cauce_core::stack::Stack;
use cauce_posix::tools::{self, Output, nstat};

/// True for a tool that [`answer`] has.
pub fn known(tool: &str) -> bool {
    ["ss", "netstat", "nstat", "sysctl", "netsh", "ip"].contains(&tool)
}

/// Runs a tool over the stack.
pub fn answer(stack: &mut Stack, now: Instant, request: &Request) -> Reply {
    let arguments: Vec<&str> = request.arguments.iter().map(String::as_str).collect();
    let output = match request.tool.as_str() {
        "ss" if request.json => json::ss(stack, now, &arguments, &request.files),
        "ss" => tools::ss::run(stack, now, &arguments, &request.files),
        "netstat" if request.json => json::netstat(stack, now, &arguments),
        "netstat" => tools::netstat::run(stack, now, &arguments),
        "nstat" => return nstat(stack, request, arguments),
        "sysctl" => return sysctl(stack.sysctl_mut(), request),
        "netsh" if request.json => json::netsh(stack.sysctl_mut(), &arguments),
        "netsh" => tools::netsh::run(stack.sysctl_mut(), &arguments),
        "ip" if request.json => json::ip(stack, now, &arguments),
        "ip" => tools::ip::run(stack, now, &arguments),
        other => Output::unsupported(other),
    };
    reply(output)
}

/// What a tool printed, as an answer.
pub fn reply(output: Output) -> Reply {
    let Output { status, stdout, stderr, .. } = output;
    Reply { version: VERSION, status, stdout, stderr, history: None }
}

fn nstat(stack: &Stack, request: &Request, mut arguments: Vec<&str>) -> Reply {
    if request.json {
        arguments.insert(0, "-j");
    }
    let mut history = nstat::History::of(request.history.clone());
    let output = nstat::run(stack, &mut history, &arguments);
    Reply { history: history.shown().cloned(), ..reply(output) }
}

/// `sysctl` over a table of settings.
pub fn sysctl(settings: &mut Sysctls, request: &Request) -> Reply {
    let arguments: Vec<&str> = request.arguments.iter().map(String::as_str).collect();
    let done = match tools::sysctl::Command::parse(&arguments) {
        Ok(command) => command.run(settings, &request.files),
        Err(output) => return reply(*output),
    };
    reply(if request.json { json::settings(done) } else { done.text() })
}
