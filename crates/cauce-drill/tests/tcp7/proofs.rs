//! What proves a row: scripts and tests in Rust, by the rows that they cite and the names that they use.
//!
//! Several names may share a row's number, as IP_FREEBIND and IP_TRANSPARENT share O-56. A test that cites the number
//! alone says nothing of either, so it is nobody's proof: a proof of a shared row calls its setting or option by name.

use std::collections::BTreeSet;
use std::path::Path;

use cauce_core::sysctl;
use cauce_posix::options::option_number;

use super::rows::Row;

/// One script, or one test function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// From the root of the repository.
    pub path: String,
    /// The function, in a file in Rust.
    pub function: Option<String>,
    /// Rows by their number, and settings and options by their name, in comments.
    cites: BTreeSet<String>,
    /// Settings and options by their name, and members of `struct tcp_info`, in what is executed.
    uses: BTreeSet<String>,
    /// Options that a script sets with success.
    sets: BTreeSet<String>,
    /// Names with which `heard` runs the test a second time, on a stack that is deaf.
    heard: BTreeSet<String>,
}

impl Proof {
    fn new(path: &str, function: Option<&str>) -> Proof {
        Proof {
            path: path.to_owned(),
            function: function.map(str::to_owned),
            cites: BTreeSet::new(),
            uses: BTreeSet::new(),
            sets: BTreeSet::new(),
            heard: BTreeSet::new(),
        }
    }

    /// True for a script.
    pub fn is_script(&self) -> bool {
        self.function.is_none()
    }

    /// True for a script that the gate runs against the kernel, too.
    pub fn is_proved_on_the_kernel(&self) -> bool {
        self.path.starts_with("crates/cauce-drill/scripts/")
    }

    /// True for a test in Rust that fails on a stack which is deaf to `name`, since it demands another outcome there.
    pub fn is_run_deaf(&self, name: &str) -> bool {
        self.heard.contains(name)
    }

    /// True where `name` stands in what is executed, not in comments alone.
    pub fn uses(&self, name: &str) -> bool {
        self.uses.contains(name)
    }

    /// True for a script that sets the option `name`.
    pub fn sets(&self, name: &str) -> bool {
        self.sets.contains(name)
    }

    fn names(&self, name: &str) -> bool {
        self.cites.contains(name) || self.uses.contains(name) || self.heard.contains(name)
    }

    /// Whether it is about `row`, whose number other rows share or not.
    fn is_about(&self, row: &Row, shared: bool) -> bool {
        let name = row.short_name();
        let by_number = self.cites.contains(&row.id);
        match self.is_script() {
            _ if row.is_statement() => by_number,
            // A script uses many settings and options on its way to what it shows: it says which it is about.
            true => self.names(name) && (by_number || self.cites.contains(name)),
            false if row.has_number() => {
                self.cites.contains(name) || by_number && (!shared || self.names(name))
            }
            false => self.names(name),
        }
    }

    /// Adds what a comment cites.
    fn cite(&mut self, text: &str) {
        self.cites.extend(words(text).filter(|word| is_row(word)).map(str::to_owned));
        self.cites.extend(words(text).filter_map(name_in));
    }

    /// Adds what a line of code names.
    fn use_names(&mut self, text: &str) {
        self.uses.extend(words(text).filter_map(name_in));
        self.uses.extend(words(text).filter(|word| word.starts_with("tcpi_")).map(str::to_owned));
    }
}

/// All scripts and tests.
#[derive(Debug, Default)]
pub struct Proofs(Vec<Proof>);

impl Proofs {
    /// Reads all scripts and all tests below `root`.
    pub fn collect(root: &Path) -> Proofs {
        let mut proofs = Proofs::default();
        for scripts in ["crates/cauce-drill/scripts", "crates/cauce-drill/ours"] {
            proofs.search(root, &root.join(scripts), "pkt", read_script);
        }
        proofs.search(root, &root.join("crates"), "rs", read_rust);
        proofs.0.sort();
        proofs
    }

    /// What proves `row`, scripts first.
    pub fn of(&self, row: &Row, shared: bool) -> Vec<&Proof> {
        let mut found: Vec<&Proof> = self.0.iter().filter(|proof| proof.is_about(row, shared)).collect();
        found.sort_by_key(|proof| !proof.is_script());
        found
    }

