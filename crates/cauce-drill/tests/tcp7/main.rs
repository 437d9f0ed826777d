//! `docs/tcp7.md`: every row of tcp(7), what ours does, the test that proves it, and what the kernel says to that test.
//!
//! The page is made from the settings' own table, the options' and calls' rows ([`rows`]) and the citations in scripts
//! and tests ([`proofs`]). Nothing is taken on trust: a row without a test fails, an option without a row, and a setting
//! or an option whose scripts all still pass on a stack that is deaf to it
//! ([`Deaf`](cauce_drill::against::deaf::Deaf)). Where no script can show an effect, a test in Rust runs with the value
//! and with the default (`heard`).
//!
//! `CAUCE_BLESS=1 cargo test -p cauce-drill --test tcp7` writes the page anew.

mod calls;
mod options;
mod page;
mod proofs;
mod rows;
mod rulings;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cauce_core::sysctl::Effect;
use cauce_drill::against::deaf::Since;
use cauce_drill::{Against, Options, run_files};
use proofs::{Proof, Proofs};
use rows::{Row, Section};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn all_rows() -> Vec<Row> {
    let settings = settings::rows().into_iter().chain(options::rows());
    settings.chain(calls::rows()).chain(rulings::rows()).collect()
}

/// Of these scripts, those that fail when the stack is deaf to `name`.
fn failing_when_deaf(name: &str, scripts: &[&Proof]) -> BTreeSet<String> {
    let paths = scripts.iter().map(|proof| root().join(&proof.path)).collect();
    failing(name, Since::Start, paths)
}

/// Of the scripts at `paths`, those that fail when the stack is deaf to `name` since then.
fn failing(name: &str, deaf_since: Since, paths: Vec<PathBuf>) -> BTreeSet<String> {
    let name = name.parse().unwrap_or_else(|error| panic!("{error}"));
    let options = Options { deaf_to: Some(name), deaf_since, ..Options::new(paths, Against::Core) };
    let failing = run_files(&options, |_| {}).reports.into_iter().filter(|report| report.result.is_err());
    let below =
        |path: PathBuf| path.strip_prefix(root()).expect("a script of the repository").display().to_string();
    failing.map(|report| below(report.path)).collect()
}

/// What proves a row, the most telling first; or what is wrong with it.
fn examine<'p>(row: &Row, proofs: &'p Proofs, shared: bool) -> Result<Vec<&'p Proof>, String> {
    let all = proofs.of(row, shared);
    if row.not_yet.is_some() {
        return Ok(all);
    }
    if all.is_empty() {
        return Err("no test is about it".to_owned());
    }
    let Some(name) = &row.deaf_to else { return Ok(all) };
    let (scripts, tests): (Vec<_>, Vec<_>) = all.into_iter().partition(|proof| proof.is_script());
    let failing = failing_when_deaf(name, &scripts);
    if row.without_effect.is_some() {
        return match failing.first() {
            Some(script) => Err(format!("it is said to have no effect, and {script} fails without it")),
            None => nothing_to_show(row, &scripts, &tests),
        };
    }
    let is_setting = row.section != Section::Options;
    // A script that only reads what can be set says nothing about its effect.
    let tells = |proof: &&Proof| {
        failing.contains(&proof.path) && (is_setting || !row.is_set || proof.sets(row.short_name()))
    };
    let telling: Vec<_> = scripts.iter().copied().filter(tells).collect();
    let (run_deaf, others): (Vec<_>, Vec<_>) =
        tests.into_iter().partition(|proof| proof.is_run_deaf(row.short_name()) || !row.is_set);
    match row.beyond_scripts {
        Some(_) if !telling.is_empty() => Err(format!("scripts can show it after all: {}", telling[0].path)),
        Some(_) if run_deaf.is_empty() => Err("no test in Rust calls `heard` with its name".to_owned()),
        None if telling.is_empty() => {
            Err(format!("all {} scripts that are about it pass on a stack that ignores it", scripts.len()))
        }
        _ => Ok([telling, run_deaf, others].concat()),
    }
}

/// What uses a setting or an option that has no effect.
fn nothing_to_show<'p>(
    row: &Row,
    scripts: &[&'p Proof],
    tests: &[&'p Proof],
) -> Result<Vec<&'p Proof>, String> {
    let using = scripts.iter().filter(|proof| proof.uses(row.short_name()));
    let found: Vec<_> = using.chain(tests).copied().collect();
    if found.is_empty() { Err("nothing uses it".to_owned()) } else { Ok(found) }
}

