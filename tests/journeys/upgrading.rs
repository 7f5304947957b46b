//! Connections that change to another protocol: WebSocket and the like.

use tests::{Folder, Wald, document, in_time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that changes to whatever it is asked for, greets, and says everything back; what it was asked comes
/// out at its end.
async fn parrot() -> (String, JoinHandle<String>) {
    let socket = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    let task = tokio::spawn(async move {
        let (mut stream, _) = socket.accept().await.expect("a connection");
        let asked = head(&mut stream).await;
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: yes\r\n\r\nhello";
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("it is heard");
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.ok();
        asked
    });
    (format!("http://{address}"), task)
}

/// Everything up to an empty line, as it was written.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = in_time("a head", stream.read_u8()).await;
        head.push(byte.expect("a head has an end"));
    }
    String::from_utf8(head).expect("a head is text")
}

async fn front(folder: &Folder, endpoint: &str, fields: &str) -> Wald {
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [\"{endpoint}\"] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }}{fields} }}]
"
    ));
    Wald::run(&folder.write("wald.yaml", text)).await
}

const ASK: &[u8] = b"GET /live HTTP/1.1\r\nHost: models.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: key\r\nX-Wald-Arm: mine\r\n\r\n";

#[tokio::test]
async fn both_sides_talk_freely_once_both_have_changed() {
    let (folder, (endpoint, parrot)) = (Folder::new(), parrot().await);
    let wald = front(&folder, &endpoint, ", upgrades: [WebSocket], idle: 30s").await;
    let mut client = TcpStream::connect(wald.address("edge").await)
        .await
        .expect("a connection");
    client.write_all(ASK).await.expect("it is heard");
    let answer = head(&mut client).await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    for field in [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-accept: yes",
        "x-request-id: ",
    ] {
        assert!(answer.contains(field), "{answer}");
    }
    let mut greeting = [0; 5];
    in_time("a greeting", client.read_exact(&mut greeting))
        .await
        .expect("it came with the head");
    assert_eq!(&greeting, b"hello");
    for word in [&b"one"[..], b"\0two\xff"] {
        client.write_all(word).await.expect("it is heard");
        let mut echo = vec![0; word.len()];
        in_time("an echo", client.read_exact(&mut echo))
            .await
            .expect("it is said back");
        assert_eq!(echo, word);
    }
    // When one side ends the other does.
    client.shutdown().await.expect("an end");
    let asked = in_time("the end", parrot)
        .await
        .expect("nobody panicked")
        .to_ascii_lowercase();
    assert!(
        asked.contains("upgrade: websocket") && asked.contains("connection: upgrade"),
        "{asked}"
    );
    assert!(
        asked.contains("sec-websocket-key: key") && !asked.contains("mine"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_tunnel_in_which_nobody_speaks_is_closed() {
    let (folder, (endpoint, _parrot)) = (Folder::new(), parrot().await);
    let wald = front(&folder, &endpoint, ", upgrades: [websocket], idle: 200ms").await;
    let mut client = TcpStream::connect(wald.address("edge").await)
        .await
        .expect("a connection");
    client.write_all(ASK).await.expect("it is heard");
    let mut all = Vec::new();
    in_time("the end", client.read_to_end(&mut all)).await.ok();
    assert!(all.ends_with(b"hello"));
}

#[tokio::test]
async fn a_route_that_offers_no_other_protocol_says_so_and_asks_nobody() {
    let (folder, (endpoint, parrot)) = (Folder::new(), parrot().await);
    for fields in ["", ", upgrades: [other]"] {
        let wald = front(&folder, &endpoint, fields).await;
        let mut client = TcpStream::connect(wald.address("edge").await)
            .await
            .expect("a connection");
        client.write_all(ASK).await.expect("it is heard");
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
    }
    assert!(!parrot.is_finished());
}

#[tokio::test]
async fn a_server_that_does_not_change_just_answers() {
    let upstream = tests::Upstream::start("backend", tests::Reply::Name).await;
    let folder = Folder::new();
    let wald = front(&folder, &upstream.endpoint(), ", upgrades: [websocket]").await;
    let mut client = TcpStream::connect(wald.address("edge").await)
        .await
        .expect("a connection");
    client.write_all(ASK).await.expect("it is heard");
    let answer = head(&mut client).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && !answer.contains("pgrade"),
        "{answer}"
    );
}
