//! Several servers behind one name: who is asked, who is spared, who comes back.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tests::{Calls, Client, Event, Folder, Names, Reply, Upstream, Wald, document, until};

/// A wald with one worker in front of an upstream with these endpoints and fields.
async fn front(folder: &Folder, endpoints: &[String], fields: &str) -> Wald {
    front_with(folder, endpoints, fields, "").await
}

/// The same with `more` at the end of the document.
async fn front_with(folder: &Folder, endpoints: &[String], fields: &str, more: &str) -> Wald {
    let endpoints = endpoints.join(", ");
    let text = document(&format!(
        "\
upstreams: [{{ name: models, endpoints: [{endpoints}]{fields} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: models }} }}]
{more}"
    ));
    let text = text.replace("workers: 2", "workers: 1");
    Wald::run(&folder.write("wald.yaml", text)).await
}

/// Who answers this many requests.
async fn answers(client: &mut Client, count: usize) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for _ in 0..count {
        *seen.entry(client.get("/").await.text()).or_default() += 1;
    }
    seen
}

/// What the admin address says about the servers, by address.
async fn shown(wald: &Wald) -> BTreeMap<String, Value> {
    let listed = wald.ask("/api/v1/upstreams").await;
    let endpoints = listed["upstreams"][0]["endpoints"].as_array();
    let endpoints = endpoints.expect("a list").iter();
    let named = |shown: &Value| Some((shown["address"].as_str()?.to_owned(), shown.clone()));
    endpoints.filter_map(named).collect()
}

/// Waits until a server is shown as healthy, or as not.
async fn healthy(wald: &Wald, address: SocketAddr, expected: bool) {
    let address = address.to_string();
    until(&format!("{address} is healthy: {expected}"), async || {
        let shown = shown(wald).await;
        (shown.get(&address)?["healthy"] == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn rounds_are_even_and_weights_are_kept() {
    let (a, b) = (
        Upstream::start("a", Reply::Name).await,
        Upstream::start("b", Reply::Name).await,
    );
    let folder = Folder::new();
    let rounds = ", balance: round_robin";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], rounds).await;
    let seen = answers(&mut wald.connect("edge").await, 10).await;
    assert_eq!(seen, [("a".to_owned(), 5), ("b".to_owned(), 5)].into());

    let heavy = format!("{{ url: {}, weight: 4 }}", b.endpoint());
    let wald = front(&folder, &[a.endpoint(), heavy], rounds).await;
    let seen = answers(&mut wald.connect("edge").await, 50).await;
    assert!((9..=11).contains(&seen["a"]), "{seen:?}");
}

#[tokio::test]
async fn a_user_stays_with_one_server() {
    let folder = Folder::new();
    let mut servers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        servers.push(Upstream::start(name, Reply::Name).await);
    }
    let endpoints: Vec<_> = servers.iter().map(Upstream::endpoint).collect();
    let by_user = ", balance: { hash: { header: x-user } }";
    let wald = front(&folder, &endpoints, by_user).await;
    let mut client = wald.connect("edge").await;
    let mut homes = BTreeMap::new();
    for user in (0..40).cycle().take(120) {
        let user = format!("user-{user}");
        let headers = [("x-user", user.as_str())];
        let answer = client.send(Method::GET, "/", &headers, Bytes::new()).await;
        let home = homes.entry(user).or_insert_with(|| answer.text());
        assert_eq!(*home, answer.text());
    }
    let used: std::collections::BTreeSet<_> = homes.values().collect();
    assert_eq!(used.len(), 4, "{homes:?}");
}

#[tokio::test]
async fn a_slow_server_gets_what_it_can_answer() {
    let (quick, slow) = (
        Upstream::start("quick", Reply::Name).await,
        Upstream::start("slow", Reply::Held).await,
    );
    let folder = Folder::new();
    let wald = front(&folder, &[quick.endpoint(), slow.endpoint()], "").await;
    // One request is stuck there; whoever comes after it goes elsewhere.
    let mut stuck = wald.connect("edge").await;
    let mut others = wald.connect("edge").await;
    let stuck = tokio::spawn(async move { while stuck.get("/").await.text() != "slow" {} });
    until("a request is stuck", async || {
        (slow.asked() == 1).then_some(())
    })
    .await;
    let seen = answers(&mut others, 50).await;
    assert_eq!(seen, [("quick".to_owned(), 50)].into());
    slow.release(1);
    stuck.await.expect("it is answered");
}

#[tokio::test]
async fn a_server_that_says_it_is_not_ready_is_spared_until_it_is() {
    let (a, b) = (
        Upstream::start("a", Reply::Name).await,
        Upstream::start("b", Reply::Status(StatusCode::SERVICE_UNAVAILABLE)).await,
    );
    let folder = Folder::new();
    let health = ", balance: round_robin, health: { path: /ready, interval: 50ms, healthy: 2, unhealthy: 2 }";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], health).await;
    healthy(&wald, b.address(), false).await;
    let unwell = format!(
        "wald_upstream_endpoint_healthy{{upstream=\"models\",endpoint=\"{}\"}} 0",
        b.address()
    );
    wald.shows(&unwell).await;
    let seen = answers(&mut wald.connect("edge").await, 20).await;
    assert_eq!(seen, [("a".to_owned(), 20)].into());
    b.reply(Reply::Name);
    healthy(&wald, b.address(), true).await;
    until("b gets requests again", async || {
        let seen = answers(&mut wald.connect("edge").await, 2).await;
        seen.contains_key("b").then_some(())
    })
    .await;
}

