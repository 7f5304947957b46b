//! HTTP/2 as an attack: connections that cost a server more than their client are ended, and others are served.

use tests::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, Frames, HEADERS, PING, RST_STREAM, frame, get,
};
use tests::{Folder, Reply, Upstream, Wald, fronting, until};

async fn front(reply: Reply) -> (Wald, Upstream, Folder) {
    let (upstream, folder) = (Upstream::start("backend", reply).await, Folder::new());
    let wald = Wald::run(&folder.write("wald.yaml", fronting(&upstream))).await;
    (wald, upstream, folder)
}

/// Frames until the connection takes no more, or there were `most`; then waits for its end, which must come.
async fn flood(client: &mut Frames, most: u32, each: impl Fn(u32) -> Vec<u8>) {
    for number in 0..most {
        if !client.write(&each(number)).await {
            return;
        }
    }
    while let Some(_frame) = client.next().await {}
}

#[tokio::test]
async fn a_client_that_takes_back_what_it_asks_for_is_sent_away() {
    let (wald, upstream, _folder) = front(Reply::Held).await;
    let mut client = Frames::open(wald.address("edge").await).await;
    let asked_and_taken_back = |number: u32| {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get());
        let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        [head, reset].concat()
    };
    flood(&mut client, 5_000, asked_and_taken_back).await;
    assert!(upstream.asked() < 5_000);
    upstream.release(5_000);
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.text(), "backend");
}

#[tokio::test]
async fn a_client_that_asks_waits_and_takes_back_is_sent_away_too() {
    let (wald, upstream, _folder) = front(Reply::Held).await;
    let mut client = Frames::open(wald.address("edge").await).await;
    // Slow enough that the protocol's own limits see nothing in it.
    for number in 0..300 {
        let stream = 2 * number + 1;
        let head = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get());
        let before = upstream.asked();
        if !client.write(&head).await {
            break;
        }
        let asked = async || (upstream.asked() > before || number > 200).then_some(());
        until("it is asked", asked).await;
        client
            .write(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()))
            .await;
    }
    while let Some(_frame) = client.next().await {}
    let text = wald.connect("admin").await.get("/metrics").await.text();
    assert!(
        text.contains("wald_limit_reached_total{limit=\"premature_resets\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let (wald, upstream, _folder) = front(Reply::Name).await;
    let mut client = Frames::open(wald.address("edge").await).await;
    client.write(&frame(HEADERS, END_STREAM, 1, &get())).await;
    let more = frame(CONTINUATION, 0, 1, &[0x40, 1, b'a', 1, b'b']);
    flood(&mut client, 100_000, |_| more.clone()).await;
    assert_eq!(upstream.asked(), 0);
}

#[tokio::test]
async fn pings_that_nobody_reads_the_answers_of_fill_no_memory() {
    let (wald, _upstream, _folder) = front(Reply::Name).await;
    let before = wald.resident_bytes();
    let mut client = Frames::open(wald.address("edge").await).await;
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1_000);
    // Some megabytes, until the other end takes no more.
    let sent = tokio::time::timeout(std::time::Duration::from_secs(2), async {
        for _ in 0..1_000 {
            client.write(&pings).await;
        }
    });
    sent.await.ok();
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(answer.text(), "backend");
    let grown = wald.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}
