//! The page itself, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::proofs::{Proof, Proofs};
use super::rows::{Row, Section};

/// How many proofs of a row are named; the rest is counted.
const NAMED: usize = 3;

const HEAD: &str = "\
# tcp(7), row by row

This page is made by `CAUCE_BLESS=1 cargo test -p cauce-drill --test tcp7` from the table of settings, the rows of
options and calls, and the citations in scripts and tests; the tests fail when it is not up to date, when a row has no
test, and when all scripts of a setting or an option still pass on a stack that is deaf to it
(`cauce drill --deaf-to NAME`).

*Proved by* names scripts below `crates/cauce-drill/` and tests in Rust; those that fail on a deaf stack come first. *On
the kernel*: **same** where at least one of these scripts also passes against Linux 6.18 in the gate
(`cauce drill --against kernel`), otherwise why there is nothing to compare. A row that is *not yet* is accepted with its
type, range and errors, and has no effect until its algorithm is built.
";

/// The whole page.
pub fn render(rows: &[Row], proofs: &Proofs, effective: &BTreeMap<String, Vec<String>>) -> String {
    let mut page = HEAD.to_owned();
    let not_yet: Vec<&Row> = rows.iter().filter(|row| row.not_yet.is_some()).collect();
    if !not_yet.is_empty() {
        page.push_str("\n## Not yet\n\n| row | name | what is missing |\n|---|---|---|\n");
        for row in not_yet {
            let missing = row.not_yet.unwrap_or_default();
            let _ = writeln!(page, "| {} | `{}` | {missing} |", row.id, row.name);
        }
    }
    for section in [Section::Settings, Section::Companions, Section::Own, Section::Options, Section::Calls] {
        let (title, columns) = section.head();
        let _ = write!(page, "\n## {title}\n\n| row | {columns} | proved by | on the kernel |\n|---|");
        page.push_str(&"---|".repeat(columns.split('|').count() + 2));
        page.push('\n');
        for row in rows.iter().filter(|row| row.section == section) {
            let found = ordered(row, proofs, effective);
            let id = if row.id.contains('_') { "-".to_owned() } else { row.id.clone() };
            let cells = [id, row.columns.clone(), proved(row, &found), kernel(row, &found)];
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
    }
    page
}

/// The proofs of a row, the most telling first.
fn ordered(row: &Row, proofs: &Proofs, effective: &BTreeMap<String, Vec<String>>) -> Vec<Proof> {
    let telling = effective.get(&row.key()).map(Vec::as_slice).unwrap_or_default();
    let mut found = proofs.of(&row.id);
    if row.deaf_to.is_some() {
        // Several rows may share a number: what tells nothing of this one is not its proof.
        found.retain(|proof| !proof.is_script() || telling.contains(&proof.path));
    }
    found
}

fn proved(row: &Row, found: &[Proof]) -> String {
    if found.is_empty() && row.not_yet.is_some() {
        return "not yet".to_owned();
    }
    let name = |proof: &Proof| match &proof.function {
        None => format!("`{}`", proof.path.trim_start_matches("crates/cauce-drill/")),
        Some(function) => format!("`{}` `{function}`", proof.path.trim_start_matches("crates/")),
    };
    let mut text = found.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
    if found.len() > NAMED {
        let _ = write!(text, " and {} more", found.len() - NAMED);
    }
    if let Some(why) = row.beyond_scripts {
        let _ = write!(text, " ({why})");
    }
    text
}

fn kernel(row: &Row, found: &[Proof]) -> String {
    let same = found.iter().any(Proof::is_proved_on_the_kernel);
    match (same, row.kernel) {
        (true, None) => "same".to_owned(),
        (true, Some(differs)) => format!("same, but: {differs}"),
        (false, Some(why)) => why.to_owned(),
        (false, None) => "not compared by a script".to_owned(),
    }
}