#[test]
fn every_row_has_a_test_that_fails_without_it() {
    let rows = all_rows();
    let proofs = Proofs::collect(&root());
    let (mut proved, mut wrong) = (BTreeMap::new(), Vec::new());
    for row in &rows {
        let shared = rows.iter().filter(|other| other.id == row.id).count() > 1;
        match examine(row, &proofs, shared) {
            Ok(found) => drop(proved.insert(row.key(), found)),
            Err(why) => wrong.push(format!("{} ({}): {why}", row.id, row.name)),
        }
    }
    assert!(wrong.is_empty(), "{} rows of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    let path = root().join("docs/tcp7.md");
    let page = page::render(&rows, &options::refused(), &proved);
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

/// O-17: no field of `struct tcp_info` that no script looks at; `tcpi_fackets` is 0 here as on Linux.
#[test]
fn every_field_of_tcp_info_is_looked_at() {
    let proofs = Proofs::collect(&root());
    let fields =
        cauce_drill::against::names().filter(|name| name.starts_with("tcpi_") && name != "tcpi_fackets");
    let unseen: Vec<String> = fields.filter(|name| !proofs.are_using(name)).collect();
    assert!(unseen.is_empty(), "no script looks at {}", unseen.join(", "));
}

#[test]
fn rows_without_a_proof_are_found() {
    let proofs = Proofs::collect(&root());
    let wrong = |row: Row| examine(&row, &proofs, false).expect_err("nothing proves it");
    assert_eq!(
        wrong(Row::statement(Section::Calls, "A-99", "what nobody has tested")),
        "no test is about it"
    );
    let option = |name: &str| {
        let row = options::rows().into_iter().find(|row| row.name == name).expect("a row");
        assert!(examine(&row, &proofs, false).is_ok(), "{name}");
        row
    };
    // What has no effect but is said to have one, what has one but is said to have none, and what needs no excuse.
    let without_excuse = Row { without_effect: None, ..option("SO_BROADCAST") };
    assert!(wrong(without_excuse).ends_with("pass on a stack that ignores it"));
    let denied = Row { without_effect: Some("none"), ..option("TCP_NODELAY") };
    assert!(wrong(denied).starts_with("it is said to have no effect"));
    let excused = Row { beyond_scripts: Some("too hard"), ..option("TCP_NODELAY") };
    assert!(wrong(excused).starts_with("scripts can show it after all"));
    // A test in Rust that was not run deaf is no proof of what scripts cannot show.
    let row = settings::rows().into_iter().find(|row| row.short_name() == "tcp_autocorking").expect("a row");
    let run_once = Row { name: "net.ipv4.tcp_wmem".to_owned(), ..row };
    assert_eq!(wrong(run_once), "no test in Rust calls `heard` with its name");
}

#[test]
fn no_row_stands_twice_and_every_name_has_one() {
    let rows = all_rows();
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert!(seen.insert(row.key()), "{} {} stands twice", row.id, row.name);
    }
    let options = options::known();
    let there = options.iter().filter(|known| known.is_there).map(|known| known.name);
    let names = cauce_core::sysctl::table().iter().map(|entry| entry.name).chain(there);
    let without: Vec<&str> = names.filter(|name| !rows.iter().any(|row| row.name == *name)).collect();
    assert!(without.is_empty(), "without a row: {}", without.join(", "));
    for row in &rows {
        let known = row.section != Section::Options || options.iter().any(|known| known.name == row.name);
        assert!(known || row.is_statement(), "{} is no option of Linux", row.name);
    }
}

/// The column "acts": a setting that acts with the next connection has a telling script which passes although the setting
/// is back at its default as soon as a connection is established; one that acts sooner has one which fails although it
/// has been heard until the first SYN.
#[test]
fn settings_act_when_the_page_says() {
    let proofs = Proofs::collect(&root());
    let mut wrong = Vec::new();
    for row in settings::rows() {
        let beyond =
            row.beyond_scripts.or(row.without_effect).or(settings::moment_beyond_scripts(row.short_name()));
        let (Some(name), None) = (&row.deaf_to, beyond) else { continue };
        let effect = cauce_core::sysctl::find(name).expect("a setting").effect;
        let scripts: Vec<_> = proofs.of(&row, false).into_iter().filter(|proof| proof.is_script()).collect();
        let telling: Vec<_> =
            failing_when_deaf(name, &scripts).iter().map(|path| root().join(path)).collect();
        let (all, since) = match effect {
            Effect::NextConnection => (telling.len(), Since::Established),
            Effect::NextSegment | Effect::AtOnce => (0, Since::Opening),
        };
        let fail = failing(name, since, telling);
        if fail.len() == all {
            wrong.push(format!("{name} ({effect:?}): {fail:?} fail on a stack that goes deaf"));
        }
    }
    assert!(wrong.is_empty(), "{} settings:\n{}", wrong.len(), wrong.join("\n"));
}
