//! A number with a unit behind it, exact where it can be.

/// Splits `text` into its number and its unit, in lower case.
pub fn split(text: &str) -> Option<(&str, String)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let points = number.len() - digits;
    (digits > 0 && points <= 1).then(|| (number, unit.trim().to_ascii_lowercase()))
}

/// `number` times `factor`, rounded down. `None` when it does not fit.
pub fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More than 18 digits behind the point are below any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    let power = 10u128.pow(fraction.len() as u32);
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let factor = u128::from(factor);
    let total = whole.checked_mul(factor)?.checked_add(fraction * factor / power)?;
    u64::try_from(total).ok()
}

/// `value` in the largest of `units` that leaves at least 1, cut to `decimals` digits behind the point, of
/// which zeros at the end are left out.
pub fn in_largest(value: u64, units: &[(&str, u64)], decimals: u32) -> String {
    let fits = units.iter().rev().find(|(_, factor)| value >= *factor).or(units.first());
    let Some((unit, factor)) = fits else { return value.to_string() };
    let power = 10u128.pow(decimals);
    let scaled = u128::from(value) * power / u128::from(*factor);
    let (whole, fraction) = (scaled / power, scaled % power);
    let fraction = format!("{fraction:0width$}", width = decimals as usize);
    match fraction.trim_end_matches('0') {
        "" => format!("{whole} {unit}"),
        fraction => format!("{whole}.{fraction} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_numbers_from_units() {
        assert_eq!(split(" 1.5 Mbit"), Some(("1.5", "mbit".into())));
        assert_eq!(split("7"), Some(("7", String::new())));
        for wrong in ["", "mbit", ".", "1.2.3", "-1", "+1"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn scales_exactly() {
        assert_eq!(scale("0.1", 1_000_000), Some(100_000));
        assert_eq!(scale("1.0000000000000000001", 10), Some(10));
        assert_eq!(scale("18446744073709551615", 1), Some(u64::MAX));
        assert_eq!(scale("18446744073709551616", 1), None);
        assert_eq!(scale("99999999999999999999999999999999999999999", 1), None);
        assert_eq!(scale(".5", 4), Some(2));
    }

    #[test]
    fn prints_in_the_largest_unit() {
        let units = [("b", 1), ("kb", 1_000), ("mb", 1_000_000)];
        assert_eq!(in_largest(0, &units, 3), "0 b");
        assert_eq!(in_largest(1_500, &units, 3), "1.5 kb");
        assert_eq!(in_largest(100_000_000, &units, 3), "100 mb");
        assert_eq!(in_largest(1_034_567, &units, 3), "1.034 mb");
        assert_eq!(in_largest(1_034_567, &units, 1), "1 mb");
        assert_eq!(in_largest(1_934_567, &units, 0), "1 mb");
    }
}
