//! What is in force, as the audit trail follows it: the document, certificates, and the keys that tokens are
//! believed by. A change is a record with what was there before.

use json_patch::PatchOperation;
use policy::Policy;
use serde_json::{Map, Value, json};

use crate::audit::Event;
use crate::credentials::Credentials;
use crate::identify::KeySets;
use crate::store::{StoreError, Transaction};
use crate::token::Keys;
use crate::webhooks::shown_document;

/// How many changes a record names, and how long a value in it may be, in bytes of JSON.
const CHANGES_MAX: usize = 64;
const VALUE_MAX: usize = 256;

/// What stands for the keys of an issuer that are too old to be believed.
const EXPIRED: &str = "expired";

/// What is in force at one moment, part by part.
pub(super) struct InForce {
    hash: String,
    document: Value,
    certificates: Value,
    keys: Value,
}

impl InForce {
    pub(super) fn of(
        policy: &Policy,
        credentials: &Credentials,
        key_sets: &KeySets,
        keys: &Keys,
    ) -> Self {
        let papers = credentials.papers().map(|paper| {
            let name = format!("{} {} {}", paper.used_by, paper.kind, paper.file.display());
            let held =
                json!({ "names": paper.names, "not_before": paper.from, "not_after": paper.until });
            (name, held)
        });
        let mut believed: Map<_, _> = policy
            .issuers()
            .iter()
            .map(|issuer| {
                // A server that has not been asked yet says nothing: what was known before stays.
                let digest = key_sets.of(issuer.id).map(|set| set.digest());
                (issuer.name.to_string(), json!(digest))
            })
            .collect();
        believed.insert("x-wald-assignment".to_owned(), json!(keys.newest().id()));
        Self {
            hash: policy.hash().to_owned(),
            document: shown_document(policy),
            certificates: Value::Object(papers.collect()),
            keys: Value::Object(believed),
        }
    }

    /// The keys of this issuer are no longer believed.
    pub(super) fn without(mut self, issuer: &str) -> Self {
        if let Some(keys) = self.keys.get_mut(issuer) {
            *keys = json!(EXPIRED);
        }
        self
    }

    /// Writes down what differs from what was in force before. The first time there is nothing to compare with.
    pub(super) fn note(
        self,
        tx: &mut Transaction<'_>,
        by: Option<&str>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        // What is not shown of a document may change, too.
        let document = json!({ "hash": self.hash, "document": self.document });
        let parts = [
            ("document", document),
            ("certificates", self.certificates),
            ("keys", self.keys),
        ];
        for (part, mut now) in parts {
            let before = tx.in_force(part)?;
            if let Some(before) = &before {
                keep_unasked(before, &mut now);
                if *before == now {
                    continue;
                }
                let detail = if part == "document" {
                    let mut detail = changes(&before["document"], &now["document"]);
                    detail.insert("hash".to_owned(), now["hash"].clone());
                    detail
                } else {
                    changes(before, &now)
                };
                tx.append(event(part, by, Value::Object(detail), now_ms))?;
            }
            tx.put_in_force(part, &now)?;
        }
        Ok(())
    }
}

/// A record that is about no experiment.
pub(super) fn event(kind: &'static str, by: Option<&str>, detail: Value, now_ms: u64) -> Event {
    Event {
        at_ms: now_ms,
        kind,
        experiment: String::new(),
        run: 0,
        actor: by.map(str::to_owned),
        detail,
    }
}

fn keep_unasked(before: &Value, now: &mut Value) {
    let Value::Object(now) = now else { return };
    for (name, value) in now.iter_mut().filter(|(_, value)| value.is_null()) {
        if let Some(known) = before.get(name) {
            *value = known.clone();
        }
    }
}

/// The changes as a JSON Patch (RFC 6902), each with what was there before.
fn changes(before: &Value, now: &Value) -> Map<String, Value> {
    let patch = json_patch::diff(before, now);
    let changes = patch.iter().take(CHANGES_MAX).map(|operation| {
        let path = operation.path().to_string();
        let was = before.pointer(&path).map_or(Value::Null, short);
        match operation {
            PatchOperation::Remove(_) => json!({ "op": "remove", "path": path, "was": was }),
            PatchOperation::Add(add) => {
                json!({ "op": "add", "path": path, "value": short(&add.value) })
            }
            PatchOperation::Replace(replace) => {
                json!({ "op": "replace", "path": path, "value": short(&replace.value), "was": was })
            }
            // `diff` makes none of the others.
            _ => json!({ "op": "other", "path": path }),
        }
    });
    let changes: Vec<Value> = changes.collect();
    let more = patch.len().saturating_sub(changes.len());
    let mut detail = Map::new();
    detail.insert("changes".to_owned(), Value::Array(changes));
    if more > 0 {
        detail.insert("more".to_owned(), json!(more));
    }
    detail
}

/// A value, or how long it is.
fn short(value: &Value) -> Value {
    let length = value.to_string().len();
    if length <= VALUE_MAX {
        value.clone()
    } else {
        json!(format!("{length} bytes of JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_what_was_there_before() {
        let before = json!({ "workers": 2, "zone": "a", "routes": [{ "name": "one" }] });
        let now = json!({ "workers": 3, "routes": [{ "name": "one" }, { "name": "two" }] });
        let told = changes(&before, &now);
        let mut told: Vec<String> = told["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::to_string)
            .collect();
        told.sort();
        assert_eq!(
            told,
            [
                r#"{"op":"add","path":"/routes/1","value":{"name":"two"}}"#,
                r#"{"op":"remove","path":"/zone","was":"a"}"#,
                r#"{"op":"replace","path":"/workers","value":3,"was":2}"#,
            ]
        );
    }

    #[test]
    fn a_record_has_a_limit() {
        let long = |length: usize| json!({ "text": "x".repeat(length) });
        let told = changes(&long(1), &long(1000));
        assert_eq!(told["changes"][0]["value"], "1002 bytes of JSON");
        let many = |value: usize| {
            let all = (0..100).map(|name| (name.to_string(), json!(value)));
            Value::Object(all.collect())
        };
        let told = changes(&many(1), &many(2));
        assert_eq!(told["changes"].as_array().map(Vec::len), Some(CHANGES_MAX));
        assert_eq!(told["more"], 100 - CHANGES_MAX);
    }
}
