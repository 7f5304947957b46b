//! Problems of a document as people and programs read them.

use std::fmt;
use std::io::{self, IsTerminal};

use config::{Place, Problem, Problems, Severity};
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use serde::Serialize;

use super::document::Source;

/// Columns that a rendered problem fills.
const WIDTH: usize = 100;

/// The JSON shape of `wald validate`.
#[derive(Serialize)]
pub(crate) struct Listing {
    problems: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    severity: &'static str,
    code: String,
    path: String,
    line: u32,
    column: u32,
    message: String,
    remedy: String,
}

/// `problems` for programs.
pub(crate) fn listing(problems: &Problems) -> Listing {
    let row = |problem: &Problem| Row {
        severity: word(problem.severity),
        code: problem.code.to_string(),
        path: problem.path.to_string(),
        line: problem.place.line,
        column: problem.place.column,
        message: problem.message.clone(),
        remedy: problem.remedy.clone(),
    };
    Listing {
        problems: problems.iter().map(row).collect(),
    }
}

/// `problems` for people: each with its line, a caret under it and its remedy.
pub(crate) fn render(problems: &Problems, source: &Source, theme: GraphicalTheme) -> String {
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false);
    let mut text = String::new();
    for problem in problems.iter() {
        let shown = Shown::new(problem, source);
        if handler.render_report(&mut text, &shown).is_err() {
            text += &format!("{}: {}\n", problem.code, problem.message);
        }
        text.push('\n');
    }
    text + &tally(problems, source)
}

/// Colours when standard output is a terminal that wants them.
pub(crate) fn theme(stream: &impl IsTerminal) -> GraphicalTheme {
    let plain = !stream.is_terminal() || std::env::var_os("NO_COLOR").is_some();
    if plain {
        GraphicalTheme::unicode_nocolor()
    } else {
        GraphicalTheme::unicode()
    }
}

/// Tells people on standard error what is wrong with the document they asked to be served.
pub(crate) fn complain(problems: &Problems, source: &Source) {
    eprint!("{}", render(problems, source, theme(&io::stderr())));
}

fn tally(problems: &Problems, source: &Source) -> String {
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let warnings = problems.iter().count() - errors;
    format!(
        "{}: {}, {}\n",
        source.path.display(),
        count(errors, "error"),
        count(warnings, "warning")
    )
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// A problem in the shape that miette draws.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    text: NamedSource<String>,
    offset: usize,
    length: usize,
}

impl<'a> Shown<'a> {
    fn new(problem: &'a Problem, source: &Source) -> Self {
        let (offset, length) = span(&source.text, problem.place);
        let text = NamedSource::new(source.path.display().to_string(), source.text.clone());
        Self {
            problem,
            text,
            offset,
            length,
        }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.problem.remedy))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let path = self.problem.path.to_string();
        let label = (!path.is_empty()).then_some(path);
        Some(Box::new(std::iter::once(LabeledSpan::new(
            label,
            self.offset,
            self.length,
        ))))
    }
}

/// Where the word at a one-based line and column starts, in bytes, and how long it is.
fn span(text: &str, place: Place) -> (usize, usize) {
    let (line, column) = (
        place.line.saturating_sub(1) as usize,
        place.column.saturating_sub(1) as usize,
    );
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let indent = rest
        .char_indices()
        .nth(column)
        .map_or(0, |(index, _)| index);
    let word = rest.get(indent..).unwrap_or_default();
    let length = word
        .find([' ', '\t', '\r', '\n', ',', ':', ']', '}', '#'])
        .unwrap_or(word.len());
    (start + indent, length.clamp(1, word.len().max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const BROKEN: &str = "\
version: wald/v1
listeners:
  - { name: edge, adress: 127.0.0.1:8080 }
routes:
  - name: größe
    backend: { upstream: nowhere }
    timeout: 5 parsecs
";

    fn refused() -> (Source, Problems) {
        let source = Source {
            path: PathBuf::from("wald.yaml"),
            text: BROKEN.to_owned(),
        };
        let problems = source.compile().err().expect("the document is broken");
        (source, problems)
    }

    #[test]
    fn people_see_the_line_a_caret_and_the_remedy_of_each_problem() {
        let (source, problems) = refused();
        let shown = render(&problems, &source, GraphicalTheme::unicode_nocolor());
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn programs_see_every_field_of_each_problem() {
        let (_, problems) = refused();
        let listed = serde_json::to_string_pretty(&listing(&problems)).unwrap();
        insta::assert_snapshot!(listed);
    }

    #[test]
    fn the_span_is_the_word_at_the_place() {
        let text = "version: wald/v1\nlisteners:\n  - nane: edge\n";
        let (start, length) = span(text, Place { line: 3, column: 5 });
        assert_eq!(text.get(start..start + length), Some("nane"));
    }

    #[test]
    fn the_span_counts_characters_and_not_bytes() {
        let text = "{ größe: 1, näme: x }";
        let (start, length) = span(
            text,
            Place {
                line: 1,
                column: 13,
            },
        );
        assert_eq!(text.get(start..start + length), Some("näme"));
    }

    #[test]
    fn a_place_past_the_end_is_drawn_at_the_end() {
        assert_eq!(span("a: 1\n", Place { line: 9, column: 9 }), (5, 1));
    }
}
