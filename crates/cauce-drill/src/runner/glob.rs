//! Globs over the names of scripts.

/// Does `glob` match `path`, or what follows one of its slashes? `*` stands for any text, `?` for one character.
pub(crate) fn matches_end(glob: &str, path: &str) -> bool {
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    starts
        .into_iter()
        .any(|start| path.get(start..).is_some_and(|tail| matches(glob.as_bytes(), tail.as_bytes())))
}

/// Goes back to the last `*` only, which is enough for globs.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(c) if *c == b'?' || Some(c) == text.get(t) => (g, t) = (g + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (g, t) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    glob.get(g..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        assert!(matches(b"a*b?c", b"axxbyc") && !matches(b"a*b?c", b"axxbc"));
        assert!(matches(b"*", b"") && matches(b"**a", b"bba") && !matches(b"a", b""));
        assert!(
            matches_end("send/*", "scripts/send/zero.pkt") && !matches_end("send/*", "scripts/resend/a.pkt")
        );
    }
}
