//! `wald stat` gives anyone the numbers that the judge uses.

use serde_json::Value;
use tests::{Said, Verb};

const REFERENCE: &str = include_str!("../../docs/reference/stat.md");
const STATISTICS: &str = include_str!("../../docs/statistics.md");

async fn stat(method: &str, input: &str) -> Said {
    Verb::new(["stat", method]).input(input).run().await
}

/// The method, input and output of each example of a page.
fn examples_of(page: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut lines = page.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let example = line
            .strip_prefix("$ echo '")
            .and_then(|rest| rest.split_once("' | wald stat "));
        if let Some((input, method)) = example {
            found.push((method, input, lines.next().unwrap_or_default()));
        }
    }
    found
}

/// Equal, but for what another processor may round otherwise.
fn alike(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let (found, expected) = (found.as_f64(), expected.as_f64());
            found.zip(expected).is_some_and(|(found, expected)| {
                (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
            })
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| alike(a, b))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && found.iter().all(|(name, value)| {
                    expected.get(name).is_some_and(|other| alike(value, other))
                })
        }
        _ => found == expected,
    }
}

async fn check(page: &'static str, count: usize) {
    let examples = examples_of(page);
    assert_eq!(examples.len(), count, "{examples:?}");
    for (method, input, printed) in examples {
        let said = stat(method, input).await;
        assert_eq!(said.code, Some(0), "{method}: {said:?}");
        let printed = serde_json::from_str(printed).expect("the page shows JSON");
        assert!(
            alike(&said.json(), &printed),
            "{method}: {said:?} is not {printed}"
        );
    }
}

#[tokio::test]
async fn every_example_of_the_reference_comes_out_as_printed() {
    check(REFERENCE, 10).await;
}

#[tokio::test]
async fn the_worked_example_of_the_statistics_comes_out_as_printed() {
    check(STATISTICS, 6).await;
}

#[tokio::test]
async fn every_method_has_an_example_in_the_help_that_runs() {
    let help = Verb::new(["stat", "--help"]).run().await.stdout;
    let examples: Vec<(&str, &str)> = help
        .split("echo '")
        .skip(1)
        .filter_map(|rest| rest.split_once("' | wald stat "))
        .map(|(input, rest)| (input, rest.split_whitespace().next().unwrap_or_default()))
        .collect();
    let methods: Vec<&str> = examples.iter().map(|(_, method)| *method).collect();
    let paged: Vec<&str> = examples_of(REFERENCE)
        .iter()
        .map(|(method, ..)| *method)
        .collect();
    assert_eq!(methods, paged);
    for (input, method) in examples {
        let said = stat(method, input).await;
        assert_eq!(
            (said.code, said.stderr.as_str()),
            (Some(0), ""),
            "{method}: {said:?}"
        );
        assert!(!said.stdout.contains("null"), "{method}: {said:?}");
    }
}

#[tokio::test]
async fn each_object_is_answered_before_the_next_is_written() {
    let questions = ["{\"n01\": 0, \"n10\": 0}", "{\"n01\": 30, \"n10\": 60}"];
    let answers = Verb::new(["stat", "paired_binary"])
        .converse(&questions)
        .await;
    let log_e = |answer: &String| {
        let answer: Value = serde_json::from_str(answer).expect("a line of JSON");
        answer["log_e"].as_f64().expect("a number")
    };
    let log_e: Vec<f64> = answers.iter().map(log_e).collect();
    assert!(log_e.len() == 2 && log_e[0].abs() < 1e-12, "{answers:?}");
    // ln B(30.5, 60.5) − ln B(½, ½) + 90 ln 2, from mpmath.
    assert!((log_e[1] - 2.618_265_761_843_6).abs() < 1e-9, "{answers:?}");
}

#[tokio::test]
async fn a_misspelled_argument_or_method_is_answered_with_the_nearest() {
    let said = stat("agreement", "{\"succeses\": 1, \"n\": 1, \"p0\": 0.5}").await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.stderr.contains("did you mean `successes`?"),
        "{said:?}"
    );
    let said = stat("agreemnt", "{}").await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("agreement"), "{said:?}");
}

#[tokio::test]
async fn many_objects_are_answered_line_by_line_until_one_is_bad() {
    let input = "{\"n01\": 1, \"n10\": 2}\n{\"n01\": 2, \"n10\": 1} {\"n01\": 3}";
    let said = stat("paired_binary", input).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{said:?}");
    let error: Value = serde_json::from_str(said.stderr.trim()).expect("an error as JSON");
    assert!(
        error["error"]
            .as_str()
            .is_some_and(|text| text.contains("n10")),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_json_or_nothing_at_all_is_refused_with_status_two() {
    for input in ["", "{\"n01\": ", "[1]"] {
        let said = stat("paired_binary", input).await;
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (Some(2), ""),
            "{input:?} {said:?}"
        );
        assert!(said.stderr.starts_with("{\"error\":"), "{said:?}");
    }
}
