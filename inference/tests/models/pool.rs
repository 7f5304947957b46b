//! Bounded workers: nothing is lost that was taken, nothing is taken that does not fit.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use inference::{Batch, Crew, Full, Pool, Tensor};

use crate::digits::{load, pixels, traffic};

fn pool(threads: usize, queue: usize) -> Pool {
    Pool::start(load("better"), crew(threads, queue, None), None).unwrap()
}

pub(crate) fn crew(threads: usize, queue: usize, batch: Option<Batch>) -> Crew {
    let threads = NonZeroUsize::new(threads).unwrap();
    Crew {
        threads,
        queue,
        batch,
    }
}

pub(crate) fn request() -> Vec<Tensor> {
    pixels(&[vec![0.0; 64]])
}

/// Keeps one worker busy, from when this returns until the sender is dropped.
pub(crate) fn occupy(pool: &Pool) -> Sender<()> {
    let (started, running) = channel();
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let reply = move |_| {
        started.send(()).unwrap();
        released.recv().unwrap_err();
    };
    pool.submit(request(), None, reply).unwrap();
    running.recv().unwrap();
    release
}

#[test]
fn every_request_is_answered_as_on_the_calling_thread() {
    let (pool, model) = (pool(2, 1024), load("better"));
    let (send, receive) = channel();
    let images = traffic();
    for (index, image) in images.iter().enumerate() {
        let send = send.clone();
        pool.submit(pixels(std::slice::from_ref(image)), None, move |outcome| {
            send.send((index, outcome.unwrap())).unwrap()
        })
        .unwrap();
    }
    drop(send);
    let mut answered = 0;
    for (index, outputs) in receive {
        assert_eq!(
            outputs,
            model
                .run(pixels(std::slice::from_ref(&images[index])))
                .unwrap()
        );
        answered += 1;
    }
    assert_eq!(answered, images.len());
}

#[test]
fn a_full_queue_refuses_at_once_and_says_its_size() {
    let pool = pool(1, 2);
    let release = occupy(&pool);
    assert_eq!(pool.waiting(), 0);
    pool.submit(request(), None, drop).unwrap();
    pool.submit(request(), None, drop).unwrap();
    assert_eq!(pool.waiting(), 2);
    let refused = pool.submit(request(), None, |_| panic!("must not be called"));
    assert_eq!(refused, Err(Full { queue: 2 }));
    assert_eq!(
        Full { queue: 2 }.to_string(),
        "the model's queue of 2 is full"
    );
    drop(release);
}

#[test]
fn a_dropped_pool_answers_what_it_had_taken() {
    let pool = pool(1, 8);
    let release = occupy(&pool);
    let (send, receive) = channel();
    for _ in 0..8 {
        let send = send.clone();
        pool.submit(request(), None, move |outcome| {
            send.send(outcome.is_ok()).unwrap()
        })
        .unwrap();
    }
    drop(send);
    drop(release);
    drop(pool);
    assert_eq!(receive.iter().collect::<Vec<_>>(), [true; 8]);
}

#[test]
fn what_nobody_waits_for_runs_last_and_takes_no_place_of_a_request() {
    let pool = pool(1, 2);
    let release = occupy(&pool);
    let (send, receive) = channel();
    let aside = |name: &'static str, is_wanted: bool| {
        let send = send.clone();
        let reply = move |_| send.send(name).unwrap();
        pool.submit_aside(request(), move || is_wanted, reply)
    };
    aside("unwanted", false).unwrap();
    aside("aside", true).unwrap();
    assert_eq!(aside("too many", true), Err(Full { queue: 2 }));
    for name in ["first", "second"] {
        let send = send.clone();
        pool.submit(request(), None, move |_| send.send(name).unwrap())
            .unwrap();
    }
    drop(release);
    drop(send);
    let ran: Vec<_> = receive.iter().collect();
    assert_eq!(ran, ["first", "second", "aside"]);
}

#[test]
fn one_of_several_workers_is_kept_free_of_what_nobody_waits_for() {
    let pool = pool(2, 4);
    let (started, running) = channel();
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let held = move |_| {
        started.send(()).unwrap();
        released.recv().unwrap_err();
    };
    pool.submit_aside(request(), || true, held).unwrap();
    running.recv().unwrap();
    let (send, receive) = channel();
    let (early, late) = (send.clone(), send);
    pool.submit_aside(request(), || true, move |_| late.send("aside").unwrap())
        .unwrap();
    pool.submit(request(), None, move |_| early.send("request").unwrap())
        .unwrap();
    assert_eq!(receive.recv(), Ok("request"));
    drop(release);
    assert_eq!(receive.recv(), Ok("aside"));
}

#[test]
fn a_reply_that_panics_costs_no_worker() {
    let pool = pool(1, 8);
    pool.submit(request(), None, |_| panic!("a broken reply"))
        .unwrap();
    let (send, receive) = channel();
    pool.submit(request(), None, move |outcome| {
        send.send(outcome.is_ok()).unwrap()
    })
    .unwrap();
    assert_eq!(receive.recv(), Ok(true));
}

#[test]
fn a_request_that_does_not_fit_gets_its_mismatch_from_the_worker() {
    let (send, receive) = channel();
    let wrong = vec![Tensor {
        name: "pixel".into(),
        ..request().remove(0)
    }];
    pool(1, 1)
        .submit(wrong, None, move |outcome| {
            send.send(outcome.unwrap_err().to_string()).unwrap()
        })
        .unwrap();
    assert_eq!(
        receive.recv().unwrap(),
        "input `pixel` is unknown, expected `pixels`"
    );
}

#[test]
fn a_reply_may_hold_the_last_handle_of_its_pool() {
    let pool = Arc::new(pool(1, 1));
    let (send, receive) = channel();
    let held = Arc::clone(&pool);
    let (dropped, proceed) = channel::<()>();
    let reply = move |_| {
        proceed.recv().unwrap_err();
        drop(held);
        send.send(()).unwrap();
    };
    pool.submit(request(), None, reply).unwrap();
    drop(pool);
    drop(dropped);
    receive.recv().unwrap();
}

#[test]
fn workers_carry_a_name() {
    let (send, receive) = channel();
    let reply = move |_| {
        send.send(std::thread::current().name().map(str::to_owned))
            .unwrap()
    };
    pool(1, 1).submit(request(), None, reply).unwrap();
    assert_eq!(receive.recv().unwrap().as_deref(), Some("model-0"));
}
