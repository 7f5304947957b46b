//! `wald run --upgrade`: one process takes over from another while traffic runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::Method;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tests::{Client, Folder, Reply, Signal, Upstream, Wald, fronting, in_time, trial, until};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, UnixDatagram, UnixStream};
use tokio::task::JoinSet;

/// Connections that are always being opened.
const LANES: usize = 4;

#[tokio::test]
async fn no_connection_is_refused_and_no_exposure_is_lost() {
    let journey = Journey::start().await;
    let mut first = journey.run().await;
    let visits = Visits::start(first.address("edge").await);
    visits.reach(200).await;
    let second = journey.succeed(&mut first).await;
    visits.reach(visits.answered() + 200).await;
    let answered = visits.stop().await;
    // What the first one's workers saw last came over, and was counted where the store is now.
    until("each request is an exposure", async || {
        (exposures(&second).await == answered).then_some(())
    })
    .await;
    let trial = second.ask("/api/v1/experiments/trial").await;
    assert_eq!(trial["run"], 1, "{trial}");
}

#[tokio::test]
async fn a_request_that_the_first_has_begun_is_finished_by_it() {
    let mut upstream = Upstream::start("backend", Reply::Held).await;
    let folder = Folder::new();
    let socket = folder.path("upgrade.sock");
    let text = format!(
        "{}upgrade: {{ socket: {} }}\n",
        fronting(&upstream),
        socket.display()
    );
    let document = folder.write("wald.yaml", text);
    let mut first = Wald::run(&document).await;
    let mut client = first.connect("edge").await;
    let waiting = tokio::spawn(async move { client.get("/").await });
    upstream.arrived().await;
    let second = Wald::upgrade(&document);
    first
        .logged("it is relieved", |event| {
            event["message"] == "another wald has taken over"
        })
        .await;
    let edge = second.address("edge").await;
    assert_eq!(edge, first.address("edge").await);
    let later = tokio::spawn(async move { Client::open(edge).await.get("/").await });
    upstream.arrived().await;
    upstream.release(2);
    assert_eq!(waiting.await.expect("the client ends").text(), "backend");
    assert_eq!(later.await.expect("the client ends").text(), "backend");
    assert_eq!(first.ended().await.code(), Some(0), "{}", first.said());
    assert!(socket.exists(), "the second waits for a third");
    assert_eq!(second.stop().await.code(), Some(0));
    assert!(!socket.exists(), "nobody waits any more");
}

#[tokio::test]
async fn one_upgrade_follows_another_with_as_many_workers_as_each_document_says() {
    let journey = Journey::start().await;
    let mut wald = journey.run().await;
    let visits = Visits::start(wald.address("edge").await);
    for workers in [3, 1, 2] {
        visits.reach(visits.answered() + 100).await;
        let text = journey
            .text
            .replace("workers: 2", &format!("workers: {workers}"));
        journey.folder.write("wald.yaml", text);
        wald = journey.succeed(&mut wald).await;
        visits.reach(visits.answered() + 100).await;
    }
    visits.stop().await;
}

#[tokio::test]
async fn one_that_cannot_serve_leaves_the_first_as_it_was() {
    let journey = Journey::start().await;
    let first = journey.run().await;
    let edge = first.address("edge").await;
    let holder = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = holder.local_addr().expect("an address").to_string();
    let bad = journey.text.replace(
        "listeners: [",
        &format!("listeners: [{{ name: second, address: {taken} }}, "),
    );
    let document = journey.folder.write("bad.yaml", bad);
    let mut second = Wald::upgrade(&document);
    assert_eq!(second.ended().await.code(), Some(1), "{}", second.said());
    assert!(second.said().contains(&taken), "{}", second.said());
    still_decides(&first, edge).await;
}

