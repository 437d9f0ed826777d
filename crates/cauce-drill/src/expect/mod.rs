//! Is what came what the script expects? Packets here, results of calls in [`answer`].

pub(crate) mod answer;
mod merge;
mod packet;

pub(crate) use merge::Merged;
pub(crate) use packet::{Rules, differences};

/// One field that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub field: String,
    pub expected: String,
    pub actual: String,
}

impl Difference {
    pub fn new(field: &str, expected: impl ToString, actual: impl ToString) -> Difference {
        Difference { field: field.to_owned(), expected: expected.to_string(), actual: actual.to_string() }
    }
}

/// The differences as a table.
pub(crate) fn table(differences: &[Difference]) -> String {
    let head = Difference::new("field", "expected", "came");
    let rows: Vec<_> = std::iter::once(&head).chain(differences).collect();
    let width =
        |of: fn(&Difference) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(|row| &row.field), width(|row| &row.expected));
    let lines = rows.iter().map(|row| {
        format!("{:first$}  {:second$}  {}", row.field, row.expected, row.actual).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
