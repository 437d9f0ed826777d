//! When an event is due, and how far from it is still right.

use crate::ast::Time;
use crate::settings::Settings;

/// The moments between which an event must happen; equal when it is one moment. Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub from: i64,
    pub to: i64,
    /// Any moment will do.
    pub any: bool,
    /// When a blocking call must return.
    pub end: Option<i64>,
}

impl Due {
    /// The moments of `time`, counted from `base` when it is relative.
    pub fn of(time: Time, base: i64) -> Due {
        let one = |at: i64| Due { from: at, to: at, any: false, end: None };
        let add = |offset: i64| base.saturating_add(offset);
        match time {
            Time::Absolute(at) => one(at),
            Time::Relative(offset) => one(add(offset)),
            Time::AbsoluteRange(from, to) => Due { to, ..one(from) },
            Time::RelativeRange(from, to) => Due { to: add(to), ..one(add(from)) },
            Time::Any => Due { any: true, ..one(base) },
            Time::AbsoluteBlocking(from, end) => Due { end: Some(end), ..one(from) },
            Time::RelativeBlocking(from, end) => Due { end: Some(add(end)), ..one(add(from)) },
        }
    }

    /// How far `at` lies behind the moment or the range; before it the number is negative.
    pub fn late(&self, at: i64) -> i64 {
        at - at.clamp(self.from.min(self.to), self.to)
    }

    /// True when `at` is within `tolerance` of the moment or the range.
    pub fn allows(&self, at: i64, tolerance: i64) -> bool {
        self.any || (at >= self.from.saturating_sub(tolerance) && at <= self.to.saturating_add(tolerance))
    }
}

/// The tolerance for an event that is due `gap` after the one before.
pub(crate) fn tolerance(settings: &Settings, usual: i64, gap: i64) -> i64 {
    let fixed = settings.tolerance.unwrap_or(usual);
    let share = i128::from(gap.max(0)) * i128::from(settings.tolerance_permille) / 1000;
    fixed.max(i64::try_from(share).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::IpMode;

    #[test]
    fn the_larger_tolerance_counts() {
        let settings = Settings::new(IpMode::V4);
        assert_eq!(tolerance(&settings, 4_000_000, 0), 4_000_000);
        assert_eq!(tolerance(&settings, 4_000_000, 1_000_000_000), 125_000_000);
    }

    #[test]
    fn ranges_and_any() {
        let due = Due::of(Time::RelativeRange(10, 20), 100);
        assert!(due.allows(109, 1) && due.allows(121, 1) && !due.allows(108, 1) && !due.allows(122, 1));
        assert!(Due::of(Time::Any, 5).allows(i64::MAX, 0));
        assert_eq!(Due::of(Time::RelativeBlocking(1, 3), 10).end, Some(13));
    }
}
