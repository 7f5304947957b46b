//! Answers a placed request from a model that runs here, in the Open Inference Protocol V2 over REST, or as OpenAI's
//! embeddings.
//!
//! The name in the path is an alias that the route matched; which model serves is the placement's decision,
//! and the answer says which one it was.

mod embeddings;
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
use inference::{Batch, Crew, Ending, Pool, RunError, Tensor};
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
    let path = head.uri.path();
    served.infer(path, &body, passage).await.map(json)
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
    let path = head.uri.path().to_owned();
    served.infer_aside(path, body, patience).await.map(json)
}

/// How an answer is written.
enum Form {
    /// As the Open Inference Protocol has it, with these outputs or all.
    Tensors {
        id: Option<String>,
        outputs: Vec<String>,
    },
    Embeddings(embeddings::Encoding),
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
            Action::Models => embeddings::models(&self.model),
            Action::Embeddings if !self.embeds() => return Err(Refusal::NoSuchResource),
            Action::Infer | Action::Embeddings => return Ok(None),
        }))
    }

    /// Whether texts become embeddings here.
    fn embeds(&self) -> bool {
        let model = self.pool.model();
        model.tokenizer().is_some() && matches!(model.ending(), Some(Ending::Embedding(_)))
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

    /// What is asked, if it fits the model, and how to answer.
    fn read(&self, path: &str, body: &[u8]) -> Result<(Vec<Tensor>, Form), Refusal> {
        let model = self.pool.model();
        let (inputs, form) = if path == embeddings::PATH {
            let question = embeddings::Question::parse(body).map_err(Refusal::Inference)?;
            let form = Form::Embeddings(question.encoding);
            (question.inputs(model).map_err(Refusal::Inference)?, form)
        } else {
            let query = Query::parse(body).map_err(Refusal::Inference)?;
            query
                .check_outputs(model.outputs())
                .map_err(Refusal::Inference)?;
            let Query {
                id,
                inputs,
                outputs,
            } = query;
            (inputs, Form::Tensors { id, outputs })
        };
        model
            .check(&inputs)
            .map_err(|mismatch| Refusal::Inference(mismatch.to_string()))?;
        Ok((inputs, form))
    }

    fn write(&self, form: &Form, given: Vec<Tensor>) -> Bytes {
        match form {
            Form::Tensors { id, outputs } => {
                response::inferred(&self.model, id.as_deref(), outputs, given)
            }
            Form::Embeddings(encoding) => embeddings::answer(&self.model, *encoding, &given),
        }
    }

    async fn infer(
        &self,
        path: &str,
        body: &[u8],
        passage: &mut Passage,
    ) -> Result<Bytes, Refusal> {
        let (inputs, form) = self.read(path, body)?;
        let started = Instant::now();
        let given = self.run(inputs, started).await;
        passage.waited(started);
        passage.view().inferred(self.model.id, started.elapsed());
        Ok(self.write(&form, given?))
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
    async fn infer_aside(
        self,
        path: String,
        body: Vec<Bytes>,
        patience: Duration,
    ) -> Result<Bytes, Refusal> {
        let read = move || {
            let asked = self.read(&path, &body.concat())?;
            Ok::<_, Refusal>((self, asked))
        };
        let (served, asked) = spawn_blocking(read).await.map_err(|_| ended())??;
        let (inputs, form) = asked;
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
        let written = move || served.write(&form, given);
        spawn_blocking(written).await.map_err(|_| ended())
    }
}

fn outcome<E>(answer: Result<Result<Vec<Tensor>, RunError>, E>) -> Result<Vec<Tensor>, Refusal> {
    answer.map_err(|_gone| ended()).and_then(given)
}

fn given(outcome: Result<Vec<Tensor>, RunError>) -> Result<Vec<Tensor>, Refusal> {
    outcome.map_err(|error| match error {
        RunError::Late => Refusal::ModelTimeout,
        // Some texts only show as tokens that they do not fit.
        RunError::Mismatch(mismatch) => Refusal::Inference(mismatch.to_string()),
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
