//! Control messages: `struct cmsghdr` and what follows it, from and to bytes.

use crate::library::Failure;
use cauce_posix::Control;

/// Bytes of `struct cmsghdr`: a length of the machine's size, level and type.
const HEADER: usize = size_of::<libc::cmsghdr>();
const WORD: usize = size_of::<usize>();

/// Reads what a program passes to sendmsg().
///
/// # Errors
/// `EINVAL` for a length that does not fit.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Control>, Failure> {
    let mut controls = Vec::new();
    let mut rest = bytes;
    while rest.len() >= HEADER {
        let word =
            |at: usize| rest[at..at + 4].first_chunk::<4>().map_or(0, |word| i32::from_ne_bytes(*word));
        let len = rest.first_chunk::<WORD>().map_or(0, |word| usize::from_ne_bytes(*word));
        let Some(data) = rest.get(HEADER..len) else { return Err(Failure(libc::EINVAL)) };
        controls.push(Control { level: word(WORD), kind: word(WORD + 4), data: data.to_vec() });
        rest = rest.get(len.next_multiple_of(WORD)..).unwrap_or(&[]);
    }
    Ok(controls)
}

/// Writes what recvmsg() tells, in `room` bytes. What does not fit is cut, and true says so.
pub(super) fn write(controls: &[Control], room: usize) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    for control in controls {
        let left = room - bytes.len();
        if left < HEADER {
            return (bytes, true);
        }
        let whole = HEADER + control.data.len();
        let len = whole.min(left);
        let end = bytes.len() + len.next_multiple_of(WORD).min(left);
        bytes.extend_from_slice(&len.to_ne_bytes());
        bytes.extend_from_slice(&control.level.to_ne_bytes());
        bytes.extend_from_slice(&control.kind.to_ne_bytes());
        bytes.extend_from_slice(&control.data[..len - HEADER]);
        bytes.resize(end, 0);
        if len < whole {
            return (bytes, true);
        }
    }
    (bytes, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Control> {
        let control = |kind, data: &[u8]| Control { level: libc::SOL_TCP, kind, data: data.to_vec() };
        vec![control(1, &[1, 2, 3, 4, 5]), control(36, &7i32.to_ne_bytes())]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (bytes, cut) = write(&two(), 1000);
        assert_eq!((bytes.len(), cut), (48, false));
        assert_eq!(parse(&bytes).unwrap(), two());
        assert_eq!(parse(&[]).unwrap(), []);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        for room in 0..48 {
            let (bytes, cut) = write(&two(), room);
            // The last one needs no room for its padding.
            assert_eq!(cut, room < 44, "{room}");
            assert!(bytes.len() <= room);
            if room >= 24 && cut {
                assert_eq!(parse(&bytes).unwrap()[0], two()[0], "{room}");
            }
        }
        let (bytes, cut) = write(&two(), 18);
        assert_eq!((parse(&bytes).unwrap()[0].data.as_slice(), cut), (&[1, 2][..], true));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let (good, _) = write(&two(), 1000);
        for len in [0usize, 15, 49, usize::MAX] {
            let mut bytes = good.clone();
            bytes[..WORD].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(parse(&bytes), Err(Failure(libc::EINVAL)), "{len}");
        }
    }
}
