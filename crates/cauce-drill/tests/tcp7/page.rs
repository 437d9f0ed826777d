//! The page itself, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::proofs::Proof;
use super::rows::{Row, Section};

/// How many proofs of a row are named; the rest is counted.
const NAMED: usize = 3;

const HEAD: &str = "\
# tcp(7), row by row

This page is made by `CAUCE_BLESS=1 cargo test -p cauce-drill --test tcp7` from the table of settings, the rows of
options and calls, and the citations in scripts and tests; the tests fail when it is not up to date, when a row has no
test, when an option of the process has no row, and when all scripts of a setting or an option still pass on a stack
that is deaf to it (`cauce drill --deaf-to NAME`). Where no script can show an effect, the row says why, and has a test
in Rust that runs with the value and with the default and demands two outcomes (`heard`).

*Proved by* names scripts below `crates/cauce-drill/`, which fail on a deaf stack, and then tests in Rust. Where several
names share a row's number, only what calls the name counts. *On the kernel*: **same** where at least one of these
scripts also passes against Linux 6.18 in the gate (`cauce drill --against kernel`), otherwise why there is nothing to
compare. *Acts* tells who feels a change: connections made later, the next segment, or everybody at once; a script shows
it, on a stack that goes deaf to the setting with its first connection. A row that is *not yet* is accepted with its type, range and errors, or refused by its name, and has no effect
until it is built.
";

/// The whole page: the rows, the options that are refused, and the proofs by the rows' keys, the most telling first.
pub fn render(rows: &[Row], refused: &[&str], proved: &BTreeMap<String, Vec<&Proof>>) -> String {
    let mut page = HEAD.to_owned();
    let not_yet: Vec<&Row> = rows.iter().filter(|row| row.not_yet.is_some()).collect();
    if !not_yet.is_empty() {
        page.push_str("\n## Not yet\n\n| row | name | what is missing |\n|---|---|---|\n");
        for row in not_yet {
            let missing = row.not_yet.unwrap_or_default();
            let _ = writeln!(page, "| {} | `{}` | {missing} |", row.id, row.name);
        }
    }
    for section in Section::ALL {
        let (title, columns) = section.head();
        let _ = write!(page, "\n## {title}\n\n| row | {columns} | proved by | on the kernel |\n|---|");
        page.push_str(&"---|".repeat(columns.split('|').count() + 2));
        page.push('\n');
        for row in rows.iter().filter(|row| row.section == section) {
            let found = proved.get(&row.key()).map(Vec::as_slice).unwrap_or_default();
            let id = if row.has_number() { row.id.as_str() } else { "-" };
            let cells = [id, &row.columns, &proved_by(row, found), &kernel(row, found)];
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        if section == Section::Options {
            let names: Vec<String> = refused.iter().map(|name| format!("`{name}`")).collect();
            let _ =
                writeln!(page, "\nOptions of Linux that are refused by their names: {}.", names.join(", "));
        }
    }
    page
}

fn proved_by(row: &Row, found: &[&Proof]) -> String {
    if found.is_empty() && row.not_yet.is_some() {
        return "not yet".to_owned();
    }
    let name = |proof: &&Proof| match &proof.function {
        None => format!("`{}`", proof.path.trim_start_matches("crates/cauce-drill/")),
        Some(function) => format!("`{}` `{function}`", proof.path.trim_start_matches("crates/")),
    };
    let mut text = found.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    if found.len() > NAMED {
        let _ = write!(text, " and {} more", found.len() - NAMED);
    }
    if let Some(why) = row.beyond_scripts.or(row.without_effect) {
        let _ = write!(text, " ({why})");
    }
    text
}

fn kernel(row: &Row, found: &[&Proof]) -> String {
    let same = found.iter().any(|proof| proof.is_proved_on_the_kernel());
    match (same, row.kernel) {
        (true, None) => "same".to_owned(),
        (true, Some(differs)) => format!("same, but: {differs}"),
        (false, Some(why)) => why.to_owned(),
        (false, None) => "not compared by a script".to_owned(),
    }
}
