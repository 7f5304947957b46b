//! Arms that are alike: three hundred experiments through one Wald, whose users return and differ from each other.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::Value;
use tests::{Client, Folder, Reply, Upstream, Wald, document, until};
use tokio::task::JoinSet;

const EXPERIMENTS: usize = 300;

/// At 5%, and three standard errors of 300 such experiments more.
const FALSE_VERDICTS_MAX: usize = 26;

const CONNECTIONS: usize = 12;
const USERS: u64 = 1_400;
const REQUESTS: u64 = 2_400;

/// Three users in ten buy often, the others rarely: what a user does tells much of what the same user does next
/// (an intraclass correlation of 0.1).
const RARELY: f64 = 0.1;
const OFTEN: f64 = 0.37;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arms_that_are_alike_are_told_apart_in_one_of_twenty_runs_at_most() {
    let echo = Upstream::start("{}", Reply::Echo).await;
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", text(&echo, &folder))).await;
    let edge = wald.address("edge").await;
    let mut lanes = JoinSet::new();
    for lane in 0..CONNECTIONS {
        lanes.spawn(converse(edge, lane));
    }
    let peeked: usize = lanes.join_all().await.into_iter().sum();
    let (mut verdicts, mut judged) = (0, 0);
    for number in 0..EXPERIMENTS {
        let found = closed(&wald, number).await;
        judged += usize::from(!found["metrics"][0]["interval"].is_null());
        verdicts += usize::from(matches!(
            found["state"].as_str(),
            Some("promoted" | "rolled_back")
        ));
    }
    assert!(
        verdicts <= FALSE_VERDICTS_MAX,
        "{verdicts} of {EXPERIMENTS}"
    );
    assert!(
        judged > EXPERIMENTS * 9 / 10,
        "only {judged} were judged at all"
    );
    // The control: whoever looks at a test that is made for one look, and takes requests for independent.
    assert!(
        peeked > 3 * FALSE_VERDICTS_MAX,
        "only {peeked}: this traffic is too easy"
    );
}

/// What is known of an experiment once all of its traffic has been judged.
async fn closed(wald: &Wald, number: usize) -> Value {
    let path = format!("/api/v1/experiments/alike-{number}");
    until("all of it is closed", async || {
        let found = wald.ask(&path).await;
        let counts = found["metrics"][0]["n"].as_array()?.iter();
        let counted: u64 = counts.filter_map(Value::as_u64).sum();
        let is_over = found["state"] != "running";
        (is_over || counted == REQUESTS).then_some(found)
    })
    .await
}

/// Asks each experiment of this lane in turn; returns in how many of them a peeked z-test would have seen something.
async fn converse(edge: std::net::SocketAddr, lane: usize) -> usize {
    let mut client = Client::open(edge).await;
    let mut mine: Vec<_> = (lane..EXPERIMENTS)
        .step_by(CONNECTIONS)
        .map(Traffic::new)
        .collect();
    for _ in 0..REQUESTS {
        for traffic in &mut mine {
            traffic.request(&mut client).await;
        }
    }
    mine.iter().filter(|traffic| traffic.has_alarmed).count()
}

/// The traffic of one experiment.
struct Traffic {
    path: String,
    random: Pcg64Mcg,
    /// By arm: requests, and those that bought.
    counts: [[f64; 2]; 2],
    has_alarmed: bool,
}

impl Traffic {
    fn new(number: usize) -> Self {
        Self {
            path: format!("/{number}/"),
            random: Pcg64Mcg::seed_from_u64(number as u64),
            counts: [[0.0; 2]; 2],
            has_alarmed: false,
        }
    }

    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    async fn request(&mut self, client: &mut Client) {
        let user = self.random.next_u64() % USERS;
        let rate = if user % 10 < 3 { OFTEN } else { RARELY };
        let bought = self.uniform() < rate;
        let user = user.to_string();
        let body = if bought {
            r#"{"bought":true}"#
        } else {
            r#"{"bought":false}"#
        };
        let headers = [("x-user", user.as_str())];
        let body = Bytes::from_static(body.as_bytes());
        let answer = client.send(Method::POST, &self.path, &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arm = usize::from(answer.header("x-wald-arm") == "candidate");
        let [n, s] = &mut self.counts[arm];
        *n += 1.0;
        *s += f64::from(u8::from(bought));
        self.peek();
    }

    /// Two proportions, as if all requests were independent, from the hundredth on, and at 5% each time.
    fn peek(&mut self) {
        let [[n_a, s_a], [n_b, s_b]] = self.counts;
        let rate = (s_a + s_b) / (n_a + n_b);
        let variance = rate * (1.0 - rate) * (1.0 / n_a + 1.0 / n_b);
        let z = (s_b / n_b - s_a / n_a) / variance.sqrt();
        self.has_alarmed |= n_a.min(n_b) >= 100.0 && z.abs() > 1.96;
    }
}

fn text(echo: &Upstream, folder: &Folder) -> String {
    let mut routes = String::from("routes:\n");
    let mut experiments = String::from("experiments:\n");
    for number in 0..EXPERIMENTS {
        writeln!(
            routes,
            "  - {{ name: r{number}, match: {{ path: {{ prefix: /{number} }} }}, allow: [{{ callers: anyone }}], backend: {{ experiment: alike-{number} }} }}"
        )
        .expect("memory takes it");
        writeln!(
            experiments,
            "  - name: alike-{number}
    unit: {{ header: x-user }}
    arms:
      - {{ name: control, backend: {{ upstream: echo }} }}
      - {{ name: candidate, backend: {{ upstream: echo }} }}
    ramp: [30%, 50%]
    step_minimum: {{ observations: 300, time: 1s }}
    metrics:
      - {{ name: bought, kind: proportion, source: {{ response: /bought }}, better: higher, role: goal, window: 1s }}"
        )
        .expect("memory takes it");
    }
    document(&format!(
        "store: {{ path: {} }}\nupstreams: [{{ name: echo, endpoints: [{}] }}]\n{routes}{experiments}",
        folder.path("wald.redb").display(),
        echo.endpoint()
    ))
}
