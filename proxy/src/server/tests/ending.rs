//! How a worker ends: what was begun is finished, nothing new begins.

use tokio::net::TcpStream;

use super::{Phase, Upstream, Wald, fronting};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn a_draining_worker_finishes_its_requests_and_takes_no_more() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut idle = wald.connect().await;
    let mut first = upstream.accept_after(&mut idle, REQUEST).await;
    first.answer().await;
    first
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    idle.answer().await;
    let mut busy = wald.connect().await;
    busy.send(REQUEST).await;
    first.answer().await;

    wald.phase.send_replace(Phase::Draining);
    idle.closed().await;
    assert!(TcpStream::connect(wald.address).await.is_err());
    first
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    assert_eq!(busy.answer().await.text(), "ok");
    busy.closed().await;
}

#[tokio::test]
async fn a_worker_that_was_told_twice_waits_for_nobody() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream.accept_after(&mut client, REQUEST).await;
    connection.answer().await;
    wald.phase.send_replace(Phase::Draining);
    wald.phase.send_replace(Phase::Ended);
    client.closed().await;
    connection.closed().await;
}
