//! The list of codes that operators read.

use config::code;

const PAGE: &str = include_str!("../../../docs/reference/codes.md");

#[test]
fn the_page_lists_every_code_of_documents_as_the_code_does() {
    let listed: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("| WALD-1") || line.starts_with("| WALD-2"))
        .collect();
    let known: Vec<_> = code::ALL
        .iter()
        .map(|(code, about)| format!("| {code} | {about} |"))
        .collect();
    assert_eq!(
        listed,
        known,
        "\ncopy this into docs/reference/codes.md:\n{}",
        known.join("\n")
    );
}
