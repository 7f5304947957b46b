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
