//! Requests that run together get what they would have got alone.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use inference::{Batch, Mismatch, Pool, RunError, StartError, Tensor, Values};
use tract_onnx::pb::tensor_proto::DataType;

use crate::digits::{load, pixels, traffic};
use crate::onnx::{self, Dim, file, graph, node, told, value};
use crate::pool::{crew, occupy};

type Answer = (usize, Result<Vec<Tensor>, RunError>);

fn batching(model: inference::Model, threads: usize, max: usize, wait: Duration) -> Pool {
    let max = NonZeroUsize::new(max).unwrap();
    Pool::start(model, crew(threads, 64, Some(Batch { max, wait })), None).unwrap()
}

/// One thread, up to four rows, nobody waits for company.
fn by_four() -> Pool {
    batching(load("better"), 1, 4, Duration::ZERO)
}

fn ask(pool: &Pool, number: usize, inputs: Vec<Tensor>, answers: &Sender<Answer>) {
    let answers = answers.clone();
    let reply = move |outcome| answers.send((number, outcome)).unwrap();
    pool.submit(inputs, None, reply).unwrap();
}

fn image(number: usize) -> Vec<Tensor> {
    pixels(&traffic()[number..=number])
}

/// How many runs there were of each number of rows, but for the one that kept the thread busy.
fn runs(pool: &Pool) -> Vec<(u16, u64)> {
    let sizes = pool.batch_sizes();
    let mut runs: Vec<_> = inference::BATCH_BOUNDS
        .into_iter()
        .zip(sizes.counts)
        .collect();
    runs[0].1 -= 1;
    runs.retain(|(_, count)| *count > 0);
    runs
}

#[test]
fn what_waits_when_the_thread_becomes_free_runs_together() {
    let (pool, alone) = (by_four(), load("better"));
    let release = occupy(&pool);
    let (send, receive) = channel();
    for number in 0..6 {
        ask(&pool, number, image(number), &send);
    }
    drop((release, send));
    for (number, answer) in receive.iter().take(6) {
        let expected = alone.run(image(number)).unwrap();
        inference::differences(&expected, &answer.unwrap(), 1e-5).unwrap();
    }
    assert_eq!(runs(&pool), [(2, 1), (4, 1)]);
}

#[test]
fn a_request_for_several_rows_gets_all_of_them_back() {
    let (pool, alone) = (by_four(), load("better"));
    let release = occupy(&pool);
    let (send, receive) = channel();
    let several = |count: usize| pixels(&traffic()[..count]);
    for (number, rows) in [1, 2, 5, 1].into_iter().enumerate() {
        ask(&pool, number, several(rows), &send);
    }
    drop((release, send));
    for (number, answer) in receive.iter().take(4) {
        let expected = alone.run(several([1, 2, 5, 1][number])).unwrap();
        inference::differences(&expected, &answer.unwrap(), 1e-5).unwrap();
    }
    // One, two and the last one; five alone, as they are more than a batch may have.
    assert_eq!(runs(&pool), [(4, 1), (8, 1)]);
}

#[test]
fn a_bad_request_does_not_fail_those_that_wait_with_it() {
    let pool = by_four();
    let release = occupy(&pool);
    let (send, receive) = channel();
    ask(&pool, 0, image(0), &send);
    let wrong = vec![Tensor {
        name: "pixel".into(),
        ..image(1).remove(0)
    }];
    ask(&pool, 1, wrong, &send);
    ask(&pool, 2, image(2), &send);
    drop((release, send));
    let mut answers: Vec<_> = receive.iter().take(3).collect();
    answers.sort_by_key(|(number, _)| *number);
    let outcomes: Vec<_> = answers.into_iter().map(|(_, outcome)| outcome).collect();
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    let Err(RunError::Mismatch(Mismatch::UnknownInput { .. })) = &outcomes[1] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(runs(&pool), [(2, 1)]);
}

/// `Gather` looks up one of three rows, and Tract panics if there is no such row.
fn lookup() -> inference::Model {
    let mut graph = graph(
        &[value("at", DataType::Int64, &[Dim::Open])],
        &[node("Gather", &["table", "at"], "y")],
        value("y", DataType::Float, &[Dim::Open]),
    );
    graph.initializer = vec![tract_onnx::pb::TensorProto {
        name: "table".into(),
        dims: vec![3],
        data_type: DataType::Float.into(),
        float_data: vec![10.0, 20.0, 30.0],
        ..Default::default()
    }];
    onnx::load(&file(graph)).unwrap()
}

#[test]
fn a_request_that_makes_a_batch_panic_fails_alone() {
    let pool = batching(lookup(), 1, 8, Duration::ZERO);
    let at = |at: i64| {
        vec![Tensor {
            name: "at".into(),
            shape: vec![1],
            values: Values::Int64(vec![at]),
        }]
    };
    let (started, running) = channel();
    let (release, released) = channel::<()>();
    let hold = move |_| {
        started.send(()).unwrap();
        released.recv().unwrap_err();
    };
    pool.submit(at(0), None, hold).unwrap();
    running.recv().unwrap();
    let (send, receive) = channel();
    for (number, index) in [0, 7, 2].into_iter().enumerate() {
        ask(&pool, number, at(index), &send);
    }
    drop((release, send));
    for (number, answer) in receive.iter().take(3) {
        match number {
            1 => assert!(matches!(answer, Err(RunError::Panicked { .. }))),
            _ => assert_eq!(
                answer.unwrap()[0].values,
                Values::Fp32(vec![[10.0, 0.0, 30.0][number]])
            ),
        }
    }
}

