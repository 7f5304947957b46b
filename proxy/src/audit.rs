//! The audit trail: what was decided, each record bound to the one before by its hash.
//!
//! A record's body is one line of JSON that names the hash of the record before; its own hash is the
//! SHA-256 of exactly those bytes. Whoever changes, removes or reorders a record breaks the chain there.
//! Cutting off its end cannot be seen from the chain alone: that takes signed checkpoints kept elsewhere
//! ([`checkpoint`]).

pub(crate) mod checkpoint;

use config::document::EventType;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use checkpoint::{Checkpoint, PublicKey};

/// What happened, before it has its place in the chain.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// What: `started`, `stepped`, `promoted` and so on.
    pub(crate) kind: &'static str,
    /// Of which experiment; empty if of none.
    pub(crate) experiment: String,
    /// Of which run.
    pub(crate) run: u32,
    /// Who did it; none for Wald itself.
    pub(crate) actor: Option<String>,
    /// Why, with the numbers.
    pub(crate) detail: Value,
}

/// The body of a record, as it is hashed.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    sequence: u64,
    time: String,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    experiment: String,
    #[serde(default, skip_serializing_if = "is_none")]
    run: u32,
    actor: String,
    detail: Value,
    previous: String,
}

/// A record as it is kept: the hash, and the bytes that were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// 64 hexadecimal digits.
    pub(crate) hash: String,
    /// One line of JSON.
    pub(crate) body: String,
}

/// The whole chain, as the store has it.
pub(crate) struct Audit(Vec<Record>);

/// The first record that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {flaw}")]
pub(crate) struct Broken {
    /// Its place in the chain, from 1.
    pub(crate) seq: u64,
    /// What is wrong with it.
    pub(crate) flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// The bytes are no record.
    #[error("it is not readable")]
    Unreadable,
    /// The body was changed.
    #[error("it was changed: its hash does not fit")]
    Changed,
    /// A record is missing before it, or stands elsewhere.
    #[error("it does not follow the one before: something was removed or reordered")]
    Unlinked,
    /// A signed checkpoint names it, and it is not there.
    #[error("it was cut off: a signed checkpoint names it")]
    CutOff,
    /// A signed checkpoint names another in its place.
    #[error("it is not the one that a signed checkpoint names: the chain was written anew")]
    Rewritten,
    /// Somebody else signed the checkpoint, or another text.
    #[error("the signature of a checkpoint at it does not fit")]
    Forged,
}

/// What the first record names as the one before.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Record {
    /// The record that follows `last` in the chain.
    pub(crate) fn after(
        last: Option<(u64, &Self)>,
        event: Event,
    ) -> serde_json::Result<(u64, Self)> {
        debug_assert!(
            EventType::WORDS.contains(&event.kind),
            "webhooks could not ask for it: {}",
            event.kind
        );
        let sequence = last.map_or(1, |(sequence, _)| sequence + 1);
        let body = Body {
            sequence,
            time: time(event.at_ms),
            kind: event.kind.to_owned(),
            experiment: event.experiment,
            run: event.run,
            actor: event.actor.unwrap_or_else(|| "wald".to_owned()),
            detail: event.detail,
            previous: last.map_or(NOTHING, |(_, record)| &record.hash).to_owned(),
        };
        let body = serde_json::to_string(&body)?;
        Ok((
            sequence,
            Self {
                hash: digest(&body),
                body,
            },
        ))
    }

    /// Whether it stands here rightly.
    fn check(&self, seq: u64, previous: &str) -> Result<(), Flaw> {
        if digest(&self.body) != self.hash {
            return Err(Flaw::Changed);
        }
        let body: Body = serde_json::from_str(&self.body).map_err(|_| Flaw::Unreadable)?;
        if body.previous == previous && body.sequence == seq {
            Ok(())
        } else {
            Err(Flaw::Unlinked)
        }
    }

    /// The record as an event for others (CloudEvents 1.0, structured mode in JSON), and what happened.
    pub(crate) fn cloud_event(&self) -> serde_json::Result<(String, Value)> {
        let body: Body = serde_json::from_str(&self.body)?;
        let mut data = json!({ "actor": body.actor, "detail": body.detail, "hash": self.hash });
        let (of, source, subject) = if body.experiment.is_empty() {
            ("policy", "/api/v1/policy".to_owned(), body.kind.clone())
        } else {
            data["experiment"] = json!(body.experiment);
            data["run"] = json!(body.run);
            let source = format!("/api/v1/experiments/{}", body.experiment);
            let subject = format!("{}/{}", body.experiment, body.run);
            ("experiment", source, subject)
        };
        let event = json!({
            "specversion": "1.0",
            "id": body.sequence.to_string(),
            "source": source,
            "type": format!("wald.{of}.{}", body.kind),
            "subject": subject,
            "time": body.time,
            "datacontenttype": "application/json",
            "data": data,
        });
        Ok((body.kind, event))
    }

    /// One line of JSON with the hash in it.
    fn line(&self) -> String {
        let open = self.body.strip_suffix('}').unwrap_or(&self.body);
        format!("{open},\"hash\":\"{}\"}}", self.hash)
    }
}

impl Audit {
    /// The chain of these records.
    pub(crate) fn new(records: Vec<Record>) -> Self {
        Self(records)
    }

