//! Values of another kind than their field wants.

use crate::{check, check_whole};

#[test]
fn whole_numbers_are_neither_negative_nor_broken_nor_quoted() {
    check(
        "workers: -1",
        &[
            "4:10: WALD-1010 workers: found `-1`, want a whole number from 0 to 4294967295 (write it like `10`)",
        ],
    );
    check(
        "workers: 1.5",
        &[
            "4:10: WALD-1010 workers: found `1.5`, want a whole number from 0 to 4294967295 (write it like `10`)",
        ],
    );
    check(
        "workers: \"2\"",
        &[
            r#"4:10: WALD-1008 workers: found the text "2", want a whole number from 0 to 4294967295 (write it like `10`)"#,
        ],
    );
    check(
        "workers: 4294967296",
        &[
            "4:10: WALD-1010 workers: found `4294967296`, want a whole number from 0 to 4294967295 (write it like `10`)",
        ],
    );
}

#[test]
fn a_number_is_finite_and_not_negative() {
    let experiment = |worth: &str| {
        format!(
            "experiments: [{{ name: e, unit: request, arms: [], metrics: [{{ name: m, kind: mean, source: duration, better: lower, role: goal, worth: {worth} }}] }}]"
        )
    };
    check(
        &experiment(".inf"),
        &[
            "4:136: WALD-1008 experiments[0].metrics[0].worth: found `.inf`, want a finite number that is not negative (write it like `0.5`)",
        ],
    );
    check(
        &experiment("1e999"),
        &[
            "4:136: WALD-1010 experiments[0].metrics[0].worth: found `1e999`, want a finite number that is not negative (write it like `0.5`)",
        ],
    );
    check(
        &experiment("-0.1"),
        &[
            "4:136: WALD-1010 experiments[0].metrics[0].worth: found `-0.1`, want a finite number that is not negative (write it like `0.5`)",
        ],
    );
}

#[test]
fn yes_is_text_and_not_true() {
    check(
        "upstreams: [{ name: u, endpoints: [], insecure: yes }]",
        &[
            r#"4:49: WALD-1008 upstreams[0].insecure: found the text "yes", want `true` or `false` (write it like `true`)"#,
        ],
    );
}

#[test]
fn a_time_a_size_a_share_and_a_rate_want_their_units() {
    check(
        "tokens: [{ issuer: i, audiences: [], keys: { file: k }, algorithms: [], leeway: 30 }]",
        &[
            "4:81: WALD-1008 tokens[0].leeway: found `30`, want a time with its unit (us, ms, s, m, h, d) (write it like `10s`)",
        ],
    );
    check(
        "experiments: [{ name: e, unit: request, arms: [], metrics: [], alpha: 5 }]",
        &[
            "4:71: WALD-1008 experiments[0].alpha: found `5`, want a share from 0% to 100%, or from 0 to 1 (write it like `5%`)",
        ],
    );
}

#[test]
fn a_word_is_one_of_those_that_its_field_knows() {
    check(
        "telemetry: { log: { format: jsn } }",
        &[
            r#"4:29: WALD-1009 telemetry.log.format: unknown choice: the text "jsn" (did you mean `json`? known here: `json`, `text`)"#,
        ],
    );
    check(
        "upstreams: [{ name: u, endpoints: [], balance: hash }]",
        &[
            "4:48: WALD-1008 upstreams[0].balance: `hash` needs a value (write it like `{ hash: { header: … } }`)",
        ],
    );
    check(
        "upstreams: [{ name: u, endpoints: [], balance: { round_robin: true } }]",
        &[
            "4:50: WALD-1008 upstreams[0].balance: `round_robin` takes no value (write it like `round_robin`)",
        ],
    );
    check(
        "upstreams: [{ name: u, endpoints: [], balance: { hash: { heder: x } } }]",
        &[
            "4:58: WALD-1009 upstreams[0].balance.hash: unknown choice: `heder` (did you mean `header`? known here: `{ header: … }`, `{ cookie: … }`, `{ claim: … }`)",
        ],
    );
    check(
        "upstreams: [{ name: u, endpoints: [], balance: [] }]",
        &[
            "4:39: WALD-1008 upstreams[0].balance: found a list, want exactly one of `peak_ewma`, `least_requests`, `round_robin`, `{ hash: { header: … } }` (keep one of them)",
        ],
    );
}

