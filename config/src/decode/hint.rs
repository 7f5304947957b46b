//! What the operator probably meant.

/// Longer names are not compared, so that a hostile document costs no time.
const COMPARED_CHARS_MAX: usize = 64;
/// How much of a text from the document a message repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// The remedy for `name`: the nearest known one if there is one near, and all of them.
pub(crate) fn instead(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? known here: {}", list(known)),
        None => format!("known here: {}", list(known)),
    }
}

/// `a`, `b`, `c`.
pub(crate) fn list(known: &[&str]) -> String {
    known
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known name that `name` is a misspelling of: at most a third of its letters differ.
pub(crate) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let chars = name.chars().take(COMPARED_CHARS_MAX + 1).count();
    if chars > COMPARED_CHARS_MAX {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    known
        .iter()
        .map(|near| (strsim::damerau_levenshtein(&name, near), *near))
        .filter(|(edits, _)| *edits <= (chars / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, near)| near)
}

/// A text from the document, short enough for a message and without line breaks.
pub(crate) fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars
        .by_ref()
        .take(SHOWN_CHARS_MAX)
        .flat_map(visible)
        .collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Control characters are spelled out: a message goes to a terminal.
fn visible(c: char) -> Vec<char> {
    if c.is_control() {
        c.escape_default().collect()
    } else {
        vec![c]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["listeners", "routes", "body_max", "then"];

    #[test]
    fn a_misspelled_name_finds_the_one_that_was_meant() {
        assert_eq!(nearest("listners", KNOWN), Some("listeners"));
        assert_eq!(nearest("Routes", KNOWN), Some("routes"));
        assert_eq!(nearest("body-max", KNOWN), Some("body_max"));
        assert_eq!(nearest("hten", KNOWN), Some("then"));
    }

    #[test]
    fn a_name_like_none_finds_none() {
        assert_eq!(nearest("upstreams", KNOWN), None);
        assert_eq!(nearest("", KNOWN), None);
        assert_eq!(nearest(&"routes".repeat(100), KNOWN), None);
    }

    #[test]
    fn a_long_text_is_cut_and_control_characters_are_spelled_out() {
        assert_eq!(shown(&"x".repeat(50)), format!("{}…", "x".repeat(40)));
        assert_eq!(shown("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
    }
}
