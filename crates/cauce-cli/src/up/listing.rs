//! Directories as HTML pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt::Write;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Everything but what never needs an escape in one part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page that lists the directory at `path` below `root`. `None` when there is no directory of this name.
pub fn of(root: &Path, path: &str) -> io::Result<Option<String>> {
    let Some((name, directory)) = resolve(root, path) else { return Ok(None) };
    if !directory.is_dir() {
        return Ok(None);
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // What has gone since, and links to nowhere, are left out.
        if let Ok(metadata) = std::fs::metadata(entry.path()) {
            let size = if metadata.is_dir() { None } else { Some(metadata.len()) };
            entries.push((entry.file_name().to_string_lossy().into_owned(), size));
        }
    }
    entries.sort_by(|a, b| (a.1.is_some(), &a.0).cmp(&(b.1.is_some(), &b.0)));
    Ok(Some(page(&name, &entries)))
}

/// The decoded path and the directory that it names, unless it leads out of `root`.
fn resolve(root: &Path, path: &str) -> Option<(String, PathBuf)> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let relative = Path::new(decoded.trim_start_matches('/'));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (inside && !decoded.contains('\0')).then(|| (decoded.to_string(), root.join(relative)))
}

fn page(name: &str, entries: &[(String, Option<u64>)]) -> String {
    let title = escaped(name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
         <h1>{title}</h1>\n<table>\n"
    );
    if !name.trim_matches('/').is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td></tr>\n");
    }
    for (name, size) in entries {
        let slash = if size.is_none() { "/" } else { "" };
        let size = size.map_or_else(String::new, |bytes| bytes.to_string());
        let link = utf8_percent_encode(name, PART);
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "<tr><td><a href=\"{link}{slash}\">{}{slash}</a></td><td align=\"right\">{size}</td></tr>",
            escaped(name)
        );
    }
    page + "</table>\n</body>\n</html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_is_there_and_nothing_above() {
        let root = std::env::temp_dir().join(format!("cauce-listing-{}", std::process::id()));
        std::fs::create_dir_all(root.join("sub dir")).unwrap();
        std::fs::write(root.join("a<b>&.txt"), b"12345").unwrap();
        let page = of(&root, "/").unwrap().unwrap();
        let inner = of(&root, "/sub%20dir/").unwrap().unwrap();
        let nothing =
            ["/missing/", "/../", "/%2e%2e/", "/a%3Cb%3E&.txt", "/%ff", "/%00"].map(|path| of(&root, path));
        std::fs::remove_dir_all(&root).unwrap();
        assert!(page.contains("<a href=\"sub%20dir/\">sub dir/</a>"), "{page}");
        assert!(page.contains("<a href=\"a%3Cb%3E%26.txt\">a&lt;b&gt;&amp;.txt</a>"), "{page}");
        assert!(page.contains(">5</td>") && !page.contains("../"), "{page}");
        assert!(inner.contains("../"), "{inner}");
        assert!(nothing.iter().all(|listed| matches!(listed, Ok(None))), "{nothing:?}");
    }
}
