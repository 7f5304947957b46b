//! Stopping: what was begun is finished, unless someone is in a hurry.

use tests::{Folder, Reply, Signal, Upstream, Wald, fronting, until};
use tokio::net::TcpStream;

#[tokio::test]
async fn sigterm_finishes_what_was_begun() {
    drains(Signal::TERM).await;
}

#[tokio::test]
async fn ctrl_c_finishes_what_was_begun() {
    drains(Signal::INT).await;
}

#[tokio::test]
async fn a_client_who_was_let_in_and_has_not_asked_yet_is_answered() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let folder = Folder::new();
    let text = fronting(&upstream).replace("workers: 2", "workers: 1");
    let mut wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut early = wald.connect("edge").await;
    // A worker takes connections in their order: once the second is answered, the first was let in.
    assert_eq!(wald.connect("edge").await.get("/").await.status, 200);
    wald.signal(Signal::TERM);
    closed(&wald).await;
    let answer = early.get("/").await;
    assert_eq!(answer.text(), "backend");
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(wald.ended().await.code(), Some(0), "{}", wald.said());
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let (mut upstream, mut wald) = front().await;
    let mut client = wald.connect("edge").await;
    let waiting = tokio::spawn(async move {
        client
            .attempt(http::Method::GET, "/", &[], bytes::Bytes::new())
            .await
    });
    upstream.arrived().await;
    wald.signal(Signal::TERM);
    closed(&wald).await;
    wald.signal(Signal::TERM);
    wald.ended().await;
    let lost = waiting.await.expect("the client ends");
    assert!(lost.is_err(), "the upstream never answered, yet {lost:?}");
}

#[tokio::test]
async fn balancers_hear_of_the_end_before_the_door_closes() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let folder = Folder::new();
    let text = fronting(&upstream) + "drain: { wait: 2s }\n";
    let mut wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut admin = wald.connect("admin").await;
    wald.signal(Signal::TERM);
    until("it is not ready any more", async || {
        (admin.get("/readyz").await.status.as_u16() == 503).then_some(())
    })
    .await;
    // Nothing has been lost so far, and whoever does not know yet is served.
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.text(), "backend");
    // Clients hear of it, too, before they meet a closed connection.
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(wald.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_signal_is_heard_as_soon_as_wald_is_ready() {
    // Before the handlers were there, one of some starts was killed instead.
    for _ in 0..20 {
        let folder = Folder::new();
        let upstream = Upstream::start("backend", Reply::Name).await;
        let mut wald = Wald::run(&folder.write("wald.yaml", fronting(&upstream))).await;
        wald.signal(Signal::TERM);
        assert_eq!(wald.ended().await.code(), Some(0), "{}", wald.said());
    }
}

async fn drains(signal: Signal) {
    let (mut upstream, mut wald) = front().await;
    let mut client = wald.connect("edge").await;
    let waiting = tokio::spawn(async move { client.get("/").await });
    upstream.arrived().await;
    wald.signal(signal);
    closed(&wald).await;
    upstream.release(1);
    let answer = waiting.await.expect("the client ends");
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (200, "backend".to_owned())
    );
    assert_eq!(wald.ended().await.code(), Some(0), "{}", wald.said());
}

async fn front() -> (Upstream, Wald) {
    let upstream = Upstream::start("backend", Reply::Held).await;
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", fronting(&upstream))).await;
    (upstream, wald)
}

/// Waits until nobody new is let in.
async fn closed(wald: &Wald) {
    let address = wald.address("edge").await;
    until("the door closes", async || {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
}
