//! Makes a failing input smaller, so that a failure in CI is short enough to read.

/// The smallest input found that still fails, after at most `attempts` runs of `fails`.
pub fn shrink(input: &[u8], mut attempts: usize, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut chunk = best.len().div_ceil(2);
    while chunk > 0 && attempts > 0 {
        let before = best.len();
        let mut at = 0;
        while at < best.len() && attempts > 0 {
            let mut candidate = best.clone();
            candidate.drain(at..(at + chunk).min(best.len()));
            attempts -= 1;
            if fails(&candidate) {
                best = candidate;
            } else {
                at += chunk;
            }
        }
        if best.len() == before || chunk > best.len() {
            chunk /= 2;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_matters_stays() {
        let noise: Vec<u8> = (0..100).map(|n| n % 7).chain([77]).chain(0..50).collect();
        assert_eq!(super::shrink(&noise, 1000, |bytes| bytes.contains(&77)), [77]);
    }
}
