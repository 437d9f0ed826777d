//! A row of the page.

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The settings that tcp(7) lists.
    Settings,
    /// Settings that later kernels have, and those of other layers that TCP reads.
    Companions,
    /// Settings that only we have.
    Own,
    /// Socket options.
    Options,
    /// Calls, ioctls, urgent data, errors.
    Calls,
    /// What holds where the documents contradict each other or Linux.
    Rulings,
}

impl Section {
    /// All of them, in the order of the page.
    pub const ALL: [Section; 6] = [
        Section::Settings,
        Section::Companions,
        Section::Own,
        Section::Options,
        Section::Calls,
        Section::Rulings,
    ];

    /// The title, and the columns between the row's number and its proofs.
    pub fn head(self) -> (&'static str, &'static str) {
        const SETTING: &str = "name | default (manpage) | range | acts | what it does";
        match self {
            Section::Settings => ("The settings of tcp(7)", SETTING),
            Section::Companions => ("Companions of these settings", SETTING),
            Section::Own => ("Settings of Cauce alone", SETTING),
            Section::Options => ("Socket options", "option | what it does"),
            Section::Calls => ("Calls, ioctls, urgent data and errors", "what holds"),
            Section::Rulings => ("Where documents and Linux contradict each other", "what holds"),
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Row {
    pub section: Section,
    /// The number in REQUIREMENTS; the name again where there is none.
    pub id: String,
    /// The name of the setting or the option; the number again for calls and rulings.
    pub name: String,
    /// The cells between number and proofs.
    pub columns: String,
    /// What a stack can be deaf to.
    pub deaf_to: Option<String>,
    /// Whether it can be set at all; what can only be read is silent on a deaf stack.
    pub is_set: bool,
    /// Why no script can show the effect; a test in Rust does, which runs with and without it.
    pub beyond_scripts: Option<&'static str>,
    /// Why there is no effect to show, only that it is accepted and reads back.
    pub without_effect: Option<&'static str>,
    /// Where Linux differs, or why it cannot be asked.
    pub kernel: Option<&'static str>,
    /// What is missing.
    pub not_yet: Option<&'static str>,
}

impl Row {
    /// A row about what holds, which is no setting and no option.
    pub fn statement(section: Section, id: &str, what: &str) -> Row {
        Row {
            section,
            id: id.to_owned(),
            name: id.to_owned(),
            columns: what.to_owned(),
            deaf_to: None,
            is_set: true,
            beyond_scripts: None,
            without_effect: None,
            kernel: None,
            not_yet: None,
        }
    }

    /// Whether `id` is a number of REQUIREMENTS.
    pub fn has_number(&self) -> bool {
        self.id.get(1..2) == Some("-")
    }

    /// Whether the row is about no single name.
    pub fn is_statement(&self) -> bool {
        self.has_number() && self.id == self.name
    }

    /// What tells the row from every other.
    pub fn key(&self) -> String {
        format!("{} {}", self.id, self.name)
    }

    /// The name as scripts, tests and the page have it: without the beginning that most settings share.
    pub fn short_name(&self) -> &str {
        match cauce_core::sysctl::find(&self.name) {
            Some(entry) => entry.short_name(),
            None => &self.name,
        }
    }
}
