//! Documents without a problem, and what they say.

use crate::{EVERYTHING, behind_the_required, read};
use config::document::{Backend, Margin, RetryOn, Unit};
use config::value::{ByteCount, Period, Share};
use config::{Document, Path, Place};
use std::path::PathBuf;
use std::time::Duration;

#[track_caller]
fn good(text: &str) -> Document {
    read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_document_that_uses_everything_reads_without_a_problem() {
    let document = good(EVERYTHING);
    let route = document.routes.first().unwrap();
    let experiment = document.experiments.first().unwrap();
    assert_eq!(
        route.backend,
        Backend::Experiment {
            experiment: "fraud-v2".to_owned()
        }
    );
    assert_eq!(route.timeout, Some(Period(Duration::from_secs(5))));
    assert_eq!(
        route.retries.as_ref().unwrap().body_max,
        Some(ByteCount(1 << 20))
    );
    assert_eq!(
        route.retries.as_ref().unwrap().when.last(),
        Some(&RetryOn::Status(504))
    );
    assert_eq!(experiment.unit, Unit::Claim("sub".to_owned()));
    assert_eq!(experiment.ramp.first().copied(), Share::new(0.01));
    assert_eq!(
        experiment.metrics.get(1).unwrap().margin,
        Some(Margin::Odds(1.5))
    );
}

#[test]
fn the_examples_read_without_a_problem() {
    good(include_str!("../../examples/digits/wald.yaml"));
    good(include_str!("../../examples/front-a-server/wald.yaml"));
}

#[test]
fn what_is_written_out_reads_the_same() {
    let document = good(EVERYTHING);
    let written = serde_json::to_string(&document).unwrap();
    let again = good(&written);
    assert_eq!(
        Document {
            places: document.places.clone(),
            ..again
        },
        document
    );
}

#[test]
fn what_is_absent_is_not_written_out() {
    let document = good(&behind_the_required(""));
    let written = serde_json::to_value(&document).unwrap();
    assert_eq!(written, serde_json::json!({ "version": "wald/v1" }));
}

#[test]
fn relative_files_lie_in_the_documents_folder() {
    let path = |written: &str| {
        good(&behind_the_required(&format!(
            "store: {{ path: {written} }}"
        )))
        .store
        .unwrap()
        .path
    };
    assert_eq!(path("wald.redb"), PathBuf::from("/etc/wald/wald.redb"));
    assert_eq!(path("/var/wald.redb"), PathBuf::from("/var/wald.redb"));
}

#[test]
fn text_keeps_its_spelling_with_or_without_quotes() {
    let version = |written: &str| {
        let text = format!("models: [{{ name: m, version: {written}, file: f, sha256: 0x10 }}]");
        good(&behind_the_required(&text))
            .models
            .remove(0)
            .version
            .unwrap()
    };
    assert_eq!(version("1.10"), "1.10");
    assert_eq!(version("\"1.10\""), "1.10");
    assert_eq!(version("007"), "007");
    assert_eq!(version("no"), "no");
    assert_eq!(version("true"), "true");
}

#[test]
fn every_value_has_a_place() {
    let text = "listeners:\n  - name: édge\n    address: 0.0.0.0:80\n  - { name: \"日本\", address: x }\nversion: wald/v1\nroutes: []";
    let document = good(text);
    let listener = |index| Path::root().field("listeners").index(index);
    let place = |path: &Path| {
        let Place { line, column } = document.place(path);
        (line, column)
    };
    assert_eq!(place(&Path::root().field("listeners")), (1, 1));
    assert_eq!(place(&listener(0)), (2, 5));
    assert_eq!(place(&listener(0).field("address")), (3, 14));
    assert_eq!(place(&listener(1).field("address")), (4, 28));
    assert_eq!(place(&listener(1).field("tls").field("trust")), (4, 5));
    assert_eq!(place(&Path::root()), (1, 1));
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_do_no_harm() {
    let document =
        good("\u{feff}version: wald/v1\r\nlisteners: []\r\nroutes: []\r\nworkers: 2\r\n");
    assert_eq!(document.workers, Some(2));
    assert_eq!(
        document.place(&Path::root().field("workers")),
        Place {
            line: 4,
            column: 10
        }
    );
}

#[test]
fn an_alias_repeats_what_its_anchor_marks() {
    let document = good(&behind_the_required(
        "admin: { address: &here 127.0.0.1:1 }\ntelemetry: { traces: { otlp: *here } }",
    ));
    assert_eq!(
        document.telemetry.unwrap().traces.unwrap().otlp,
        "127.0.0.1:1"
    );
}
