//! Programs of others as clients and as an upstream: curl, openssl, Python's `ssl`, nginx.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use http::StatusCode;
use tests::{Authority, Client, Wald, Wish, until};

use super::{Realm, WEB, counted, handshakes};

/// A realm whose workload has its certificate in `web.pem`, and a `wald` that lets this workload pass alone.
async fn front() -> (Realm, Wald) {
    let realm = Realm::new();
    realm.folder.write("web.pem", realm.workload(WEB).pem());
    realm.folder.write("servers.pem", realm.servers.pem());
    let document = format!(
        "\
listeners:
  - name: edge
    address: 127.0.0.1:0
    tls: {{ certificate: {{ chain: edge.pem, key: edge.pem }}, clients: optional, trust: [clients.pem] }}
routes: [{{ name: web, allow: [{{ callers: [\"{WEB}\"] }}], backend: {{ respond: {{ status: 200, body: hello }} }} }}]
"
    );
    let wald = realm.serve(&document).await;
    (realm, wald)
}

/// What a program writes, on both streams, when it runs in the realm's folder.
fn said(realm: &Realm, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(realm.folder.path(""));
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("the program is installed");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

fn url(edge: SocketAddr) -> String {
    format!("https://localhost:{}/", edge.port())
}

#[tokio::test]
async fn curl_is_let_in_with_its_workloads_certificate_and_not_without() {
    let (realm, wald) = front().await;
    let url = url(wald.address("edge").await);
    let base = [
        "-sS",
        "--cacert",
        "servers.pem",
        "-w",
        " %{http_code}",
        &*url,
    ];
    let own = ["--cert", "web.pem", "--key", "web.pem"];
    for version in ["--http1.1", "--http2"] {
        let with = said(&realm, "curl", &[&base[..], &own, &[version]].concat());
        assert_eq!(with, "hello 200", "{version}");
        let without = said(&realm, "curl", &[&base[..], &[version]].concat());
        assert!(without.ends_with("} 403"), "{without}");
    }
}

#[tokio::test]
async fn openssl_shakes_hands_and_gets_no_ticket() {
    let (realm, wald) = front().await;
    let edge = wald.address("edge").await.to_string();
    let base = [
        "s_client",
        "-connect",
        &*edge,
        "-servername",
        "localhost",
        "-CAfile",
        "servers.pem",
    ];
    let own = [
        "-cert",
        "web.pem",
        "-key",
        "web.pem",
        "-verify_return_error",
    ];
    let text = said(&realm, "openssl", &[&base[..], &own].concat());
    assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
    assert!(text.contains("TLSv1.3"), "{text}");
    assert!(!text.contains("New Session Ticket"), "{text}");
    let old = said(&realm, "openssl", &[&base[..], &["-tls1_2"]].concat());
    assert!(old.contains("alert protocol version"), "{old}");
    counted(&wald, &handshakes("incompatible"), 1).await;
}

#[tokio::test]
async fn python_is_refused_with_a_certificate_of_another_authority() {
    let (realm, wald) = front().await;
    let edge = wald.address("edge").await;
    realm.folder.write(
        "foreign.pem",
        Authority::new("others").vouch(Wish::default()).pem(),
    );
    let script = "\
import socket, ssl, sys
context = ssl.create_default_context(cafile='servers.pem')
context.load_cert_chain(sys.argv[1])
with socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as plain:
    with context.wrap_socket(plain, server_hostname='localhost') as secure:
        if sys.argv[1] == 'foreign.pem':
            print(secure.recv(1))
        secure.sendall(b'GET / HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n')
        print(secure.recv(65536).split(b'\\r\\n')[0].decode())
";
    let port = edge.port().to_string();
    let own = said(&realm, "python3", &["-c", script, "web.pem", &port]);
    assert_eq!(own.trim(), "HTTP/1.1 200 OK");
    let foreign = said(&realm, "python3", &["-c", script, "foreign.pem", &port]);
    assert!(
        foreign.contains("UNKNOWN_CA") || foreign.contains("unknown ca"),
        "{foreign}"
    );
    counted(&wald, &handshakes("unknown_issuer"), 1).await;
}

/// An nginx that asks its clients for certificates; it stops when it is dropped.
struct Nginx(Child);

impl Nginx {
    async fn start(realm: &Realm) -> (Self, SocketAddr) {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let address = free.expect("a port is free");
        let folder = realm.folder.path("");
        let folder = folder.display();
        let config = format!(
            "\
daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen {address} ssl;
    ssl_certificate {folder}/nginx.pem; ssl_certificate_key {folder}/nginx.pem;
    ssl_client_certificate {folder}/clients.pem; ssl_verify_client on;
    location / {{ return 200 \"nginx saw $ssl_client_verify\"; }}
  }}
}}
"
        );
        let config = realm.folder.write("nginx.conf", config);
        let mut command = Command::new("nginx");
        command
            .arg("-c")
            .arg(config)
            .arg("-p")
            .arg(folder.to_string());
        let child = command.stderr(Stdio::null()).spawn().expect("nginx starts");
        let nginx = Self(child);
        until("nginx listens", async || Client::knock(address).await.ok()).await;
        (nginx, address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM lets the master end its workers; SIGKILL would leave them behind.
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).ok();
        self.0.wait().ok();
    }
}

#[tokio::test]
async fn nginx_answers_as_an_upstream_that_asks_for_our_certificate() {
    let realm = Realm::new();
    let wish = Wish {
        dns_names: &[],
        uris: &["spiffe://bank.example/nginx"],
        ..Wish::default()
    };
    realm
        .folder
        .write("nginx.pem", realm.servers.vouch(wish).pem());
    realm.folder.write("ca.pem", realm.servers.pem());
    realm.folder.write(
        "wald.pem",
        realm.workload("spiffe://bank.example/wald").pem(),
    );
    let (_nginx, address) = Nginx::start(&realm).await;
    let document = format!(
        "\
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
upstreams:
  - name: nginx
    endpoints: [\"https://{address}\"]
    tls: {{ trust: [ca.pem], spiffe_id: \"spiffe://bank.example/nginx\", certificate: {{ chain: wald.pem, key: wald.pem }} }}
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: nginx }} }}]
"
    );
    let wald = realm.serve(&document).await;
    let answer = wald.connect("edge").await.get("/").await;
    assert_eq!(
        (answer.status, &*answer.text()),
        (StatusCode::OK, "nginx saw SUCCESS")
    );
}
