//! What must hold of a store, on a real file.

use policy::{Stage, State};

use super::*;
use crate::audit::Event;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn event(kind: &'static str) -> Event {
    Event {
        at_ms: 0,
        kind,
        experiment: "e".to_owned(),
        run: 1,
        actor: None,
        detail: serde_json::json!({}),
    }
}

#[test]
fn what_was_written_is_there_after_opening_it_again() {
    let folder = folder();
    let path = folder.path().join("w.redb");
    let record = RunRecord::begin(
        Stage::from_parts(1, 2, 3, State::Promoted(policy::ArmId(1))),
        7,
        42,
    );
    let store = Store::open(&path).unwrap();
    store
        .write(|tx| {
            tx.put_run("e", &record)?;
            tx.put_ledger("e", b"evidence")?;
            tx.put_seen("e", &[(5, 50), (6, 60)], 0)
        })
        .unwrap();
    drop(store);
    let kept = Store::open(&path)
        .unwrap()
        .write(|tx| tx.run("e"))
        .unwrap()
        .unwrap();
    assert_eq!(
        kept,
        (record, Some(b"evidence".to_vec()), vec![(5, 50), (6, 60)])
    );
}

#[test]
fn a_run_is_decided_once() {
    let store = Store::in_memory().unwrap();
    store.write(|tx| tx.decide("e", 1, "{}")).unwrap();
    assert!(matches!(
        store.write(|tx| tx.decide("e", 1, "{}")),
        Err(StoreError::Decided { run: 1, .. })
    ));
    store.write(|tx| tx.decide("e", 2, "{}")).unwrap();
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let store = Store::in_memory().unwrap();
    store.write(|tx| tx.decide("e", 1, "{}")).unwrap();
    let failed = store.write(|tx| {
        tx.append(event("promoted"))?;
        tx.decide("e", 1, "{}")
    });
    assert!(failed.is_err());
    assert_eq!(store.audit().unwrap().lines().count(), 0);
}

#[test]
fn feedback_of_closed_ticks_is_forgotten() {
    let store = Store::in_memory().unwrap();
    let record = RunRecord::begin(Stage::first(1), 7, 0);
    store.write(|tx| tx.put_run("e", &record)).unwrap();
    store
        .write(|tx| tx.put_seen("e", &[(5, 50), (6, 60)], 0))
        .unwrap();
    store.write(|tx| tx.put_seen("e", &[(7, 70)], 6)).unwrap();
    let (_, _, seen) = store.write(|tx| tx.run("e")).unwrap().unwrap();
    assert_eq!(seen, [(6, 60), (7, 70)]);
}

#[test]
fn another_process_reads_the_chain_while_one_writes() {
    let folder = folder();
    let path = folder.path().join("w.redb");
    let store = Store::open(&path).unwrap();
    store.write(|tx| tx.append(event("started"))).unwrap();
    let reader = Store::read(&path).unwrap();
    store.write(|tx| tx.append(event("promoted"))).unwrap();
    let audit = reader.audit().unwrap();
    assert_eq!((audit.verify(), audit.lines().count()), (Ok(()), 2));
}

#[test]
fn a_second_writer_is_told_who_holds_the_file() {
    let folder = folder();
    let path = folder.path().join("w.redb");
    let _first = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(OpenError::InUse { .. })));
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let folder = folder();
    let path = folder.path().join("w.redb");
    std::fs::write(&path, "this is a diary").unwrap();
    assert!(matches!(Store::open(&path), Err(OpenError::File { .. })));
}

#[test]
fn a_webhook_goes_on_from_where_it_was_and_one_that_was_forgotten_begins_anew() {
    let folder = folder();
    let path = folder.path().join("w.redb");
    let store = Store::open(&path).unwrap();
    assert_eq!(store.delivered("old", 5).unwrap(), 5);
    store.write(|tx| tx.put_delivered("old", 7)).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.delivered("old", 9).unwrap(), 7);
    assert_eq!(store.delivered("new", 9).unwrap(), 9);
    store
        .write(|tx| tx.keep_deliveries(&["new".into()]))
        .unwrap();
    assert_eq!(store.delivered("old", 11).unwrap(), 11);
    assert_eq!(store.delivered("new", 11).unwrap(), 9);
    store.close();
    assert!(!store.is_here());
    assert!(matches!(store.delivered("new", 0), Err(StoreError::Lent)));
}
