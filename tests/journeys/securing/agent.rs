//! Certificates from a SPIFFE Workload API that the journey runs.

use http::StatusCode;
use tests::{Agent, Authority, Secure, SecureUpstream, Wald, Wish, until, wald};

use super::{Realm, WEB};

const WALD: &str = "spiffe://bank.example/wald";

fn svid(authority: &Authority, id: &str, serial: u64) -> tests::Identity {
    authority.vouch(Wish {
        uris: &[id],
        serial,
        ..Wish::default()
    })
}

async fn agent(realm: &Realm, serial: u64) -> Agent {
    let identity = svid(&realm.clients, WALD, serial);
    Agent::start(
        &realm.folder.path("agent.sock"),
        WALD,
        &identity,
        &realm.clients,
    )
    .await
}

/// A wald that has everything from the agent: who it is, and whom it believes.
async fn front(realm: &Realm, agent: &Agent) -> Wald {
    realm.serve(&served(agent)).await
}

fn served(agent: &Agent) -> String {
    format!(
        "\
listeners: [{{ name: edge, address: 127.0.0.1:0, tls: {{ certificate: {{ spiffe: \"{}\" }}, clients: required }} }}]
routes: [{{ name: all, allow: [{{ callers: [\"{WEB}\"] }}], backend: {{ respond: {{ status: 204 }} }} }}]
",
        agent.address()
    )
}

#[tokio::test]
async fn an_agent_says_who_wald_is_and_whom_it_believes() {
    let realm = Realm::new();
    let agent = agent(&realm, 1).await;
    let wald = front(&realm, &agent).await;
    let edge = wald.address("edge").await;
    let web = svid(&realm.clients, WEB, 2);
    let client = Secure::new(&realm.clients.pem(), Some(&web), "http/1.1");
    let answer = client.get(edge, "/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    // Another authority, and the right one about another trust domain.
    let stranger = svid(&realm.servers, WEB, 3);
    let client = Secure::new(&realm.clients.pem(), Some(&stranger), "http/1.1");
    assert_eq!(client.refusal(edge).await, "UnknownCA");
    let foreign = svid(&realm.clients, "spiffe://other.example/web", 4);
    let client = Secure::new(&realm.clients.pem(), Some(&foreign), "http/1.1");
    assert_ne!(client.refusal(edge).await, "closed");
}

#[tokio::test]
async fn certificates_and_authorities_rotate_as_the_agent_issues_them() {
    let realm = Realm::new();
    let agent = agent(&realm, 1).await;
    let wald = front(&realm, &agent).await;
    let edge = wald.address("edge").await;
    let next = Authority::new("next");
    agent.issue(WALD, &svid(&next, WALD, 2), &next);
    let web = svid(&next, WEB, 3);
    let client = Secure::new(&next.pem(), Some(&web), "http/1.1");
    until("the new authority is in force on both sides", async || {
        let answer = client.get(edge, "/").await.ok()?;
        (answer.status == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
    // What nobody can use changes nothing.
    let other = svid(&realm.servers, "spiffe://bank.example/broken", 4);
    let mismatched = tests::Identity {
        key: svid(&next, WALD, 5).key,
        ..other
    };
    agent.issue(WALD, &mismatched, &next);
    wald.logged("what cannot be used is told", |event| {
        event["message"]
            .as_str()
            .is_some_and(|text| text.contains("stays in force"))
    })
    .await;
    let answer = client.get(edge, "/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_agent_that_goes_away_leaves_everything_in_force() {
    let realm = Realm::new();
    let first = agent(&realm, 1).await;
    let document = served(&first);
    let wald = realm.serve(&document).await;
    let edge = wald.address("edge").await;
    let web = svid(&realm.clients, WEB, 2);
    let client = Secure::new(&realm.clients.pem(), Some(&web), "http/1.1");
    drop(first);
    let mut admin = wald.connect("admin").await;
    until("it is counted", async || {
        let text = admin.get("/metrics").await.text();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("wald_workload_api_failures_total "))?;
        (line != "0").then_some(())
    })
    .await;
    let answer = client.get(edge, "/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    // Another document comes into force without it.
    let text = std::fs::read_to_string(realm.folder.path("wald.yaml")).expect("the document");
    realm.folder.swap("wald.yaml", text.replace("204", "205"));
    until("the document is in force", async || {
        let answer = client.get(edge, "/").await.expect("an answer");
        (answer.status == StatusCode::RESET_CONTENT).then_some(())
    })
    .await;
    let next = Authority::new("next");
    let back = svid(&next, WALD, 3);
    let _back = Agent::start(&realm.folder.path("agent.sock"), WALD, &back, &next).await;
    let client = Secure::new(&next.pem(), Some(&svid(&next, WEB, 4)), "http/1.1");
    until("the agent is heard again", async || {
        let answer = client.get(edge, "/").await.ok()?;
        (answer.status == StatusCode::RESET_CONTENT).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_upstream_is_known_by_the_agents_authorities() {
    let realm = Realm::new();
    let agent = agent(&realm, 1).await;
    let fraud = svid(&realm.clients, "spiffe://bank.example/fraud", 2);
    let upstream = SecureUpstream::start(&fraud, &realm.clients).await;
    for (id, expected) in [
        ("spiffe://bank.example/fraud", StatusCode::OK),
        ("spiffe://bank.example/other", StatusCode::BAD_GATEWAY),
        ("spiffe://other.example/fraud", StatusCode::BAD_GATEWAY),
    ] {
        let document = format!(
            "\
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
upstreams: [{{ name: backend, endpoints: [\"{}\"], tls: {{ certificate: {{ spiffe: \"{}\" }}, spiffe_id: \"{id}\" }} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}]
",
            upstream.endpoint(),
            agent.address()
        );
        let wald = realm.serve(&document).await;
        let answer = wald.connect("edge").await.get("/").await;
        assert_eq!(answer.status, expected, "{id}: {}", answer.text());
    }
}

#[tokio::test]
async fn without_its_agent_wald_does_not_start_and_says_why() {
    let realm = Realm::new();
    let text = "\
version: wald/v1
listeners: [{ name: edge, address: 127.0.0.1:0, tls: { certificate: { spiffe: \"unix:///nowhere/agent.sock\" } } }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 204 } } }]
";
    let path = realm.folder.write("wald.yaml", text);
    let said = wald(["run", "-c", path.to_str().expect("text")]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let all = format!("{}{}", said.stdout, said.stderr);
    assert!(all.contains("/nowhere/agent.sock"), "{all}");
}
