//! Runs one input of one target: `cargo run -p cauce-fuzz -- TARGET FILE`, or hexadecimal digits for a file.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names: Vec<&str> = cauce_fuzz::TARGETS.iter().map(|target| target.name).collect();
    let [name, what] = &arguments[..] else {
        eprintln!("usage: reproduce TARGET FILE|HEX\ntargets: {}", names.join(" "));
        return ExitCode::FAILURE;
    };
    let Some(target) = cauce_fuzz::target(name) else {
        eprintln!("no target is called {name}; there are: {}", names.join(" "));
        return ExitCode::FAILURE;
    };
    let input = std::fs::read(what).ok().or_else(|| cauce_fuzz::input::from_hex(what));
    let Some(input) = input else {
        eprintln!("{what} is neither a file that can be read nor hexadecimal digits");
        return ExitCode::FAILURE;
    };
    cauce_fuzz::stack::NARRATE.store(true, std::sync::atomic::Ordering::Relaxed);
    (target.run)(&input);
    println!("{name}: {} bytes ran without a complaint", input.len());
    ExitCode::SUCCESS
}
