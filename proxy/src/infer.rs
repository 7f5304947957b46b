//! Answers a placed request from a model that runs here, in the Open Inference Protocol V2 over REST.
//!
//! The name in the path is an alias that the route matched; which model serves is the placement's decision,
//! and the answer says which one it was.

mod request;
mod resource;
mod response;
mod trial;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, request as head};
use inference::{Batch, Crew, Pool, RunError, Tensor};
use policy::{Copied, CopyTarget, Model, ModelId, Placement, RouteId, Target};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::forward::Source;
use crate::observe::{Passage, View};
use crate::refusal::Refusal;
use request::Query;
use resource::{Action, Resource};
pub(crate) use trial::{TrialError, Tried, attempt};

/// Announces tensors in binary behind the JSON (the protocol's binary extension).
pub(crate) const BINARY: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Answers for the model that the request was placed on.
pub(crate) async fn infer(
    placement: &Placement,
    head: &head::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Response<Bytes>, Refusal> {
    let Target::Model(model) = *placement.target() else {
        return Err(Refusal::Incomplete("a model"));
    };
    let served = Served::find(passage.view(), placement.route(), model)?;
    if let Some(answer) = served.about(head)? {
        return Ok(json(answer));
    }
    let body = body.whole(served.patience).await?;
    served.infer(&body, passage).await.map(json)
}

/// The answer of a model to a copy of a request, which nobody has asked for: it runs when no request waits, and no
/// longer than `patience`. Whether it had its turn by then is the difference between busy and late.
pub(crate) async fn copy(
    view: &View,
    copied: Copied,
    (head, body): (&head::Parts, Vec<Bytes>),
    patience: Duration,
) -> Result<Response<Bytes>, Refusal> {
    let CopyTarget::Model(model) = copied.target() else {
        return Err(Refusal::Incomplete("a model"));
    };
    let served = Served::find(view, copied.route(), model)?;
    if let Some(answer) = served.about(head)? {
        return Ok(json(answer));
    }
    served.infer_aside(body, patience).await.map(json)
}

/// What runs a model as the document says.
pub(crate) fn crew(model: &Model) -> Crew {
    Crew {
        threads: model.threads,
        queue: model.queue,
        batch: model.batch.map(|it| Batch {
            max: it.max,
            wait: it.wait,
        }),
    }
}

/// The model that serves a request.
struct Served {
    model: Model,
    pool: Arc<Pool>,
    patience: Duration,
}

impl Served {
    fn find(view: &View, route: RouteId, model: ModelId) -> Result<Self, Refusal> {
        let snapshot = view.snapshot();
        let find = || {
            Some(Self {
                model: snapshot.policy.models().get(model.index())?.clone(),
                pool: Arc::clone(snapshot.model(model)?),
                patience: snapshot.policy.routes().get(route.index())?.timeout,
            })
        };
        find().ok_or(Refusal::Incomplete("a model"))
    }

    /// The answer to what is asked about the model; none if it is asked to run.
    fn about(&self, head: &head::Parts) -> Result<Option<Bytes>, Refusal> {
        let Resource { version, action } = Resource::of(&head.method, head.uri.path())?;
        self.refuse_other(version)?;
        Ok(Some(match action {
            Action::ServerMetadata => response::server(),
            Action::Live => response::live(),
            Action::Ready => response::ready(),
            Action::Metadata => response::metadata(&self.model, self.pool.model()),
            Action::Infer if head.headers.contains_key(BINARY) => {
                let expected = "tensors in JSON; the binary extension is not offered";
                return Err(Refusal::Inference(expected.to_owned()));
            }
            Action::Infer => return Ok(None),
        }))
    }

    fn refuse_other(&self, version: Option<&str>) -> Result<(), Refusal> {
        match version {
            Some(asked) if *asked != *self.model.version => Err(Refusal::NoSuchVersion {
                asked: asked.to_owned(),
                served: self.model.version.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// What is asked, if it fits the model.
    fn query(&self, body: &[u8]) -> Result<Query, Refusal> {
        let query = Query::parse(body).map_err(Refusal::Inference)?;
        let model = self.pool.model();
        model
            .check(&query.inputs)
            .map_err(|mismatch| Refusal::Inference(mismatch.to_string()))?;
        query
            .check_outputs(model.outputs())
            .map_err(Refusal::Inference)?;
        Ok(query)
    }

    async fn infer(&self, body: &[u8], passage: &mut Passage) -> Result<Bytes, Refusal> {
        let Query {
            id,
            inputs,
            outputs,
        } = self.query(body)?;
        let started = Instant::now();
        let given = self.run(inputs, started).await;
        passage.waited(started);
        passage.view().inferred(self.model.id, started.elapsed());
        let given = given?;
        Ok(response::inferred(
            &self.model,
            id.as_deref(),
            &outputs,
            given,
        ))
    }

    /// On this thread, if that keeps it from other requests no longer than handing over would; else on one of the
    /// model's own.
    async fn run(&self, inputs: Vec<Tensor>, started: Instant) -> Result<Vec<Tensor>, Refusal> {
        if self.pool.is_quick(&inputs) {
            return given(self.pool.model().run(inputs));
        }
        let (reply, answer) = oneshot::channel();
        // Who has left needs no answer.
        let submitted =
            self.pool
                .submit(inputs, started.checked_add(self.patience), move |outcome| {
                    drop(reply.send(outcome))
                });
        submitted.map_err(|_full| Refusal::ModelBusy)?;
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => outcome(answer),
            Err(_elapsed) => Err(Refusal::ModelTimeout),
        }
    }

    /// The same for nobody. What is read and written may be large: this thread, which serves requests, does neither.
    async fn infer_aside(self, body: Vec<Bytes>, patience: Duration) -> Result<Bytes, Refusal> {
        let read = move || {
            let query = self.query(&body.concat())?;
            Ok::<_, Refusal>((self, query))
        };
        let (served, query) = spawn_blocking(read).await.map_err(|_| ended())??;
        let Query {
            id,
            inputs,
            outputs,
        } = query;
        // Whoever is first: a thread that begins, or the asker who gives up.
        let settled = Arc::new(AtomicBool::new(false));
        let is_first = |settled: &AtomicBool| !settled.swap(true, Ordering::AcqRel);
        let begun = Arc::clone(&settled);
        let (reply, answer) = oneshot::channel();
        let submitted = served.pool.submit_aside(
            inputs,
            move || is_first(&begun),
            move |outcome| drop(reply.send(outcome)),
        );
        submitted.map_err(|_full| Refusal::ModelBusy)?;
        let given = match tokio::time::timeout(patience, answer).await {
            Ok(answer) => outcome(answer)?,
            Err(_elapsed) if is_first(&settled) => return Err(Refusal::ModelBusy),
            Err(_elapsed) => return Err(Refusal::ModelTimeout),
        };
        let written = move || response::inferred(&served.model, id.as_deref(), &outputs, given);
        spawn_blocking(written).await.map_err(|_| ended())
    }
}

fn outcome<E>(answer: Result<Result<Vec<Tensor>, RunError>, E>) -> Result<Vec<Tensor>, Refusal> {
    answer.map_err(|_gone| ended()).and_then(given)
}

fn given(outcome: Result<Vec<Tensor>, RunError>) -> Result<Vec<Tensor>, Refusal> {
    outcome.map_err(|error| match error {
        RunError::Late => Refusal::ModelTimeout,
        error => Refusal::ModelFailed(error.to_string()),
    })
}

fn ended() -> Refusal {
    Refusal::ModelFailed("the worker ended".to_owned())
}

fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
