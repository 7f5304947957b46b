//! Limits of handshakes: what is too much is closed and counted, and requests go on.

use http::StatusCode;
use tests::in_time;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::{Realm, counted, handshakes};

#[tokio::test]
async fn a_handshake_that_is_never_finished_ends_in_time() {
    let realm = Realm::new();
    let wald = realm.run("", ", limits: { handshake_time: 50ms }").await;
    let mut idle = TcpStream::connect(wald.address("edge").await)
        .await
        .expect("a connection");
    let mut rest = Vec::new();
    let read = in_time("wald closes", idle.read_to_end(&mut rest)).await;
    assert_eq!(read.expect("a clean end"), 0);
    counted(&wald, &handshakes("late"), 1).await;
}

#[tokio::test]
async fn too_many_handshakes_at_once_are_closed_and_counted_while_requests_go_on() {
    let realm = Realm::new();
    let wald = realm.run("", ", limits: { handshakes: 2 }").await;
    let edge = wald.address("edge").await;
    let client = realm.client(None);
    let channel = client.connect(edge, "localhost").await;
    let channel = channel.expect("hands are shaken");
    // The client is done first; the turn is given back when the server is done, too.
    counted(&wald, &handshakes("completed"), 1).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(edge).await.expect("a connection"));
    }
    for count in 1..=20 {
        assert!(client.connect(edge, "localhost").await.is_err());
        counted(
            &wald,
            "wald_limit_reached_total{limit=\"listener_handshakes\"}",
            count,
        )
        .await;
    }
    let answer = channel.get("/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    drop(idle);
    counted(&wald, &handshakes("broken"), 2).await;
    let answer = client.get(edge, "/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn handshakes_that_come_too_fast_are_closed_and_counted() {
    let realm = Realm::new();
    let wald = realm.run("", ", limits: { handshake_rate: 3/h }").await;
    let edge = wald.address("edge").await;
    let client = realm.client(None);
    let channel = client.connect(edge, "localhost").await;
    let channel = channel.expect("the first one is let through");
    assert!(client.connect(edge, "localhost").await.is_err());
    counted(
        &wald,
        "wald_limit_reached_total{limit=\"listener_handshake_rate\"}",
        1,
    )
    .await;
    let answer = channel.get("/").await.expect("an answer");
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}
