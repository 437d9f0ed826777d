//! `docs/tcp7.md`: every row of tcp(7), what ours does, the test that proves it, and what the kernel says to that test.
//!
//! The page is made from the settings' own table, the options' and calls' rows ([`rows`]) and the citations in scripts
//! and tests ([`proofs`]). Nothing is taken on trust: a row without a test fails, and so does a setting or an option
//! whose scripts all still pass on a stack that is deaf to it ([`Deaf`](cauce_drill::against::deaf::Deaf)).
//!
//! `CAUCE_BLESS=1 cargo test -p cauce-drill --test tcp7` writes the page anew.

mod calls;
mod page;
mod proofs;
mod rows;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cauce_drill::{Against, Options, run_files};
use proofs::{Proof, Proofs};
use rows::Row;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn all_rows() -> Vec<Row> {
    settings::rows().into_iter().chain(rows::options()).chain(calls::rows()).collect()
}

/// Of the scripts that cite a row, those that fail when the stack is deaf to it.
fn failing_when_deaf(row: &Row, scripts: &[&Proof]) -> Vec<String> {
    let name = row.deaf_to.as_deref().unwrap_or_default();
    let name = name.parse().unwrap_or_else(|error| panic!("{}: {error}", row.id));
    let paths = scripts.iter().map(|proof| root().join(&proof.path)).collect();
    let options = Options { deaf_to: Some(name), ..Options::new(paths, Against::Core) };
    let mut failing = Vec::new();
    for report in run_files(&options, |_| {}).reports {
        if report.result.is_err() {
            let path = report.path.strip_prefix(root()).expect("a script of the repository");
            failing.push(path.display().to_string());
        }
    }
    failing
}

/// Row by row: the scripts that prove its effect; and what is wrong.
fn examine(rows: &[Row], proofs: &Proofs) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let mut effective = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| row.not_yet.is_none()) {
        let all = proofs.of(&row.id);
        if all.is_empty() {
            wrong.push(format!("{} ({}): no test cites it", row.id, row.name));
            continue;
        }
        if row.deaf_to.is_none() {
            continue;
        }
        let scripts: Vec<&Proof> = all.iter().filter(|proof| proof.is_script()).collect();
        let failing = failing_when_deaf(row, &scripts);
        if failing.is_empty() && row.beyond_scripts.is_none() {
            wrong.push(format!(
                "{} ({}): all {} scripts that cite it pass on a stack that ignores it",
                row.id,
                row.name,
                scripts.len()
            ));
        }
        effective.insert(row.key(), failing);
    }
    (effective, wrong)
}

#[test]
fn every_row_has_a_test_that_fails_without_it() {
    let rows = all_rows();
    let proofs = Proofs::collect(&root());
    let (effective, wrong) = examine(&rows, &proofs);
    assert!(wrong.is_empty(), "{} rows of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let path = root().join("docs/tcp7.md");
    let page = page::render(&rows, &proofs, &effective);
    if std::env::var_os("CAUCE_BLESS").is_some() {
        std::fs::write(&path, &page).expect("docs/tcp7.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let first = page.lines().zip(written.lines()).find(|(ours, theirs)| ours != theirs);
    assert!(
        page == written,
        "docs/tcp7.md is not what the code says; CAUCE_BLESS=1 writes it anew. First difference: {first:?}"
    );
}

#[test]
fn no_row_stands_twice_and_every_setting_has_one() {
    let rows = all_rows();
    let mut seen = std::collections::BTreeSet::new();
    for row in &rows {
        assert!(seen.insert(row.key()), "{} {} stands twice", row.id, row.name);
    }
    for entry in cauce_core::sysctl::table() {
        assert!(rows.iter().any(|row| row.name == entry.name), "{} has no row", entry.name);
    }
}
