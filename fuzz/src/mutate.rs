//! Seeded mutations of an input: the same seed makes the same mutant on every machine.

/// A small generator (splitmix64), enough to pick mutations.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.number() % bound as u64) as usize }
    }
}

const INTERESTING: [u8; 12] = [0, 1, 2, 5, 8, 16, 20, 40, 64, 127, 128, 255];
/// Longest mutant, in bytes.
const MAX_LEN: usize = 4096;

/// A mutant of `input`; parts of `other` may come in.
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = input.to_vec();
    for _ in 0..1 << random.below(5) {
        once(&mut mutant, other, random);
    }
    mutant.truncate(MAX_LEN);
    mutant
}

fn once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(9) {
        0 => bytes.truncate(at),
        1 => insert(bytes, at, &[random.number() as u8]),
        2 => insert(bytes, at, &random.number().to_be_bytes()),
        3 => {
            let end = (at + 1 + random.below(16)).min(bytes.len());
            bytes.drain(at..end.max(at));
        }
        4 => {
            let end = (at + 1 + random.below(32)).min(bytes.len());
            let copy = bytes[at..end.max(at)].to_vec();
            let to = random.below(bytes.len() + 1);
            insert(bytes, to, &copy);
        }
        5 => {
            let from = random.below(other.len());
            let end = (from + 1 + random.below(48)).min(other.len());
            insert(bytes, at, &other[from..end]);
        }
        kind => {
            let Some(byte) = bytes.get_mut(at) else { return };
            *byte = match kind {
                6 => *byte ^ 1 << random.below(8),
                7 => INTERESTING[random.below(INTERESTING.len())],
                _ => random.number() as u8,
            };
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    bytes.splice(at..at, what.iter().copied());
}
