//! The tools that scripts call, over the stack under test.

use std::path::Path;

use cauce_posix::tools::{Output, ip, netstat, nstat, ss, sysctl};

use super::Core;

/// The tools that are answered by the stack.
pub(super) const NAMES: [&str; 7] = ["ethtool", "ip", "netstat", "nstat", "ss", "sysctl", "tc"];

/// Runs the tool `words[0]` with its arguments; files that it reads are named from `directory`.
pub(super) fn run(core: &mut Core, words: &[&str], directory: &Path) -> Output {
    let [name, arguments @ ..] = words else { return Output::default() };
    let device =
        core.stack.interfaces().get(core.device).map(|config| config.name.clone()).unwrap_or_default();
    let read = |path: &str| std::fs::read_to_string(directory.join(path));
    match *name {
        "ethtool" => core.commands.offloads.ethtool(&device, arguments),
        "ip" => ip::run(&mut core.stack, core.now, arguments),
        "netstat" => netstat::run(&core.stack, core.now, arguments),
        "nstat" => nstat::run(&core.stack, &mut core.commands.history, arguments),
        "ss" => ss::run(&core.stack, core.now, arguments, &read),
        "sysctl" => sysctl::run(core.stack.sysctl_mut(), arguments, &read),
        "tc" => core.commands.qdisc.tc(&device, arguments),
        other => Output::unsupported(format!("the command `{other}`")),
    }
}
