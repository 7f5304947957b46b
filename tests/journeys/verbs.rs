//! The verbs that look, while another process serves.

use tests::{Folder, Reply, Upstream, Wald, document, trial, wald};

#[tokio::test]
async fn validate_lists_every_problem_with_its_line() {
    let folder = Folder::new();
    let text = document(
        "\
upstrems: []
routes:
  - { name: a, backend: { upstream: nowhere } }
  - { name: a, alow: [], backend: { respond: { status: ten } } }
",
    );
    let path = folder.write("wald.yaml", text);
    let said = wald(["validate", "-o", "json", "-c", path.to_str().expect("text")]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    let listed = said.json();
    let problems = listed["problems"].as_array().expect("a list").clone();
    let lines: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem["line"].as_u64())
        .collect();
    assert!(
        lines.is_sorted() && lines.contains(&6) && lines.contains(&9),
        "{listed}"
    );
    for (word, remedy) in [("upstrems", "upstreams"), ("alow", "allow")] {
        let found = problems.iter().find(|problem| {
            problem["message"]
                .as_str()
                .is_some_and(|text| text.contains(word))
        });
        let found = found.unwrap_or_else(|| panic!("nothing about {word} in {listed}"));
        assert!(
            found["remedy"]
                .as_str()
                .is_some_and(|text| text.contains(remedy)),
            "{found}"
        );
        assert!(
            found["code"]
                .as_str()
                .is_some_and(|code| code.starts_with("WALD-1")),
            "{found}"
        );
    }
}

#[tokio::test]
async fn a_section_that_is_not_built_yet_is_refused_by_name() {
    let folder = Folder::new();
    let text = document(
        "\
upstreams: [{ name: spare, endpoints: [\"http://127.0.0.1:1\"], region: ae }]
routes:
  - { name: all, allow: [{ callers: anyone }], backend: { upstream: spare } }
",
    );
    let path = folder.write("wald.yaml", text);
    let said = wald(["validate", "-o", "json", "-c", path.to_str().expect("text")]).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.stdout.contains("WALD-2001") && said.stdout.contains("not built yet"),
        "{said:?}"
    );
}

#[tokio::test]
async fn audit_check_and_experiment_work_while_another_process_serves() {
    let upstream = Upstream::start("both", Reply::Name).await;
    let folder = Folder::new();
    let text = trial(&upstream, &upstream, &folder.path("wald.redb"));
    let path = folder.write("wald.yaml", text);
    let running = Wald::run(&path).await;
    let (path, admin) = (
        path.to_str().expect("text"),
        running.admin().await.to_string(),
    );
    let listed = wald(["experiment", "list", "-o", "json", "--admin", &admin]).await;
    assert_eq!(
        (listed.code, &listed.json()["experiments"][0]["name"]),
        (Some(0), &"trial".into())
    );
    let shown = wald([
        "experiment",
        "show",
        "trial",
        "-o",
        "json",
        "--admin",
        &admin,
    ])
    .await;
    assert_eq!(
        (shown.code, &shown.json()["state"]),
        (Some(0), &"running".into()),
        "{shown:?}"
    );
    let verified = wald(["audit", "verify", "-c", path]).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let exported = wald(["audit", "export", "-c", path]).await;
    assert!(exported.stdout.contains("trial"), "{exported:?}");
    let checked = wald(["check", "-c", path]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[tokio::test]
async fn the_schema_is_json_that_knows_every_section() {
    let said = wald(["schema"]).await;
    let properties = &said.json()["properties"];
    for section in [
        "listeners",
        "routes",
        "experiments",
        "upstreams",
        "models",
        "telemetry",
    ] {
        assert!(properties[section].is_object(), "{section} is missing");
    }
}

#[tokio::test]
async fn a_shell_completes_verbs() {
    let script = wald(["completions", "bash"]).await;
    assert_eq!(script.code, Some(0), "{script:?}");
    let folder = Folder::new();
    let path = folder.write("wald.bash", script.stdout);
    let complete = "source \"$0\"; COMP_WORDS=(wald exper); COMP_CWORD=1; _wald wald exper wald; echo \"${COMPREPLY[@]}\"";
    let said = std::process::Command::new("bash")
        .args(["--norc", "-c", complete])
        .arg(path)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.trim(), "experiment");
}

#[tokio::test]
async fn each_verb_has_a_manual_page() {
    let folder = Folder::new();
    let to = folder.path("");
    let said = wald(["man", "--to", to.to_str().expect("text")]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    for (page, name, says) in [
        ("wald.1", "wald", "experiment"),
        ("wald-run.1", "wald-run", "upgrade"),
        ("wald-experiment-show.1", "wald-experiment-show", "admin"),
    ] {
        let text = std::fs::read_to_string(folder.path(page)).expect(page);
        assert!(text.contains(&format!(".TH {name} 1")), "{page}: {text}");
        assert!(text.contains(says), "{page}: {text}");
    }
    let nowhere = wald(["man", "--to", "/nowhere/at/all"]).await;
    assert_eq!(nowhere.code, Some(1), "{nowhere:?}");
    assert!(
        nowhere.stderr.contains("pages into /nowhere/at/all"),
        "{nowhere:?}"
    );
}
