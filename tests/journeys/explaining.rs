//! What `wald explain` says is what a request meets.

use std::path::Path;

use bytes::Bytes;
use http::Method;
use tests::{Folder, Reply, Said, Upstream, Wald, document, trial, wald};

#[tokio::test]
async fn explain_names_the_arm_that_a_request_meets() {
    let control = Upstream::start("control", Reply::Name).await;
    let candidate = Upstream::start("candidate", Reply::Name).await;
    let folder = Folder::new();
    let document = folder.write(
        "wald.yaml",
        trial(&control, &candidate, &folder.path("wald.redb")),
    );
    let running = Wald::run(&document).await;
    let mut client = running.connect("edge").await;
    let mut arms = Vec::new();
    for user in 0..12 {
        let user = format!("user-{user}");
        let path = "/v2/health/ready";
        let answer = client
            .send(Method::GET, path, &[("x-user", &user)], Bytes::new())
            .await;
        let said = explain(&document, path, &["--header", &format!("x-user:{user}")]).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        let told = said.json();
        assert_eq!(
            (&told["outcome"], &told["route"]),
            (&"permit".into(), &"all".into())
        );
        assert_eq!(
            (&told["experiment"], &told["backend"]),
            (&"trial".into(), &told["arm"])
        );
        assert_eq!(told["arm"], answer.header("x-wald-arm"));
        assert_eq!(told["arm"], answer.text());
        arms.push(answer.text());
    }
    arms.sort();
    arms.dedup();
    assert_eq!(
        arms,
        ["candidate", "control"],
        "twelve users meet both arms"
    );
}

#[tokio::test]
async fn explain_tells_a_closed_route_from_no_route() {
    let folder = Folder::new();
    let text = document(
        "routes: [{ name: closed, match: { path: { prefix: /closed } }, backend: { respond: { status: 200 } } }]\n",
    );
    let document = folder.write("wald.yaml", text);
    for (path, code, outcome) in [("/closed/door", 3, "deny"), ("/elsewhere", 4, "no_route")] {
        let said = explain(&document, path, &[]).await;
        assert_eq!(
            (said.code, &said.json()["outcome"]),
            (Some(code), &outcome.into()),
            "{said:?}"
        );
    }
}

async fn explain(document: &Path, path: &str, more: &[&str]) -> Said {
    let document = document.to_str().expect("the folder's path is text");
    let asked = [
        "explain", "-o", "json", "-c", document, "--method", "GET", "--path", path,
    ];
    wald(asked.iter().chain(more)).await
}
