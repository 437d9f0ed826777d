//! Proofs that fail on a stack which is deaf to a setting or an option. The page `docs/tcp7.md` counts on them where no
//! script can show an effect.

use super::Sysctls;
use core::fmt::Debug;

/// What `proof` observes on a stack that is deaf to the setting `name`, where the default is in force whatever was
/// written, and what it observes once `value` is written. The two must differ.
///
/// # Panics
/// If both are the same: nobody has heard.
pub fn heard<T: PartialEq + Debug>(name: &str, value: &str, proof: impl Fn(Sysctls) -> T) -> [T; 2] {
    let mut hearing = Sysctls::default();
    hearing.set(name, value).unwrap();
    differ(name, [proof(Sysctls::default()), proof(hearing)])
}

/// The same for an option of a socket, which a deaf stack is not told.
#[allow(dead_code, reason = "not every test file is about options")]
pub fn option_heard<O, T: PartialEq + Debug>(
    name: &str,
    option: O,
    proof: impl Fn(Option<O>) -> T,
) -> [T; 2] {
    differ(name, [proof(None), proof(Some(option))])
}

fn differ<T: PartialEq + Debug>(name: &str, [deaf, hearing]: [T; 2]) -> [T; 2] {
    assert!(deaf != hearing, "{name} changes nothing: {deaf:?}");
    [deaf, hearing]
}