#[test]
fn a_map_has_one_of_the_shapes_that_its_field_knows() {
    let issuer = |keys: &str| {
        format!("tokens: [{{ issuer: i, audiences: [], keys: {keys}, algorithms: [] }}]")
    };
    check(
        &issuer("jwks.json"),
        &[
            r#"4:44: WALD-1008 tokens[0].keys: found the text "jwks.json", want a map with one of `file`, `url` (write it like `{ file: folder/file }`)"#,
        ],
    );
    check(
        &issuer("{}"),
        &[
            "4:38: WALD-1008 tokens[0].keys: found none of `file`, `url` (known here: `file`, `url`)",
        ],
    );
    check(
        &issuer("{ fil: jwks.json }"),
        &[
            "4:38: WALD-1008 tokens[0].keys: found none of `file`, `url` (did you mean `file`? known here: `file`, `url`)",
        ],
    );
    check(
        &issuer("{ file: jwks.json, url: https://i }"),
        &["4:38: WALD-1008 tokens[0].keys: found `file`, `url` together (keep one of them)"],
    );
    check(
        &issuer("{ file: jwks.json, refresh: 1m }"),
        &["4:63: WALD-1005 tokens[0].keys: unknown field `refresh` (known here: `file`)"],
    );
    check(
        &issuer("{ refresh: 1m }"),
        &["4:38: WALD-1007 tokens[0].keys.url: missing, want text (add `url: …`)"],
    );
}

#[test]
fn a_webhook_is_sent_types_and_signed_with_a_secret_from_somewhere() {
    let hook = |rest: &str| format!("events: {{ webhooks: [{{ url: http://h, {rest} }}] }}");
    check(
        &hook("secret: word"),
        &[
            r#"4:47: WALD-1008 events.webhooks[0].secret: found the text "word", want a map with one of `file`, `env` (write it like `{ file: folder/file }`)"#,
        ],
    );
    check(
        &hook("format: slak"),
        &[
            r#"4:47: WALD-1009 events.webhooks[0].format: unknown choice: the text "slak" (did you mean `slack`? known here: `cloudevents`, `slack`, `alertmanager`)"#,
        ],
    );
}

#[test]
fn a_retry_is_on_a_word_or_a_status() {
    check_whole(
        "version: wald/v1\nlisteners: []\nroutes:\n  - name: r\n    backend: { upstream: u }\n    retries: { attempts: 1, when: [connect, resets, 503] }",
        &[
            r#"6:45: WALD-1008 routes[0].retries.when[1]: found the text "resets", want `connect`, `reset`, `timeout` or a status (write it like `503`)"#,
        ],
    );
}

#[test]
fn an_example_is_a_file_or_a_body() {
    check(
        "models: [{ name: m, file: f, sha256: a, example: { request: [1] } }]",
        &[
            "4:52: WALD-1008 models[0].example.request: found a list, want a file or a body (write it like `request.json`)",
        ],
    );
}

#[test]
fn a_model_is_labelled_by_a_list_or_a_file_and_pools_by_a_word() {
    let model = |rest: &str| format!("models: [{{ name: m, file: f, sha256: d, {rest} }}]");
    check(
        &model("labels: yes"),
        &[
            r#"4:49: WALD-1008 models[0].labels: found the text "yes", want a list of labels, or a map with their file (write it like `[negative, positive]`)"#,
        ],
    );
    check(
        &model("labels: { file: l }"),
        &["4:41: WALD-1007 models[0].labels.sha256: missing, want text (add `sha256: …`)"],
    );
    check(
        &model("embedding: { pooling: avg }"),
        &[
            r#"4:63: WALD-1009 models[0].embedding.pooling: unknown choice: the text "avg" (known here: `mean`, `cls`, `none`)"#,
        ],
    );
    check(&model("labels: [a, b], embedding: { pooling: none }"), &[]);
}