#[tokio::test]
async fn when_too_few_are_well_all_are_used() {
    let bad = || Upstream::start("bad", Reply::Status(StatusCode::SERVICE_UNAVAILABLE));
    let (a, b) = (bad().await, bad().await);
    let folder = Folder::new();
    let health = ", health: { path: /ready, interval: 50ms }";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], health).await;
    healthy(&wald, a.address(), false).await;
    healthy(&wald, b.address(), false).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.text(), "503 Service Unavailable", "the server's own");
    wald.shows("wald_upstream_panic{upstream=\"models\"} 1")
        .await;
}

#[tokio::test]
async fn a_connection_can_be_all_that_health_means() {
    let (a, b) = (
        Upstream::start("a", Reply::Name).await,
        Upstream::start("b", Reply::Status(StatusCode::SERVICE_UNAVAILABLE)).await,
    );
    let folder = Folder::new();
    let health = ", health: { tcp: true, interval: 50ms, unhealthy: 1 }";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], health).await;
    let (gone, stays) = (a.address(), b.address());
    drop(a);
    healthy(&wald, gone, false).await;
    healthy(&wald, stays, true).await;
}

#[tokio::test]
async fn a_server_of_calls_is_asked_by_the_health_checking_protocol() {
    let (server, other) = (Calls::start(10).await, Calls::start(10).await);
    let folder = Folder::new();
    let health = |service: &str| {
        format!(", protocol: http2, health: {{ grpc: {service}, interval: 50ms, unhealthy: 1 }}")
    };
    let endpoints = [server.endpoint(), other.endpoint()];
    let wald = front(&folder, &endpoints, &health("fraud")).await;
    healthy(&wald, server.address(), true).await;
    until("it was asked", async || (server.begun() > 0).then_some(())).await;
    server.stop_serving();
    healthy(&wald, server.address(), false).await;
    healthy(&wald, other.address(), true).await;

    let wald = front(&folder, &endpoints, &health("unknown")).await;
    healthy(&wald, other.address(), false).await;
}

#[tokio::test]
async fn a_server_that_keeps_failing_is_set_aside_and_tried_again_later() {
    let (a, b) = (
        Upstream::start("a", Reply::Name).await,
        Upstream::start("b", Reply::Status(StatusCode::BAD_GATEWAY)).await,
    );
    let folder = Folder::new();
    let eviction =
        ", balance: round_robin, eviction: { consecutive_failures: 3, base: 1s, max: 1s }";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], eviction).await;
    let mut client = wald.connect("edge").await;
    let seen = answers(&mut client, 20).await;
    assert_eq!(seen["502 Bad Gateway"], 3, "{seen:?}");
    let shown = &shown(&wald).await[&b.address().to_string()];
    let counts =
        ["healthy", "evicted_by_workers", "evictions", "failed"].map(|field| &shown[field]);
    assert_eq!(
        counts,
        [&Value::from(false), &1.into(), &1.into(), &3.into()]
    );
    b.reply(Reply::Name);
    until("b is tried again", async || {
        (client.get("/").await.text() == "b").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_is() {
    let (a, b) = (
        Upstream::start("a", Reply::Name).await,
        Upstream::start("b", Reply::Resting(60)).await,
    );
    let folder = Folder::new();
    let rounds = ", balance: round_robin";
    let wald = front(&folder, &[a.endpoint(), b.endpoint()], rounds).await;
    let seen = answers(&mut wald.connect("edge").await, 20).await;
    assert_eq!(seen, [("a".to_owned(), 19), ("b".to_owned(), 1)].into());
}

#[tokio::test]
async fn an_error_of_one_request_takes_no_server_from_the_others() {
    let server = Upstream::start("a", Reply::Status(StatusCode::INTERNAL_SERVER_ERROR)).await;
    let other = Upstream::start("b", Reply::Name).await;
    let folder = Folder::new();
    let eviction = ", balance: round_robin, eviction: { consecutive_failures: 1 }";
    let wald = front(&folder, &[server.endpoint(), other.endpoint()], eviction).await;
    let seen = answers(&mut wald.connect("edge").await, 20).await;
    assert_eq!(seen["500 Internal Server Error"], 10, "{seen:?}");
}

#[tokio::test]
async fn a_name_stands_for_all_its_addresses_and_is_followed_when_they_change() {
    let one = Upstream::start("one", Reply::Name).await;
    let port = one.address().port();
    let second = Ipv4Addr::new(127, 0, 0, 2);
    let two = Upstream::start_at((second, port).into(), "two", Reply::Name).await;
    let names = Names::start(&[Ipv4Addr::LOCALHOST, second]).await;
    let folder = Folder::new();
    let endpoint = format!("http://models.test:{port}");
    let dns = format!("dns: {{ servers: [\"{}\"] }}\n", names.address());
    let rounds = ", balance: round_robin";
    let wald = front_with(&folder, &[endpoint], rounds, &dns).await;
    let mut client = wald.connect("edge").await;
    let seen = answers(&mut client, 10).await;
    assert_eq!(seen, [("one".to_owned(), 5), ("two".to_owned(), 5)].into());
    names.replace(&[second]);
    until("the name is followed", async || {
        let seen = answers(&mut client, 4).await;
        (seen == [("two".to_owned(), 4)].into()).then_some(())
    })
    .await;
    // A name that is gone keeps its last addresses.
    names.replace(&[]);
    let unknown = |event: &Event| event["message"] == "a name cannot be looked up";
    wald.logged("the name is unknown", unknown).await;
    assert_eq!(answers(&mut client, 1).await.len(), 1);
    drop(two);
}
