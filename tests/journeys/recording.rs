//! What a server records can be judged again, and comes to the same verdict.

use std::time::Duration;

use serde_json::Value;
use tests::{Folder, Said, Verb, wald};

/// The demo decides within two minutes; a busy machine may take longer.
const PATIENCE: Duration = Duration::from_secs(240);

async fn judge(folder: &Folder, document: &str, experiment: &str) -> Said {
    let observations = folder.path("seen.csv");
    let observations = observations.to_str().expect("text");
    let arguments = ["judge", "-c", document, "--experiment", experiment];
    wald(
        arguments
            .into_iter()
            .chain(["--observations", observations, "-o", "json"]),
    )
    .await
}

#[tokio::test]
async fn a_recorded_demo_is_judged_again_with_the_same_verdicts() {
    let folder = Folder::new();
    let recording = folder.path("seen.csv");
    let recording = recording.to_str().expect("text");
    let demo = [
        "demo", "--port", "0", "--once", "--fast", "--record", recording,
    ];
    let said = Verb::new(demo)
        .variable("WALD_DEMO_DIR", folder.path("demo"))
        .patience(PATIENCE)
        .run()
        .await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let summary = said.json();
    let document = folder.path("demo").join("wald.yaml");
    let document = document.to_str().expect("text");
    for decided in summary["experiments"].as_array().expect("a list") {
        let name = decided["name"].as_str().expect("a name");
        let judged = judge(&folder, document, name).await;
        assert_eq!(judged.code, Some(0), "{judged:?}");
        let judged = judged.json();
        assert_eq!(
            judged["verdict"]["decision"], decided["decision"],
            "{judged}"
        );
        let count = |value: &Value| value.as_f64().expect("a count");
        let (live, again) = (
            count(&decided["at_observations"]),
            count(&judged["verdict"]["at_observations"]),
        );
        // The judge asks after each tick, the referee after each beat, which may close two.
        assert!(again <= live && live - again < 0.6 * live, "{live} {again}");
    }
}

#[tokio::test]
async fn a_recording_of_something_else_is_refused_before_anything_is_served() {
    let folder = Folder::new();
    let path = folder.write("notes.txt", "dear diary\n");
    let document = folder.write("wald.yaml", tests::document(
        "routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 200 } } }]\n",
    ));
    let arguments = ["run", "-c", document.to_str().expect("text"), "--record"];
    let said = wald(arguments.into_iter().chain([path.to_str().expect("text")])).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("notes.txt") && said.stderr.contains("dear diary"),
        "{said:?}"
    );
}
