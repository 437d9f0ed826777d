//! Names of ports, as services(5) lists them: what a filter may say instead of a number.

use crate::tools::Files;

/// Where they are listed.
pub(super) const FILE: &str = "/etc/services";

/// A port by its number or by the name that TCP's service has.
pub(super) fn port(text: &str, files: &dyn Files) -> Option<u16> {
    match text.parse() {
        Ok(port) => Some(port),
        Err(_) => named(text, &files.read(FILE).ok()?),
    }
}

fn named(name: &str, services: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/tcp")?;
        (first == name || words.any(|alias| alias == name)).then(|| port.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_protocols() {
        let text = "# well known\ndomain\t53/udp\nhttp\t\t80/tcp\twww # WorldWideWeb\nntp 123/udp\n";
        assert_eq!((named("http", text), named("www", text)), (Some(80), Some(80)));
        assert_eq!(
            (named("ntp", text), named("WorldWideWeb", text), named("domain", text)),
            (None, None, None)
        );
    }
}
