//! Rounds that alternate, medians, ratios, a table or JSON.

use anyhow::Result;
use serde::Serialize;

/// One contestant's part of a measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Whose figure it is.
    pub who: String,
    /// The median of all rounds.
    pub median: f64,
    /// The lowest and the highest round.
    pub range: [f64; 2],
    /// Cauce's median divided by this one; above 1 Cauce has the larger figure.
    pub ours_to_this: f64,
}

/// A finished measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was measured.
    pub what: String,
    /// The unit of the figures.
    pub unit: &'static str,
    /// The contestants, Cauce first.
    pub rows: Vec<Row>,
    /// What was left out, and why.
    pub skipped: Vec<String>,
}

/// One contestant: a name and something that measures one round.
pub struct Contestant<'a> {
    /// Whose figure it is.
    pub who: &'static str,
    /// Measures one round.
    pub round: Box<dyn FnMut() -> Result<f64> + 'a>,
}

impl<'a> Contestant<'a> {
    /// A contestant.
    pub fn new(who: &'static str, round: impl FnMut() -> Result<f64> + 'a) -> Self {
        Contestant { who, round: Box::new(round) }
    }
}

/// The middle of some figures; 0 of none.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.get(sorted.len() / 2)) {
        (len, Some(upper)) if len % 2 == 0 => (sorted[len / 2 - 1] + upper) / 2.0,
        (_, middle) => middle.copied().unwrap_or(0.0),
    }
}

/// Lets all contestants take turns for `rounds` rounds; the first is Cauce.
///
/// # Errors
/// The first error of a round.
pub fn compare(
    what: impl Into<String>,
    unit: &'static str,
    rounds: usize,
    mut contestants: Vec<Contestant<'_>>,
) -> Result<Report> {
    let mut figures = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (contestant, figures) in contestants.iter_mut().zip(&mut figures) {
            figures.push((contestant.round)()?);
        }
    }
    let ours = figures.first().map_or(0.0, |figures| median(figures));
    let rows = contestants.iter().zip(&figures).map(|(contestant, figures)| {
        let middle = median(figures);
        Row {
            who: contestant.who.into(),
            median: middle,
            range: [
                figures.iter().copied().fold(f64::INFINITY, f64::min),
                figures.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ],
            ours_to_this: if middle == 0.0 { 0.0 } else { ours / middle },
        }
    });
    Ok(Report { what: what.into(), unit, rows: rows.collect(), skipped: Vec::new() })
}

impl Report {
    /// Says what was left out.
    #[must_use]
    pub fn without(mut self, skipped: impl IntoIterator<Item = String>) -> Self {
        self.skipped.extend(skipped);
        self
    }

    /// Prints to stdout, for people or as one line of JSON.
    ///
    /// # Errors
    /// When the report cannot be written as JSON.
    pub fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!("{} ({})", self.what, self.unit);
        for row in &self.rows {
            println!(
                "  {:<28} {:>12}  [{} .. {}]  ours/this {:.2}",
                row.who,
                figure(row.median),
                figure(row.range[0]),
                figure(row.range[1]),
                row.ours_to_this
            );
        }
        for skipped in &self.skipped {
            println!("  SKIPPED {skipped}");
        }
        Ok(())
    }
}

fn figure(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn contestants_take_turns_and_ratios_refer_to_the_first() {
        let order = std::cell::RefCell::new(String::new());
        let contestant = |who: &'static str, value: f64| {
            let order = &order;
            Contestant::new(who, move || {
                order.borrow_mut().push_str(who);
                Ok(value)
            })
        };
        let report = compare("x", "y", 2, vec![contestant("a", 3.0), contestant("b", 2.0)]).unwrap();
        assert_eq!(*order.borrow(), "abab");
        assert_eq!(report.rows[1].ours_to_this, 1.5);
    }
}