#[tokio::test]
async fn one_that_ends_with_the_store_in_its_hands_gives_it_back() {
    let journey = Journey::start().await;
    let first = journey.run().await;
    let edge = first.address("edge").await;
    let mut heir = Heir::ask(&journey.socket()).await;
    heir.say(r#""Store""#).await;
    assert_eq!(heir.hear().await, "Closed");
    // Nothing is decided or forgotten meanwhile, and whoever asks is served.
    assert_eq!(Client::open(edge).await.get("/").await.status, 200);
    let item = serde_json::json!({ "assignment": "any", "metric": "liked", "value": 1 });
    let turned_away = first
        .connect("admin")
        .await
        .post("/api/v1/feedback", &item)
        .await;
    assert_eq!(turned_away.status, 503, "{}", turned_away.text());
    drop(heir);
    first
        .logged("the store is back", |event| {
            event["message"] == "the store is open again"
        })
        .await;
    still_decides(&first, edge).await;
}

#[tokio::test]
async fn one_that_hands_over_in_another_way_is_told_so() {
    let journey = Journey::start().await;
    let first = journey.run().await;
    let mut heir = Heir::knock(&journey.socket()).await;
    heir.say(r#"{"Hello":{"format":0,"version":"0.0.1"}}"#)
        .await;
    assert!(heir.hear().await["Hello"]["format"].as_u64() > Some(0));
    first
        .logged("it says why", |event| {
            event["error"]
                .as_str()
                .is_some_and(|error| error.contains("0.0.1"))
        })
        .await;
    let edge = first.address("edge").await;
    still_decides(&first, edge).await;
}

#[tokio::test]
async fn on_a_signal_it_starts_its_heir_and_its_supervisor_hears_of_it() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let folder = Folder::new();
    let socket = folder.path("upgrade.sock");
    let more = format!("upgrade: {{ socket: {} }}\n", socket.display());
    let document = folder.write("wald.yaml", fronting(&upstream) + &more);
    let path = folder.path("notify.sock");
    let supervisor = UnixDatagram::bind(&path).expect("a supervisor's socket");
    let mut first = Wald::launch_in(&document, &[("NOTIFY_SOCKET", &path)]);
    let first_pid = main_pid(&supervisor).await;
    first.signal(Signal::USR2);
    let second_pid = main_pid(&supervisor).await;
    assert_ne!(first_pid, second_pid);
    assert_eq!(first.ended().await.code(), Some(0), "{}", first.said());
    let edge = first.address("edge").await;
    assert_eq!(Client::open(edge).await.get("/").await.text(), "backend");
    let second = Pid::from_raw(second_pid).expect("the id of a process");
    kill_process(second, Signal::TERM).expect("the second runs");
    assert_eq!(told(&supervisor).await, "STOPPING=1\n");
    until("nobody waits any more", async || {
        (!socket.exists()).then_some(())
    })
    .await;
}

/// Which process serves, once the supervisor hears it.
async fn main_pid(supervisor: &UnixDatagram) -> i32 {
    let told = told(supervisor).await;
    let pid = told.strip_prefix("READY=1\nMAINPID=").expect("it serves");
    pid.trim().parse().expect("the id of a process")
}

async fn told(supervisor: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let heard = in_time("a word of wald", supervisor.recv(&mut message)).await;
    String::from_utf8_lossy(&message[..heard.expect("a message")]).into_owned()
}

#[tokio::test]
async fn without_one_to_take_over_from_there_is_no_start() {
    let journey = Journey::start().await;
    for (text, said) in [
        (journey.text.clone(), "start without --upgrade"),
        (fronting(&journey.control), "upgrade: { socket }"),
    ] {
        let document = journey.folder.write("alone.yaml", text);
        let mut alone = Wald::upgrade(&document);
        assert_eq!(alone.ended().await.code(), Some(1));
        assert!(alone.said().contains(said), "{}", alone.said());
    }
}

/// The experiment goes on, which takes a store.
async fn still_decides(wald: &Wald, edge: SocketAddr) {
    let before = exposures(wald).await;
    let mut client = Client::open(edge).await;
    let user = [("x-user", "later")];
    let answer = client.send(Method::GET, "/", &user, Bytes::new()).await;
    assert_eq!(answer.status, 200);
    until("the exposure counts", async || {
        (exposures(wald).await > before).then_some(())
    })
    .await;
}

async fn exposures(wald: &Wald) -> u64 {
    let trial = wald.ask("/api/v1/experiments/trial").await;
    let arms = trial["arms"].as_array().expect("arms");
    let counts = arms
        .iter()
        .map(|arm| arm["exposures"].as_u64().expect("a count"));
    counts.sum()
}

/// One experiment between equals.
struct Journey {
    control: Upstream,
    _candidate: Upstream,
    folder: Folder,
    text: String,
}

impl Journey {
    async fn start() -> Self {
        let control = Upstream::start("control", Reply::Name).await;
        let candidate = Upstream::start("candidate", Reply::Name).await;
        let folder = Folder::new();
        let text = trial(&control, &candidate, &folder.path("wald.redb"));
        folder.write("wald.yaml", &text);
        Self {
            control,
            _candidate: candidate,
            folder,
            text,
        }
    }

    fn document(&self) -> PathBuf {
        self.folder.path("wald.yaml")
    }

    fn socket(&self) -> PathBuf {
        self.folder.path("wald.redb.upgrade")
    }

    async fn run(&self) -> Wald {
        let wald = Wald::run(&self.document()).await;
        until("it waits for another", async || {
            self.socket().exists().then_some(())
        })
        .await;
        wald
    }

    /// Starts another that takes over, and waits until the first has ended.
    async fn succeed(&self, first: &mut Wald) -> Wald {
        let wald = Wald::upgrade(&self.document());
        assert_eq!(first.ended().await.code(), Some(0), "{}", first.said());
        let mut admin = wald.connect("admin").await;
        assert_eq!(admin.get("/readyz").await.status, 200);
        until("it waits for another", async || {
            self.socket().exists().then_some(())
        })
        .await;
        wald
    }
}

/// The other end of the line, as far as this journey needs it.
struct Heir(BufReader<UnixStream>);

impl Heir {
    async fn knock(socket: &Path) -> Self {
        // The path is there a moment before somebody listens at it.
        let stream = until("somebody waits", async || {
            UnixStream::connect(socket).await.ok()
        })
        .await;
        Self(BufReader::new(stream))
    }

    /// One that has been given the sockets.
    async fn ask(socket: &Path) -> Self {
        let mut heir = Self::knock(socket).await;
        heir.say(r#"{"Hello":{"format":1,"version":"0.0.1"}}"#)
            .await;
        assert_eq!(heir.hear().await["Hello"]["format"], 1);
        // Read like any bytes, the descriptors that come with them are closed.
        let sockets = heir.hear().await;
        let sockets = sockets["Sockets"]
            .as_array()
            .expect("a list of sockets")
            .len();
        assert_eq!(sockets, 3, "two workers and the admin address");
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut heir.0, &mut byte)
            .await
            .expect("the byte that the sockets came with");
        heir
    }

    async fn say(&mut self, word: &str) {
        let line = format!("{word}\n");
        self.0
            .write_all(line.as_bytes())
            .await
            .expect("the other end hears");
    }

    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.0
            .read_line(&mut line)
            .await
            .expect("the other end speaks");
        serde_json::from_str(&line).expect("a word")
    }
}

/// Clients who each open a connection, ask once, and go.
struct Visits {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    lanes: JoinSet<()>,
}

impl Visits {
    fn start(edge: SocketAddr) -> Self {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            lanes.spawn(async move {
                for visit in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let user = format!("{lane}-{visit}");
                    let mut client = Client::knock(edge).await.expect("nobody is refused");
                    let headers = [("x-user", user.as_str())];
                    let answer = client.send(Method::GET, "/", &headers, Bytes::new()).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self {
            stop,
            answered,
            lanes,
        }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    async fn reach(&self, count: u64) {
        until("visits", async || (self.answered() >= count).then_some(())).await;
    }

    /// Ends them; how many there were. None of them may have failed.
    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.lanes.join_all().await;
        self.answered.load(Ordering::Relaxed)
    }
}
