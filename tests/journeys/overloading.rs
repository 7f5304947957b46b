//! Three times as much as the backend can do: it goes on doing all that it can, and the rest is told at once.

use std::time::Instant;

use http::StatusCode;
use tests::{Folder, Load, Reply, Upstream, Wald, fronting, until};

/// What a backend does in a second under this load; and how all of the load went.
async fn done_in_a_second(upstream: &Upstream, load: Load) -> (f64, tests::Outcome) {
    const REQUESTS: usize = 1_000;
    let warm = upstream.asked() + 100;
    until("the load flows", async || {
        (upstream.asked() > warm).then_some(())
    })
    .await;
    let (from, start) = (upstream.asked(), Instant::now());
    until("requests are done", async || {
        (upstream.asked() >= from + REQUESTS).then_some(())
    })
    .await;
    let done = f64::from(u32::try_from(upstream.asked() - from).expect("a few"));
    let rate = done / start.elapsed().as_secs_f64();
    (rate, load.stop().await)
}

#[tokio::test]
async fn a_backend_under_load_that_is_too_much_does_as_much_as_ever() {
    let (upstream, folder) = (Upstream::start("b", Reply::Works).await, Folder::new());
    let limits = "], limits: { in_flight: 8, queued: 8 }, timeouts: { queue: 100ms } }]\nroutes";
    let text = fronting(&upstream)
        .replace("] }]\nroutes", limits)
        .replace("workers: 2", "workers: 1");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let edge = wald.address("edge").await;
    // As many clients as it takes to keep the backend busy, and then thrice the requests.
    let (peak, calm) = done_in_a_second(&upstream, Load::start(edge, "/", 8, 80_000)).await;
    let statuses: Vec<_> = calm.answers.keys().collect();
    assert_eq!(statuses, [&StatusCode::OK], "{calm:?}");

    let before = wald.resident_bytes();
    let load = Load::start(edge, "/", 40, 4_000);
    let measured = done_in_a_second(&upstream, load);
    let asked = async {
        // Whoever operates it is answered meanwhile.
        for _ in 0..10 {
            assert!(wald.ask("/api/v1/upstreams").await.is_object());
        }
    };
    let ((goodput, outcome), ()) = tokio::join!(measured, asked);
    assert!(
        goodput >= 0.9 * peak,
        "{goodput} of {peak} a second: {outcome:?}"
    );
    assert!(outcome.lost.is_empty(), "{outcome:?}");
    let statuses: Vec<_> = outcome.answers.keys().collect();
    assert_eq!(
        statuses,
        [&StatusCode::OK, &StatusCode::SERVICE_UNAVAILABLE]
    );
    let shed = outcome.answers[&StatusCode::SERVICE_UNAVAILABLE];
    assert!(
        shed > outcome.answers[&StatusCode::OK],
        "it was too much: {outcome:?}"
    );
    let grown = wald.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}
