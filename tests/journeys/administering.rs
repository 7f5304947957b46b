//! The admin address: who may look, who may operate, who may decide; by certificate and by token.

use http::{Method, StatusCode};
use serde_json::json;
use tests::{
    Answer, Authority, Folder, Identity, Kept, Secure, SigningKey, Wald, Wish, claims, key_set,
    until, wald,
};

const ROLES: &str = r#"roles: {
    viewer: [{ callers: ["spiffe://bank.example/view"] }],
    operator: [{ callers: ["spiffe://bank.example/run"] }],
    approver: [{ callers: ["spiffe://bank.example/judge"] }] }"#;

struct Realm {
    folder: Folder,
    servers: Authority,
    people: Authority,
}

impl Realm {
    fn new() -> Self {
        let realm = Self {
            folder: Folder::new(),
            servers: Authority::new("servers"),
            people: Authority::new("people"),
        };
        let admin = realm.servers.vouch(Wish::default());
        for (name, text) in [
            ("admin.pem", admin.pem()),
            ("ca.pem", realm.servers.pem()),
            ("people.pem", realm.people.pem()),
            ("people.crl", realm.people.revoke(&[], 2100)),
        ] {
            realm.folder.write(name, text);
        }
        realm
    }

    /// A wald whose admin section has these fields.
    async fn run(&self, admin: &str) -> Wald {
        let document = format!(
            "\
version: wald/v1
admin: {{ address: 127.0.0.1:0, {admin} }}
workers: 1
telemetry: {{ log: {{ format: json }} }}
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
tokens: [{{ issuer: \"https://issuer.test\", audiences: [models], keys: {{ file: keys.json }}, algorithms: [ES256] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ respond: {{ status: 204 }} }} }}]
"
        );
        // Readiness is asked over plain text; these journeys wait for the address instead.
        let wald = Wald::launch(&self.folder.write("wald.yaml", document));
        wald.admin().await;
        wald
    }

    fn person(&self, id: &str, serial: u64) -> Identity {
        self.people.vouch(Wish {
            uris: &[id],
            serial,
            ..Wish::default()
        })
    }

    async fn connect(&self, wald: &Wald, who: Option<&Identity>) -> Kept {
        let client = Secure::new(&self.servers.pem(), who, "http/1.1");
        let channel = client.connect(wald.admin().await, "localhost").await;
        channel.expect("hands are shaken").keep().await
    }
}

fn secure(more: &str) -> String {
    format!(
        "tls: {{ certificate: {{ chain: admin.pem, key: admin.pem }}, clients: optional, trust: [people.pem], crl: [people.crl] }}, {more}"
    )
}

#[track_caller]
fn check(answer: &Answer, may: bool, what: &str) {
    let refused = matches!(
        answer.status,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED
    );
    assert_eq!(!refused, may, "{what}: {answer:?}");
    if refused {
        assert_eq!(answer.json()["code"], "WALD-4706", "{what}");
        assert!(!answer.text().contains("spiffe"), "{what} tells too much");
    }
}

#[tokio::test]
async fn each_role_may_do_what_it_is_for_and_nothing_more() {
    let realm = Realm::new();
    realm.folder.write("keys.json", key_set(&[]));
    let wald = realm.run(&secure(ROLES)).await;
    let mut refusals = 0;
    for (who, roles) in [
        (Some("view"), 1),
        (Some("run"), 2),
        (Some("judge"), 3),
        (Some("stranger"), 0),
        (None, 0),
    ] {
        let identity = who.map(|who| realm.person(&format!("spiffe://bank.example/{who}"), 1));
        let mut admin = realm.connect(&wald, identity.as_ref()).await;
        assert_eq!(admin.get("/livez").await.status, StatusCode::OK);
        for (method, path, takes) in [
            (Method::GET, "/api/v1/experiments", 1),
            (Method::GET, "/metrics", 1),
            (Method::GET, "/", 1),
            (Method::POST, "/api/v1/reload", 2),
            // Decisions by hand come later; whoever may not take them does not learn that.
            (Method::POST, "/api/v1/experiments/trial/promote", 3),
        ] {
            let may = roles >= takes;
            refusals += u64::from(!may);
            let answer = admin.send(method, path, &[]).await;
            check(&answer, may, &format!("{who:?} {path}"));
        }
    }
    let viewer = realm.person("spiffe://bank.example/view", 1);
    let mut admin = realm.connect(&wald, Some(&viewer)).await;
    let line = format!("wald_refusals_total{{reason=\"WALD-4706\"}} {refusals}");
    let text = admin.get("/metrics").await.text();
    assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
}

#[tokio::test]
async fn a_revoked_operator_is_out_on_the_connection_that_is_open() {
    let realm = Realm::new();
    realm.folder.write("keys.json", key_set(&[]));
    let wald = realm.run(&secure(ROLES)).await;
    let operator = realm.person("spiffe://bank.example/run", 7);
    let mut admin = realm.connect(&wald, Some(&operator)).await;
    assert_eq!(admin.get("/api/v1/policy").await.status, StatusCode::OK);
    realm
        .folder
        .swap("people.crl", realm.people.revoke(&[7], 2100));
    until("the revocation is in force", async || {
        let answer = admin.get("/api/v1/policy").await;
        (answer.status == StatusCode::FORBIDDEN).then_some(())
    })
    .await;
}

#[tokio::test]
async fn tokens_give_roles_over_plain_loopback_too() {
    let realm = Realm::new();
    let key = SigningKey::p256("k1");
    realm.folder.write("keys.json", key_set(&[&key]));
    let roles = r#"roles: { viewer: [{ claims: { scope: { contains: look } } }], operator: [{ claims: { scope: { contains: run } } }] }"#;
    let wald = realm.run(roles).await;
    let mut admin = wald.connect("admin").await;
    let mut ask = async |method: Method, path: &str, token: Option<String>| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer
            .iter()
            .map(|bearer| ("authorization", &**bearer))
            .collect();
        let answer = admin
            .send(method, path, &headers, bytes::Bytes::new())
            .await;
        let code = match answer.status {
            StatusCode::OK => serde_json::Value::Null,
            _ => answer.json()["code"].clone(),
        };
        (
            answer.status.as_u16(),
            code,
            answer.header("www-authenticate").to_owned(),
        )
    };
    let scoped = |scope: &str| Some(key.token(&claims(&json!({ "scope": scope }))));
    let (look, run) = (scoped("look"), scoped("run"));
    let late = Some(key.token(&claims(&json!({ "scope": "look", "exp": 1 }))));
    let path = "/api/v1/experiments";
    assert_eq!(ask(Method::GET, "/readyz", None).await.0, 200);
    let (status, code, challenge) = ask(Method::GET, path, None).await;
    assert_eq!((status, code), (401, json!("WALD-4707")));
    assert_eq!(challenge, "Bearer realm=\"wald\"");
    let (status, code, challenge) = ask(Method::GET, path, late).await;
    assert_eq!((status, code), (401, json!("WALD-4708")));
    assert!(challenge.contains("invalid_token"), "{challenge}");
    assert_eq!(ask(Method::GET, path, look.clone()).await.0, 200);
    let (status, code, _) = ask(Method::POST, "/api/v1/reload", look).await;
    assert_eq!((status, code), (403, json!("WALD-4706")));
    assert_eq!(ask(Method::POST, "/api/v1/reload", run).await.0, 200);
}

#[tokio::test]
async fn the_command_line_shows_who_it_is() {
    let realm = Realm::new();
    realm.folder.write("keys.json", key_set(&[]));
    let viewer = realm.person("spiffe://bank.example/view", 1);
    let viewer = realm.folder.write("viewer.pem", viewer.pem());
    let wald_runs = realm.run(&secure(ROLES)).await;
    let port = wald_runs.admin().await.port();
    let admin = format!("https://localhost:{port}");
    let (ca, viewer) = (realm.folder.path("ca.pem"), viewer);
    let [ca, viewer] = [&ca, &viewer].map(|path| path.to_str().expect("text"));
    let list = ["experiment", "list", "-o", "json", "--admin", &admin];
    let trusting = ["--admin-ca", ca];
    let named = ["--admin-cert", viewer, "--admin-key", viewer];
    let said = wald(list.iter().chain(&trusting).chain(&named)).await;
    assert_eq!(
        (said.code, said.json()),
        (Some(0), json!({ "experiments": [] }))
    );
    let said = wald(list.iter().chain(&trusting)).await;
    assert!(
        said.code == Some(1) && said.stderr.contains("403"),
        "{said:?}"
    );
    // Whom nobody vouches for is not asked.
    let said = wald(list.iter().chain(&["--admin-ca", viewer])).await;
    assert!(
        said.code == Some(1) && said.stderr.contains("UnknownIssuer"),
        "{said:?}"
    );
}