    /// Every record as a line of JSON, the oldest first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Record::line)
    }

    /// Checks that no record was changed, removed, added or moved.
    pub(crate) fn verify(&self) -> Result<(), Broken> {
        let mut previous = NOTHING;
        for (seq, record) in (1..).zip(&self.0) {
            record
                .check(seq, previous)
                .map_err(|flaw| Broken { seq, flaw })?;
            previous = &record.hash;
        }
        Ok(())
    }
}

impl Audit {
    /// Checks that every record that a checkpoint names stands where it stood.
    pub(crate) fn holds_at(
        &self,
        checkpoints: &[Checkpoint],
        key: &PublicKey,
    ) -> Result<(), Broken> {
        for checkpoint in checkpoints {
            let seq = checkpoint.sequence;
            let place = usize::try_from(seq).ok().and_then(|seq| seq.checked_sub(1));
            let record = place.and_then(|place| self.0.get(place));
            let flaw = match record {
                _ if !checkpoint.is_signed_by(key) => Flaw::Forged,
                None => Flaw::CutOff,
                Some(record) if record.hash != checkpoint.hash => Flaw::Rewritten,
                Some(_) => continue,
            };
            return Err(Broken { seq, flaw });
        }
        Ok(())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
fn is_none(run: &u32) -> bool {
    *run == 0
}

/// A moment as people and programs read it (RFC 3339).
pub(crate) fn time(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.unwrap_or_default().to_string()
}

fn digest(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: usize) -> Vec<Record> {
        chain_of(&vec!["stepped"; length])
    }

    fn chain_of(kinds: &[&'static str]) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for (number, &kind) in (0..).zip(kinds) {
            let event = Event {
                at_ms: 1_790_000_000_000 + number,
                kind,
                experiment: "e".to_owned(),
                run: 1,
                actor: None,
                detail: json!({ "number": number, "third": 1.0 / 3.0 }),
            };
            let last = records.last().map(|record| (number, record));
            records.push(Record::after(last, event).unwrap().1);
        }
        records
    }

    #[test]
    fn an_untouched_chain_is_whole() {
        assert_eq!(Audit(chain(5)).verify(), Ok(()));
        assert_eq!(Audit(chain(0)).verify(), Ok(()));
    }

    #[test]
    fn a_changed_record_is_named() {
        let mut records = chain(5);
        records[2].body = records[2].body.replace("stepped", "started");
        assert_eq!(
            Audit(records).verify(),
            Err(Broken {
                seq: 3,
                flaw: Flaw::Changed
            })
        );
    }

    #[test]
    fn a_record_changed_together_with_its_hash_breaks_the_next() {
        let mut records = chain(5);
        records[2].body = records[2].body.replace("stepped", "started");
        records[2].hash = digest(&records[2].body);
        assert_eq!(
            Audit(records).verify(),
            Err(Broken {
                seq: 4,
                flaw: Flaw::Unlinked
            })
        );
    }

    #[test]
    fn a_removed_or_moved_record_is_found() {
        let mut removed = chain(5);
        removed.remove(1);
        assert_eq!(
            Audit(removed).verify(),
            Err(Broken {
                seq: 2,
                flaw: Flaw::Unlinked
            })
        );
        let mut moved = chain(5);
        moved.swap(1, 2);
        assert_eq!(
            Audit(moved).verify(),
            Err(Broken {
                seq: 2,
                flaw: Flaw::Unlinked
            })
        );
    }

    /// The first record that is found to be wrong after this change.
    fn found(mut records: Vec<Record>, change: impl FnOnce(&mut Vec<Record>)) -> Option<Broken> {
        change(&mut records);
        Audit(records).verify().err()
    }

    #[test]
    fn a_change_of_any_byte_of_any_kind_of_record_is_found_there() {
        let records = chain_of(EventType::WORDS);
        assert_eq!(Audit(records.clone()).verify(), Ok(()));
        for (seq, (place, record)) in (1..).zip(records.iter().enumerate()) {
            let here = |flaw| Some(Broken { seq, flaw });
            for byte in 0..record.body.len() {
                let broken = found(records.clone(), |records| {
                    let mut bytes = records[place].body.clone().into_bytes();
                    bytes[byte] ^= 1;
                    records[place].body = String::from_utf8(bytes).unwrap();
                });
                assert_eq!(broken, here(Flaw::Changed), "{} {byte}", record.body);
            }
            if place + 1 < records.len() {
                let removed = found(records.clone(), |records| drop(records.remove(place)));
                assert_eq!(removed, here(Flaw::Unlinked), "{}", record.body);
                let moved = found(records.clone(), |records| records.swap(place, place + 1));
                assert_eq!(moved, here(Flaw::Unlinked), "{}", record.body);
            }
            let told_twice = found(records.clone(), |records| {
                records.insert(place, records[place].clone());
            });
            let next = seq + 1;
            assert_eq!(
                told_twice.map(|broken| broken.seq),
                Some(next),
                "{}",
                record.body
            );
        }
    }

    #[test]
    fn a_line_is_the_body_with_its_hash() {
        let record = chain(1).remove(0);
        let line: Value = serde_json::from_str(&record.line()).unwrap();
        assert_eq!(line["hash"], record.hash);
        assert_eq!(line["time"], "2026-09-21T14:13:20Z");
    }
}
