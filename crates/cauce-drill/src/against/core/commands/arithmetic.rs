//! `$((…))` of the shell, over numbers alone: signed 64 bits, C's operators and their order.

/// The value of an expression; `None` when a shell would have to say what it is.
pub(super) fn value(text: &str) -> Option<i64> {
    let mut parser = Parser { rest: text };
    let value = parser.binary(0)?;
    parser.blanks();
    parser.rest.is_empty().then_some(value)
}

/// Operators by how tightly they bind, the loosest first. Longer ones stand before their beginnings.
const LEVELS: [&[&str]; 6] = [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "%"]];

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n']);
    }

    fn skip(&mut self, prefix: &str) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(prefix);
        if let Some(rest) = rest {
            self.rest = rest;
        }
        rest.is_some()
    }

    fn binary(&mut self, level: usize) -> Option<i64> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            self.blanks();
            // `&&`, `||` and `**` are left to the shell.
            if ["&&", "||", "**"].iter().any(|double| self.rest.starts_with(double)) {
                return None;
            }
            let Some(operator) = operators.iter().find(|operator| self.rest.starts_with(**operator)) else {
                return Some(left);
            };
            self.rest = &self.rest[operator.len()..];
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Option<i64> {
        if self.skip("-") {
            return self.unary()?.checked_neg();
        }
        if self.skip("+") {
            return self.unary();
        }
        if self.skip("(") {
            let inner = self.binary(0)?;
            return self.skip(")").then_some(inner);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8).ok(),
            None if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok(),
            None => None,
        }
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Option<i64> {
    match operator {
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "<<" => u32::try_from(right).ok().and_then(|by| left.checked_shl(by)),
        ">>" => u32::try_from(right).ok().and_then(|by| left.checked_shr(by)),
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        "%" => left.checked_rem(right),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_shells() {
        for (text, wanted) in [
            ("15*1024*1024", 15_728_640),
            (" 1 + 2 * 3 ", 7),
            ("(1+2)*3 - -4", 13),
            ("7/2 + 7%2", 4),
            ("1<<4|3", 19),
            ("0x10 + 010", 24),
            ("-2", -2),
        ] {
            assert_eq!(value(text), Some(wanted), "{text}");
        }
        for text in
            ["", "x", "1+", "1/0", "(1", "1 2", "1&&2", "2**3", "9223372036854775807+1", "1=2", "08", "1?2:3"]
        {
            assert_eq!(value(text), None, "{text}");
        }
    }
}
