//! The program `cauce`.
fn main() {}