    /// Whether a script uses `name`, whatever it is about.
    pub fn are_using(&self, name: &str) -> bool {
        self.0.iter().any(|proof| proof.is_script() && proof.uses(name))
    }

    fn search(&mut self, root: &Path, at: &Path, kind: &str, read: fn(&str, &str) -> Vec<Proof>) {
        let Ok(entries) = std::fs::read_dir(at) else { return };
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                self.search(root, &path, kind, read);
            } else if path.extension().is_some_and(|found| found == kind) {
                let name = path.strip_prefix(root).expect("below the root").display().to_string();
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
                self.0.extend(read(&name, &text));
            }
        }
    }
}

/// A script cites rows in its comments.
fn read_script(path: &str, text: &str) -> Vec<Proof> {
    let mut proof = Proof::new(path, None);
    for line in text.lines() {
        match line.trim_start().strip_prefix("//") {
            Some(comment) => proof.cite(comment),
            None => {
                proof.use_names(line);
                if line.contains("setsockopt(") && !line.contains("= -1") {
                    proof.sets.extend(words(line).filter_map(name_in));
                }
            }
        }
    }
    vec![proof]
}

/// A test in Rust cites rows above its head, in its name, or within. The tables of this page are no tests.
fn read_rust(path: &str, text: &str) -> Vec<Proof> {
    let mut proofs: Vec<Proof> = Vec::new();
    if path.contains("tests/tcp7/") {
        return proofs;
    }
    // The comment before the next head, whether that is a test's, and the code of the test that is being read.
    let (mut before, mut is_test, mut code) = (String::new(), false, None::<String>);
    for line in text.lines() {
        let trimmed = line.trim_start();
        is_test |= ["#[test]", "#[tokio::test"].iter().any(|head| trimmed.starts_with(head));
        let comment = trimmed.strip_prefix("//");
        if let Some(name) = function_name(trimmed) {
            read_code(&mut proofs, code.take());
            if is_test {
                let mut proof = Proof::new(path, Some(name));
                proof.cite(&before);
                proof.cites.extend(rows_of_name(name));
                proofs.push(proof);
                code = Some(String::new());
            }
            is_test = false;
            before.clear();
        } else if let (Some(comment), true) =
            (comment, is_test || code.is_none() || trimmed.starts_with("///"))
        {
            before.push_str(comment);
        } else if trimmed.is_empty() {
            before.clear();
        } else if let (Some(proof), Some(code), false) = (proofs.last_mut(), &mut code, is_test) {
            match comment {
                Some(comment) => proof.cite(comment),
                None => {
                    code.push_str(trimmed);
                    code.push('\n');
                }
            }
        }
    }
    read_code(&mut proofs, code);
    proofs
}

/// Adds what the code of the last test names.
fn read_code(proofs: &mut [Proof], code: Option<String>) {
    if let (Some(proof), Some(code)) = (proofs.last_mut(), code) {
        proof.use_names(&code);
        proof.heard.extend(heard_in(&code));
    }
}

/// The names with which a test calls `heard` or `option_heard`.
fn heard_in(code: &str) -> impl Iterator<Item = String> {
    let calls = code.split("heard(").skip(1);
    calls.filter_map(|rest| name_in(rest.trim_start().strip_prefix('"')?.split('"').next()?))
}

/// The name of the function whose head a line is.
fn function_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c));
    words.map(|word| word.trim_matches(['.', '-'])).filter(|word| !word.is_empty())
}

/// The setting or the option that a word names, as [`Row::short_name`] spells it. A member of a structure
/// stands for the option that fills it.
fn name_in(word: &str) -> Option<String> {
    let structures = [("tcpi_", "TCP_INFO"), ("tcpv_", "TCP_CC_INFO"), ("SK_MEMINFO_", "SO_MEMINFO")];
    if let Some((_, option)) = structures.iter().find(|(beginning, _)| word.starts_with(beginning)) {
        return Some((*option).to_owned());
    }
    if word.starts_with(|c: char| c.is_ascii_uppercase()) {
        return option_number(word).map(|_| word.to_owned());
    }
    sysctl::find(word).map(|entry| entry.short_name().to_owned())
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
