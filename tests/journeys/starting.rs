//! Starts that must fail, and say why.

use tests::{Folder, Reply, Upstream, Wald, fronting, trial};

#[tokio::test]
async fn a_port_in_use_is_named() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let folder = Folder::new();
    let first = Wald::run(&folder.write("first.yaml", fronting(&upstream))).await;
    let taken = first.address("edge").await.to_string();
    let text = fronting(&upstream).replace(
        "edge, address: 127.0.0.1:0",
        &format!("edge, address: {taken}"),
    );
    let said = refused(&folder, &text, 1).await;
    assert!(said.contains(&taken), "{said}");
    assert!(
        first.ask("/api/v1/policy").await["hash"].is_string(),
        "the first still serves"
    );
}

#[tokio::test]
async fn a_store_in_use_is_named() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&upstream, &upstream, &folder.path("wald.redb"));
    let _first = Wald::run(&folder.write("first.yaml", &text)).await;
    let said = refused(&folder, &text, 1).await;
    assert!(said.contains("wald.redb"), "{said}");
}

#[tokio::test]
async fn a_bad_document_is_refused_with_the_line_of_its_problem() {
    let said = refused(
        &Folder::new(),
        "version: wald/v1\nlisteners: []\nroutes: []\nrouts: []\n",
        2,
    )
    .await;
    assert!(said.contains("routs") && said.contains("WALD-1"), "{said}");
}

/// What a `wald` says that does not start.
async fn refused(folder: &Folder, text: &str, code: i32) -> String {
    let mut wald = Wald::launch(&folder.write("wald.yaml", text));
    let status = wald.ended().await;
    assert_eq!(status.code(), Some(code), "{}", wald.said());
    wald.said()
}
