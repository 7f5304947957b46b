//! Who takes part in an experiment: layers, the holdout, opting out, and testers who choose an arm.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;
use tests::{Answer, Folder, Reply, Upstream, Wald, document, until};

/// Two experiments on two paths, of one layer; some take no part.
async fn two() -> (Folder, Upstream, Upstream, Wald) {
    let control = Upstream::start("control", Reply::Name).await;
    let candidate = Upstream::start("candidate", Reply::Name).await;
    let folder = Folder::new();
    let experiment = |name: &str, part: &str| {
        format!(
            "  - name: {name}
    unit: {{ header: x-user }}
    layer: {{ name: page, {part} }}
    holdout: 10%
    opt_out: [{{ headers: {{ sec-gpc: {{ exact: \"1\" }} }} }}]
    testers: [{{ callers: anyone, methods: [PUT] }}]
    arms:
      - {{ name: control, backend: {{ upstream: control }} }}
      - {{ name: candidate, backend: {{ upstream: candidate }} }}
    metrics: [{{ name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 1s }}]
"
        )
    };
    let text = document(&format!(
        "\
store: {{ path: {} }}
upstreams:
  - {{ name: control, endpoints: [{}] }}
  - {{ name: candidate, endpoints: [{}] }}
routes:
  - {{ name: one, match: {{ path: {{ exact: /one }} }}, allow: [{{ callers: anyone }}], backend: {{ experiment: one }} }}
  - {{ name: two, match: {{ path: {{ exact: /two }} }}, allow: [{{ callers: anyone }}], backend: {{ experiment: two }} }}
experiments:
{}{}",
        folder.path("wald.redb").display(),
        control.endpoint(),
        candidate.endpoint(),
        experiment("one", "to: 50%"),
        experiment("two", "from: 50%"),
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    (folder, control, candidate, wald)
}

/// Whether an answer is evidence of an experiment: then it carries the token that feedback gives back.
fn is_counted(answer: &Answer) -> bool {
    answer.headers.contains_key("x-wald-assignment")
}

#[tokio::test]
async fn experiments_of_one_layer_never_share_a_user_and_the_held_out_are_in_neither() {
    let (_folder, _control, _candidate, wald) = two().await;
    let mut client = wald.connect("edge").await;
    let mut met = [BTreeSet::new(), BTreeSet::new()];
    for user in 0..300 {
        let name = user.to_string();
        for (path, met) in ["/one", "/two"].into_iter().zip(&mut met) {
            let headers = [("x-user", name.as_str())];
            let answer = client.send(Method::GET, path, &headers, Bytes::new()).await;
            assert_eq!(answer.status, 200);
            if is_counted(&answer) {
                met.insert(user);
            } else {
                assert_eq!(answer.text(), "control");
            }
        }
    }
    let [one, two] = &met;
    assert!(one.is_disjoint(two));
    assert!(
        one.len() > 90 && two.len() > 90,
        "{} {}",
        one.len(),
        two.len()
    );
    let held = 300 - one.len() - two.len();
    assert!(
        (10..60).contains(&held),
        "about a tenth is held out of both: {held}"
    );
    for (name, met) in ["one", "two"].into_iter().zip(&met) {
        let path = format!("/api/v1/experiments/{name}");
        let exposed = until("all are exposed", async || {
            let seen = wald.ask(&path).await;
            let arms = seen["arms"].as_array().cloned().unwrap_or_default();
            let count: u64 = arms
                .iter()
                .filter_map(|arm| arm["exposures"].as_u64())
                .sum();
            (count >= met.len() as u64).then_some(count)
        });
        assert_eq!(exposed.await, met.len() as u64);
        let elsewhere = 300 - met.len() - held;
        for (reason, count) in [("holdout", held), ("layer", elsewhere)] {
            let labels = format!("{{experiment=\"{name}\",reason=\"{reason}\"}}");
            wald.shows(&format!("wald_experiment_outside_total{labels} {count}"))
                .await;
        }
    }
}

#[tokio::test]
async fn who_opts_out_meets_the_control_and_testers_meet_what_they_choose() {
    let (_folder, control, candidate, wald) = two().await;
    let mut client = wald.connect("edge").await;
    let mut send = async |method: Method, header: (&str, &str), user: usize| {
        let user = user.to_string();
        let headers = [("x-user", user.as_str()), header];
        client.send(method, "/one", &headers, Bytes::new()).await
    };
    for user in 0..40 {
        let out = send(Method::GET, ("sec-gpc", "1"), user).await;
        assert_eq!(
            (out.text(), is_counted(&out)),
            ("control".to_owned(), false)
        );
        for arm in ["control", "candidate"] {
            let choice = format!("one={arm}");
            let chosen = send(Method::PUT, ("x-wald-override", &choice), user).await;
            assert_eq!((&*chosen.text(), is_counted(&chosen)), (arm, false));
            assert_eq!(chosen.header("x-wald-arm"), arm);
        }
        let usual = send(Method::GET, ("x-any", "1"), user).await;
        let stranger = send(Method::GET, ("x-wald-override", "one=candidate"), user).await;
        assert_eq!(
            stranger.text(),
            usual.text(),
            "who is no tester chooses nothing"
        );
    }
    for mut upstream in [control, candidate] {
        for _ in 0..upstream.asked() {
            let arrived = upstream.arrived().await;
            assert!(!arrived.head.headers.contains_key("x-wald-override"));
        }
    }
}
