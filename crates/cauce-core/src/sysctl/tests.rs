//! The table's own consistency, and the text rules G-01 to G-05.

use super::*;
use std::collections::HashSet;

#[test]
fn every_name_is_unique_and_documented() {
    let mut seen = HashSet::new();
    for entry in table() {
        assert!(seen.insert(entry.name), "{}", entry.name);
        assert!(seen.insert(entry.short_name()) || entry.short_name() == entry.name, "{}", entry.name);
        assert!(entry.doc.ends_with('.'), "{}", entry.name);
        assert!(entry.min <= entry.max, "{}", entry.name);
    }
}
