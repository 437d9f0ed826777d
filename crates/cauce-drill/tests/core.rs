//! Every script of ours against our stack, in virtual time, those included that no kernel can be asked about; what is
//! not yet as the kernel has it stands, with the requirement, in `expectations.toml`.

use std::path::Path;

use cauce_drill::{Against, Expectations, Options, run_files};

fn options() -> Options {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(home.join("expectations.toml")).expect("expectations.toml");
    Options {
        expectations: Expectations::parse(&list).expect("expectations.toml"),
        ..Options::new(vec![home.join("scripts"), home.join("ours")], Against::Core)
    }
}

#[test]
fn scripts_hold_on_our_stack() {
    let options = options();
    let summary = run_files(&options, |report| match (&report.result, &report.known) {
        (Err(diagnostic), None) => println!("{diagnostic}\n"),
        (Ok(()), Some(reason)) => println!("{} passes and is listed: {reason}", report.path.display()),
        _ => {}
    });
    println!("{summary}");
    let unused = options.expectations.unused();
    assert!(unused.is_empty(), "expectations.toml lists what no script is: {unused:?}");
    assert!(summary.failed() == 0 && summary.unsupported() == 0 && summary.passed() > 0, "{summary}");
}

#[test]
fn two_runs_say_the_same() {
    let told = || {
        let summary = run_files(&options(), |_| {});
        let lines = summary.reports.iter().map(|report| match &report.result {
            Ok(()) => report.path.display().to_string(),
            Err(diagnostic) => diagnostic.to_string(),
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(told(), told());
}
