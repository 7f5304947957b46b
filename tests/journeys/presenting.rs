//! What Wald presents to upstreams in its own name.

use bytes::Bytes;
use http::Method;
use tests::{Folder, Reply, Upstream, Wald, document, until, wald};

/// Two upstreams, of which the first is presented with what the fields say.
async fn front(ours: &Upstream, other: &Upstream, folder: &Folder, fields: &str) -> Wald {
    let text = document(&format!(
        "\
upstreams:
  - {{ name: ours, endpoints: [{}], authorization: {{ {fields} }} }}
  - {{ name: other, endpoints: [{}] }}
routes:
  - {{ name: other, match: {{ path: {{ prefix: /other }} }}, allow: [{{ callers: anyone }}], backend: {{ upstream: other }} }}
  - {{ name: ours, allow: [{{ callers: anyone }}], backend: {{ upstream: ours }} }}
",
        ours.endpoint(),
        other.endpoint()
    ));
    Wald::run(&folder.write("wald.yaml", text)).await
}

#[tokio::test]
async fn the_upstream_gets_walds_key_and_nobody_else_does() {
    let mut ours = Upstream::start("ours", Reply::Name).await;
    let mut other = Upstream::start("other", Reply::Name).await;
    let folder = Folder::new();
    folder.write("ours.key", "secret-17\n");
    let wald = front(&ours, &other, &folder, "file: ours.key").await;
    let mut client = wald.connect("edge").await;
    let claimed = [("authorization", "Bearer the-clients-own")];
    client.send(Method::GET, "/", &claimed, Bytes::new()).await;
    let headers = ours.arrived().await.head.headers;
    let said: Vec<_> = headers.get_all("authorization").iter().collect();
    assert_eq!(said, ["Bearer secret-17"]);
    client.get("/other").await;
    assert_eq!(
        other.arrived().await.head.headers.get("authorization"),
        None
    );

    let mut admin = wald.connect("admin").await;
    for path in ["/api/v1/policy", "/metrics", "/api/v1/audit"] {
        let told = admin.get(path).await.text();
        assert!(!told.contains("secret-17"), "{path}: {told}");
    }
    assert!(!wald.said().contains("secret-17"));
}

#[tokio::test]
async fn a_health_check_presents_the_key_too() {
    let mut ours = Upstream::start("ours", Reply::Name).await;
    let other = Upstream::start("other", Reply::Name).await;
    let folder = Folder::new();
    folder.write("ours.key", "secret-17");
    // Ends the authorization, and begins what the braces of the document end.
    let fields = "file: ours.key }, health: { path: /ready";
    let _wald = front(&ours, &other, &folder, fields).await;
    let head = ours.arrived().await.head;
    assert_eq!(head.uri, "/ready");
    assert_eq!(head.headers["authorization"], "Bearer secret-17");
}

#[tokio::test]
async fn a_key_is_rotated_while_traffic_runs_and_a_broken_one_changes_nothing() {
    let mut ours = Upstream::start("ours", Reply::Name).await;
    let folder = Folder::new();
    folder.write("ours.key", "first");
    let fields = "file: ours.key, header: x-api-key";
    let wald = front(&ours, &ours, &folder, fields).await;
    let mut client = wald.connect("edge").await;
    let mut presented = async || {
        client.get("/").await;
        let headers = ours.arrived().await.head.headers;
        headers["x-api-key"].to_str().expect("text").to_owned()
    };
    assert_eq!(presented().await, "first");
    folder.swap("ours.key", "second");
    until("the new key is used", async || {
        (presented().await == "second").then_some(())
    })
    .await;
    folder.swap("ours.key", "two\nlines");
    let told = wald
        .logged("the reload is refused", |event| {
            event["message"] == "not reloaded; the document before stays in force"
        })
        .await;
    let error = told["error"].as_str().expect("text");
    assert!(error.contains("upstream `ours`"), "{error}");
    assert_eq!(presented().await, "second");
    assert!(!wald.said().contains("two\nlines"));
}

#[tokio::test]
async fn without_its_secret_wald_does_not_start_and_says_why() {
    let ours = Upstream::start("ours", Reply::Name).await;
    let folder = Folder::new();
    let text = document(&format!(
        "\
upstreams: [{{ name: ours, endpoints: [{}], authorization: {{ env: WALD_TEST_NO_SUCH_KEY }} }}]
routes: [{{ name: ours, allow: [{{ callers: anyone }}], backend: {{ upstream: ours }} }}]
",
        ours.endpoint()
    ));
    let path = folder.write("wald.yaml", text);
    let said = wald(["run", "-c", path.to_str().expect("text")]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("WALD_TEST_NO_SUCH_KEY"), "{all}");
}
