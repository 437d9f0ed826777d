//! Where rows are cited: in the comments of scripts, and in tests in Rust.

use std::collections::BTreeMap;
use std::path::Path;

use cauce_core::sysctl;

/// One script, or one test function, that cites a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// From the root of the repository.
    pub path: String,
    /// The function, in a file in Rust.
    pub function: Option<String>,
}

impl Proof {
    /// True for a script.
    pub fn is_script(&self) -> bool {
        self.function.is_none()
    }

    /// True for a script that the gate runs against the kernel, too.
    pub fn is_proved_on_the_kernel(&self) -> bool {
        self.path.starts_with("crates/cauce-drill/scripts/")
    }
}

/// All citations, by row.
#[derive(Debug, Default)]
pub struct Proofs(BTreeMap<String, Vec<Proof>>);

impl Proofs {
    /// Reads all scripts and all tests below `root`.
    pub fn collect(root: &Path) -> Proofs {
        let mut proofs = Proofs::default();
        for scripts in ["crates/cauce-drill/scripts", "crates/cauce-drill/ours"] {
            proofs.search(root, &root.join(scripts), &mut Proofs::read_script);
        }
        proofs.search(root, &root.join("crates"), &mut Proofs::read_rust);
        for found in proofs.0.values_mut() {
            found.sort();
            found.dedup();
        }
        proofs
    }

    /// What cites `row`, scripts first.
    pub fn of(&self, row: &str) -> Vec<Proof> {
        let mut found = self.0.get(row).cloned().unwrap_or_default();
        found.sort_by_key(|proof| !proof.is_script());
        found
    }

    fn search(&mut self, root: &Path, at: &Path, read: &mut dyn FnMut(&mut Proofs, &str, &str)) {
        let Ok(entries) = std::fs::read_dir(at) else { return };
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("a directory entry").path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                self.search(root, &path, read);
            } else if path.extension().is_some_and(|kind| kind == "pkt" || kind == "rs") {
                let name = path.strip_prefix(root).expect("below the root").display().to_string();
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
                read(self, &name, &text);
            }
        }
    }

    fn cite(&mut self, row: &str, path: &str, function: Option<&str>) {
        let proof = Proof { path: path.to_owned(), function: function.map(str::to_owned) };
        self.0.entry(row.to_owned()).or_default().push(proof);
    }

    /// A script cites rows in its comments.
    fn read_script(&mut self, path: &str, text: &str) {
        if !path.ends_with(".pkt") {
            return;
        }
        let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("//"));
        for row in comments.flat_map(rows_in) {
            self.cite(&row, path, None);
        }
    }

    /// A test in Rust cites rows above its head, or within. The tables of this page are no tests.
    fn read_rust(&mut self, path: &str, text: &str) {
        if !path.ends_with(".rs") || path.contains("tests/tcp7/") {
            return;
        }
        // Rows that stand before the next head, whether it is a test's, and the test that is being read.
        let (mut before, mut is_test, mut current) = (Vec::new(), false, None::<&str>);
        for line in text.lines() {
            let trimmed = line.trim_start();
            is_test |= ["#[test]", "#[tokio::test"].iter().any(|head| trimmed.starts_with(head));
            if let Some(name) = function_name(trimmed) {
                current = is_test.then_some(name);
                is_test = false;
                let rows = std::mem::take(&mut before);
                let rows = rows.into_iter().chain(rows_in(trimmed)).chain(rows_of_name(name));
                rows.for_each(|row| current.iter().for_each(|name| self.cite(&row, path, Some(name))));
                continue;
            }
            if trimmed.is_empty() {
                before.clear();
            }
            let rows = rows_in(trimmed);
            if trimmed.starts_with("///") || trimmed.starts_with("// ") {
                before.extend(rows.iter().cloned());
            }
            // A comment between two tests belongs to the second.
            let within = !trimmed.starts_with("///") && !is_test;
            if let (true, Some(name)) = (within, current) {
                rows.iter().for_each(|row| self.cite(row, path, Some(name)));
            }
        }
    }
}

/// The name of the function whose head a line is.
fn function_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// Rows such as `S-14`, and settings by their names, in a text.
fn rows_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    let words = words.map(|word| word.trim_matches(['.', '-']));
    let known = |word: &&str| is_row(word) || sysctl::table().iter().any(|entry| entry.short_name() == *word);
    words.filter(known).map(str::to_owned).collect()
}

/// Rows that begin a test's name, as in `g03_the_bounds_are_taken`.
fn rows_of_name(name: &str) -> Vec<String> {
    let row = |word: &str| {
        let (kind, number) = word.split_at_checked(1)?;
        let row = format!("{}-{number}", kind.to_ascii_uppercase());
        is_row(&row).then_some(row)
    };
    name.split('_').map_while(row).collect()
}

fn is_row(word: &str) -> bool {
    let Some((kind, number)) = word.split_once('-') else { return false };
    kind.len() == 1
        && "GSOAPQNX".contains(kind)
        && (2..=3).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
