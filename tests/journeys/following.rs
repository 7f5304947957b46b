//! Events: whoever listens hears what happens to experiments, also what happened while it was away.

use serde_json::{Value, json};
use tests::{Folder, Reply, Upstream, Wald, in_time, trial};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_listener_hears_each_transition_as_a_cloud_event() {
    let journey = Journey::start().await;
    let mut listener = Listener::open(&journey.wald, "", "").await;
    journey.say("pause").await;
    let (id, kind, event) = listener.next().await;
    assert_eq!((id, kind.as_str()), (2, "paused"), "the start was before");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(
        (&event["id"], &event["type"]),
        (&json!("2"), &json!("wald.experiment.paused"))
    );
    assert_eq!(
        (&event["source"], &event["subject"]),
        (&json!("/api/v1/experiments/trial"), &json!("trial/1"))
    );
    assert_eq!(event["data"]["detail"]["reason"], "to be heard");
    assert_eq!(event["data"]["actor"], "somebody at 127.0.0.1");
    journey.say("resume").await;
    assert_eq!(listener.next().await.1, "resumed");
}

#[tokio::test]
async fn what_happened_while_nobody_listened_is_heard_by_its_number() {
    let journey = Journey::start().await;
    for verb in ["pause", "resume", "promote"] {
        journey.say(verb).await;
    }
    let mut listener = Listener::open(&journey.wald, "", "last-event-id: 2\r\n").await;
    let (third, fourth) = (listener.next().await, listener.next().await);
    assert_eq!((third.0, third.1.as_str()), (3, "resumed"));
    assert_eq!((fourth.0, fourth.1.as_str()), (4, "promoted"));
    let mut listener = Listener::open(&journey.wald, "?after=0", "").await;
    assert_eq!(listener.next().await.1, "started");
}

struct Journey {
    _upstream: Upstream,
    _folder: Folder,
    wald: Wald,
}

impl Journey {
    async fn start() -> Self {
        let upstream = Upstream::start("both", Reply::Name).await;
        let folder = Folder::new();
        let text = trial(&upstream, &upstream, &folder.path("wald.redb"));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            _upstream: upstream,
            _folder: folder,
            wald,
        }
    }

    async fn say(&self, verb: &str) {
        let path = format!("/api/v1/experiments/trial/{verb}");
        let mut admin = self.wald.connect("admin").await;
        let answer = admin.post(&path, &json!({ "reason": "to be heard" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

/// A connection over which events come.
struct Listener(BufReader<TcpStream>);

impl Listener {
    async fn open(wald: &Wald, query: &str, headers: &str) -> Self {
        let admin = wald.admin().await;
        let mut stream = TcpStream::connect(admin).await.expect("a connection");
        let request =
            format!("GET /api/v1/events{query} HTTP/1.1\r\nhost: {admin}\r\n{headers}\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it is sent");
        let mut listener = Self(BufReader::new(stream));
        assert_eq!(listener.line().await, "HTTP/1.1 200 OK");
        while !listener.line().await.is_empty() {}
        listener
    }

    /// The next event: its id, its name, its data.
    async fn next(&mut self) -> (u64, String, Value) {
        let (mut id, mut kind) = (0, String::new());
        loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some(("id", number)) => id = number.parse().expect("a number"),
                Some(("event", name)) => name.clone_into(&mut kind),
                Some(("data", data)) => {
                    return (id, kind, serde_json::from_str(data).expect("JSON"));
                }
                // Lengths of chunks, and what keeps the connection alive.
                _ => {}
            }
        }
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = in_time("a line", self.0.read_line(&mut line)).await;
        assert!(read.expect("the connection holds") > 0, "it ended");
        line.trim_end().to_owned()
    }
}