#[test]
fn a_request_that_nobody_waits_for_any_more_is_not_run() {
    for pool in [
        by_four(),
        Pool::start(load("better"), crew(1, 8, None), None).unwrap(),
    ] {
        let (send, receive) = channel();
        let past = Instant::now();
        let reply = move |outcome| send.send(outcome).unwrap();
        pool.submit(image(0), Some(past), reply).unwrap();
        assert!(matches!(receive.recv().unwrap(), Err(RunError::Late)));
        let counts = pool.batch_sizes().counts;
        assert_eq!(counts.iter().sum::<u64>(), 0, "nothing ran");
    }
}

#[test]
fn a_thread_waits_for_company_as_long_as_it_may() {
    // Longer than any test: what ends the wait is a full batch.
    let pool = batching(load("better"), 1, 3, Duration::from_secs(3600));
    let (send, receive) = channel();
    for number in 0..3 {
        ask(&pool, number, image(number), &send);
    }
    assert!(receive.iter().take(3).all(|(_, answer)| answer.is_ok()));
    assert_eq!(pool.batch_sizes().counts[2], 1);
}

#[test]
fn a_deadline_and_another_shape_end_the_wait_for_company() {
    let shape = [Dim::Open, Dim::named("columns")];
    let model = onnx::load(&file(graph(
        &[value("x", DataType::Float, &shape)],
        &[node("Neg", &["x"], "y")],
        value("y", DataType::Float, &shape),
    )))
    .unwrap();
    let row = |columns: usize| {
        vec![Tensor {
            name: "x".into(),
            shape: vec![1, columns],
            values: Values::Fp32(vec![1.0; columns]),
        }]
    };
    let pool = batching(model, 1, 4, Duration::from_secs(3600));
    let (send, receive) = channel();
    let reply = |send: Sender<usize>, number| move |_| send.send(number).unwrap();
    // Earlier than the wait would end, later than this test.
    let until = Some(Instant::now() + Duration::from_secs(1800));
    pool.submit(row(2), until, reply(send.clone(), 0)).unwrap();
    assert_eq!(receive.recv(), Ok(0));
    pool.submit(row(2), None, reply(send.clone(), 1)).unwrap();
    pool.submit(row(3), until, reply(send, 2)).unwrap();
    assert_eq!(receive.iter().take(2).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn requests_of_several_shapes_are_all_answered_by_several_threads() {
    let shape = [Dim::Open, Dim::named("columns")];
    let model = onnx::load(&file(graph(
        &[value("x", DataType::Float, &shape)],
        &[node("Neg", &["x"], "y")],
        value("y", DataType::Float, &shape),
    )))
    .unwrap();
    let max = NonZeroUsize::new(8).unwrap();
    let wait = Duration::from_micros(50);
    let batch = Some(Batch { max, wait });
    let pool = Pool::start(model, crew(3, 10_000, batch), None).unwrap();
    let (send, receive) = channel();
    for number in 0..3000_usize {
        let columns = number % 7 + 1;
        let value = f32::from(u16::try_from(number).unwrap());
        let inputs = vec![Tensor {
            name: "x".into(),
            shape: vec![1, columns],
            values: Values::Fp32(vec![value; columns]),
        }];
        ask(&pool, number, inputs, &send);
    }
    drop(send);
    let mut answered = 0;
    for (number, answer) in receive {
        let value = f32::from(u16::try_from(number).unwrap());
        let expected = Values::Fp32(vec![-value; number % 7 + 1]);
        assert_eq!(answer.unwrap()[0].values, expected);
        answered += 1;
    }
    assert_eq!(answered, 3000);
    assert_eq!(pool.batch_sizes().rows, 3000);
}

#[track_caller]
fn check_unbatchable(graph: tract_onnx::pb::GraphProto, says: &str) {
    let model = onnx::load(&file(graph)).unwrap();
    let batch = Batch {
        max: NonZeroUsize::new(2).unwrap(),
        wait: Duration::ZERO,
    };
    let error = Pool::start(model, crew(1, 1, Some(batch)), None).unwrap_err();
    assert!(matches!(error, StartError::Unbatchable(_)), "{error:?}");
    assert_eq!(
        told(&error),
        format!("requests cannot run together: {says}")
    );
}

#[test]
fn a_model_without_a_batch_cannot_run_requests_together() {
    let float = |name, shape: &[Dim]| value(name, DataType::Float, shape);
    let (one, open) = ([Dim::Fixed(1), Dim::Fixed(2)], [Dim::Open, Dim::Fixed(2)]);
    let neg = [node("Neg", &["x"], "y")];
    check_unbatchable(
        graph(&[float("x", &one)], &neg, float("y", &one)),
        "the first dimension of `x` is not the batch that all other inputs have",
    );
    let flat = [node("Flatten", &["x"], "f"), node("Shape", &["f"], "y")];
    let counts = value("y", DataType::Int64, &[Dim::Fixed(2)]);
    check_unbatchable(
        graph(&[float("x", &open)], &flat, counts),
        "the first dimension of `y` is not the batch that all other inputs have",
    );
}

#[test]
fn a_model_whose_rows_change_each_other_cannot_run_requests_together() {
    let float = |name, shape: &[Dim]| value(name, DataType::Float, shape);
    let open = [Dim::Open, Dim::Fixed(2)];
    let mut softmax = node("Softmax", &["x"], "y");
    softmax.attribute = vec![{
        let mut axis = onnx::attribute("axis", &onnx::Of::Int(0));
        axis.r#type = 2;
        axis
    }];
    check_unbatchable(
        graph(&[float("x", &open)], &[softmax], float("y", &open)),
        "`y` of a row depends on the other rows of its batch",
    );
}
