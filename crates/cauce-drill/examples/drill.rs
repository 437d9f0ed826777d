//! Runs scripts against the host's kernel, or with `--core` against our stack:
//! `cargo run --example drill -- [--core] [--record] [--jobs] [--OPTION=VALUE] FILES|DIRS…`.

use cauce_drill::{Against, Options, record_file, run_files};

fn main() -> std::process::ExitCode {
    let mut options = Options::new(Vec::new(), Against::Kernel);
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix("--") {
            Some("core") => options.against = Against::Core,
            Some("record") => {}
            Some("jobs") => options.jobs = 4,
            Some(option) => {
                let (name, value) = match option.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (option, None),
                };
                options.overrides.push((name.to_owned(), value));
            }
            None => options.paths.push(argument.into()),
        }
    }
    if std::env::args().any(|argument| argument == "--record") {
        for path in &options.paths {
            match record_file(path, &options) {
                Ok(text) => print!("{text}"),
                Err(diagnostic) => println!("{diagnostic}"),
            }
        }
        return std::process::ExitCode::SUCCESS;
    }
    let summary = run_files(&options, |report| {
        println!("{:11} {}", report.verdict(), report.path.display());
        if let (Err(diagnostic), None) = (&report.result, &report.known) {
            println!("{diagnostic}\n");
        }
    });
    println!("{summary}");
    if summary.failed() == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
