use super::*;
use crate::diagnostic::{Diagnostic, Kind, Source};
use std::path::PathBuf;

fn summary() -> Summary {
    let source = Source::new("dir/b.pkt", "+0 close(3) = 0\n");
    let report = |name: &str, result: Result<(), Diagnostic>| {
        Report::new(PathBuf::from("dir").join(name), result.map_err(Box::new))
    };
    let failed = Diagnostic::new(&source, 3..11, Kind::Failure, "it is <not> \"so\" & \x1b")
        .note("the last packets:\n+.1 < . 1:1(0) ack 1");
    let mut printed = report("a # 1.pkt", Ok(()));
    printed.printed = "  x = 1\n".to_owned();
    let mut known = report("d.pkt", Err(failed.clone()));
    known.known = Some("P-067: not yet".to_owned());
    let mut unlisted = report("e.pkt", Ok(()));
    unlisted.known = Some("P-068: not yet".to_owned());
    let unsupported = Diagnostic::new(&source, 3..8, Kind::Unsupported, "cap_set");
    let reports =
        vec![printed, report("b.pkt", Err(failed)), report("c.pkt", Err(unsupported)), known, unlisted];
    Summary { reports }
}

fn written(format: Format, verbose: bool) -> String {
    let mut printer = Printer::new(Vec::new(), format, verbose);
    let summary = summary();
    printer.begin().unwrap();
    summary.reports.iter().for_each(|report| printer.report(report).unwrap());
    printer.end(&summary).unwrap();
    String::from_utf8(printer.into_inner()).unwrap()
}

#[test]
fn text() {
    insta::assert_snapshot!(written(Format::Text, false));
    assert!(written(Format::Text, true).contains("d.pkt (P-067: not yet) [0.000 s]\n"));
}

#[test]
fn tap() {
    insta::assert_snapshot!(written(Format::Tap, false));
}

#[test]
fn json() {
    insta::assert_snapshot!(written(Format::Json, false));
    let verbose: serde_json::Value = serde_json::from_str(&written(Format::Json, true)).unwrap();
    assert_eq!(verbose["scripts"][0]["seconds"], 0.0);
}

#[test]
fn junit() {
    insta::assert_snapshot!(written(Format::Junit, false));
    assert!(written(Format::Junit, true).contains(" time=\"0.000\""));
}
