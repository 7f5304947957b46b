//! Answers a placed request from a model that runs here: in the Open Inference Protocol V2 over REST and gRPC, as
//! TensorFlow Serving does, and as OpenAI's embeddings.
//!
//! The name in the path or the message is an alias that the route matched; which model serves is the placement's
//! decision, and the answer says which one it was.

pub(crate) mod call;
mod classes;
mod embeddings;
mod predict;
mod question;
pub(crate) mod raw;
mod request;
mod resource;
mod response;
mod surely;
mod trial;
mod wanted;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{HeaderName, Response, request as head};
use inference::{Batch, Crew, Ending, Pool, RunError, Tensor};
use policy::{Copied, CopyTarget, Model, ModelId, Placement, RouteId, Shadow, Target};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::coding::{Coding, TooLarge};
use crate::forward::Source;
use crate::gateway::Content;
use crate::grpc;
use crate::observe::{Passage, View};
use crate::refusal::Refusal;
use question::Question;
use resource::{Action, Asks, Resource};
pub(crate) use surely::{Surely, infer_surely};
pub(crate) use trial::{TrialError, Tried, attempt};
use wanted::Wanted;

/// Announces tensors in binary behind the JSON (the protocol's binary extension).
pub(crate) const BINARY: HeaderName = HeaderName::from_static("inference-header-content-length");

/// A request that is no longer is read where it came in: that takes less than a millisecond.
const READ_HERE_BYTES_MAX: usize = 256 << 10;

/// What the server can beyond the protocol, as its metadata names it.
const EXTENSIONS: [&str; 2] = ["binary_tensor_data", "classification"];

/// What runs the models, as their metadata names it.
const PLATFORM: &str = "onnx_tract";

/// Answers for the model that the request was placed on.
pub(crate) async fn infer(
    placement: &Placement,
    head: &head::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Response<Content>, Refusal> {
    let Target::Model(model) = *placement.target() else {
        return Err(Refusal::Incomplete("a model"));
    };
    let served = Served::find(passage.view(), placement.route(), model)?;
    if !grpc::is_call(&head.headers) {
        let answered = served.answer(head, body, passage).await?;
        return Ok(answered.map(Content::Whole));
    }
    if call::is_conversation(head) {
        return call::converse(served, head, body, passage);
    }
    let left = call::left(head, passage).unwrap_or(Duration::MAX);
    if left.is_zero() {
        // A quick model would be done before anybody looks at the time.
        return Err(Refusal::Deadline);
    }
    let answered = timeout(left, served.answer(head, body, passage)).await;
    let answered = answered.unwrap_or(Err(Refusal::Deadline))?;
    Ok(call::said(answered.into_body()))
}

/// The answer of a model to a copy of a request, which nobody has asked for: it runs when no request waits, and no
/// longer than the shadow may take. Whether it had its turn by then is the difference between busy and late.
pub(crate) async fn copy(
    view: &View,
    copied: Copied,
    (head, body): (&head::Parts, Vec<Bytes>),
    shadow: &Shadow,
) -> Result<Response<Bytes>, Refusal> {
    let CopyTarget::Model(model) = copied.target() else {
        return Err(Refusal::Incomplete("a model"));
    };
    let served = Served::find(view, copied.route(), model)?;
    let answered = served.answer_aside(head.clone(), body, shadow).await?;
    Ok(if grpc::is_call(&head.headers) {
        call::compared(answered.into_body())
    } else {
        answered
    })
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

/// What a request comes to before the model runs.
enum Begun {
    /// It needs not run.
    Answered(Response<Bytes>),
    /// It is to run.
    Asked(Question),
}

/// The model that serves a request.
#[derive(Clone)]
struct Served {
    model: Arc<Model>,
    pool: Arc<Pool>,
    patience: Duration,
    /// How long a caller may be silent in the midst of a call.
    idle: Duration,
}

impl Served {
    fn find(view: &View, route: RouteId, model: ModelId) -> Result<Self, Refusal> {
        let snapshot = view.snapshot();
        let find = || {
            let route = snapshot.policy.routes().get(route.index())?;
            Some(Self {
                model: Arc::clone(snapshot.policy.models().get(model.index())?),
                pool: Arc::clone(snapshot.model(model)?),
                patience: route.timeout,
                idle: route.idle,
            })
        };
        find().ok_or(Refusal::Incomplete("a model"))
    }

    async fn answer(
        &self,
        head: &head::Parts,
        body: &Rc<Source>,
        passage: &mut Passage,
    ) -> Result<Response<Bytes>, Refusal> {
        // What cannot be answered is not waited for.
        if !grpc::is_call(&head.headers) {
            self.resource(head)?;
        }
        match self.read(head, body).await? {
            Begun::Answered(answer) => Ok(answer),
            Begun::Asked(question) => self.infer(question, passage).await,
        }
    }

    /// Reads the request once it is there; on a thread where that keeps nobody waiting, if it may take long.
    async fn read(&self, head: &head::Parts, body: &Rc<Source>) -> Result<Begun, Refusal> {
        let (whole, room) = (body.whole(self.patience).await?, body.limit());
        let may_grow = [CONTENT_ENCODING, call::ENCODING];
        let may_grow = may_grow.iter().any(|name| head.headers.contains_key(name));
        if whole.len() <= READ_HERE_BYTES_MAX && !may_grow {
            return self.begin(head, whole, room);
        }
        let (served, head) = (self.clone(), head.clone());
        let begun = spawn_blocking(move || served.begin(&head, whole, room));
        begun.await.map_err(|_| ended())?
    }

    /// Reads the request. Its body, whatever stands for it, is no longer than `room`.
    fn begin(&self, head: &head::Parts, body: Bytes, room: u64) -> Result<Begun, Refusal> {
        if grpc::is_call(&head.headers) {
            return call::begin(self, head, body, room);
        }
        let Resource { action, .. } = self.resource(head)?;
        Ok(Begun::Answered(match action {
            Action::ServerMetadata => response::server(),
            Action::Live => response::live(),
            Action::Ready => response::ready(),
            Action::Metadata => response::metadata(&self.model, self.pool.model()),
            Action::Status => response::status(&self.model),
            Action::Models => response::json(embeddings::models(&self.model)),
            Action::Ask(asks) => {
                let body = match Coding::of(&head.headers) {
                    Coding::Identity => body,
                    coding => decode(coding, &body, room)?,
                };
                let question = Question::read(self, asks, &head.headers, &body)?;
                return Ok(Begun::Asked(question));
            }
        }))
    }

    /// What the path asks of the version that serves.
    fn resource<'a>(&self, head: &'a head::Parts) -> Result<Resource<'a>, Refusal> {
        let resource = Resource::of(&head.method, head.uri.path())?;
        if resource.action == Action::Ask(Asks::Embeddings) && !self.embeds() {
            return Err(Refusal::NoSuchResource);
        }
        self.refuse_other(resource.version)?;
        Ok(resource)
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

    /// Refuses what does not fit the model.
    fn check(&self, inputs: &[Tensor], wanted: &Wanted) -> Result<(), Refusal> {
        let model = self.pool.model();
        let inputs = model.check(inputs).map_err(|mismatch| mismatch.to_string());
        inputs
            .and_then(|()| wanted.check(model.outputs()))
            .map_err(Refusal::Inference)
    }

    async fn infer(
        &self,
        Question { inputs, form }: Question,
        passage: &mut Passage,
    ) -> Result<Response<Bytes>, Refusal> {
        let started = Instant::now();
        let given = self.run(inputs, started).await;
        passage.waited(started);
        passage.view().inferred(self.model.id, started.elapsed());
        form.write(self, given?)
    }

    /// On this thread, if that keeps it from other requests no longer than handing over would; else on one of the
    /// model's own.
    async fn run(&self, inputs: Vec<Tensor>, started: Instant) -> Result<Vec<Tensor>, Refusal> {
        if self.pool.is_quick(&inputs) {
            return given(self.pool.model().run(inputs));
        }
        let (reply, answer) = oneshot::channel();
        let deadline = started.checked_add(self.patience);
        // Who has left needs no answer.
        let answered = move |outcome| drop(reply.send(outcome));
        let submitted = self.pool.submit(inputs, deadline, answered);
        submitted.map_err(|_full| Refusal::ModelBusy)?;
        match timeout(self.patience, answer).await {
            Ok(answer) => outcome(answer),
            Err(_elapsed) => Err(Refusal::ModelTimeout),
        }
    }

    /// The same for nobody. What is read and written may be large: this thread, which serves requests, does neither.
    async fn answer_aside(
        self,
        head: head::Parts,
        body: Vec<Bytes>,
        shadow: &Shadow,
    ) -> Result<Response<Bytes>, Refusal> {
        let room = shadow.body_bytes;
        let read = move || {
            let begun = self.begin(&head, body.concat().into(), room)?;
            Ok::<_, Refusal>((self, begun))
        };
        let (served, begun) = spawn_blocking(read).await.map_err(|_| ended())??;
        let Question { inputs, form } = match begun {
            Begun::Answered(answer) => return Ok(answer),
            Begun::Asked(question) => question,
        };
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
        let given = match timeout(shadow.timeout, answer).await {
            Ok(answer) => outcome(answer)?,
            Err(_elapsed) if is_first(&settled) => return Err(Refusal::ModelBusy),
            Err(_elapsed) => return Err(Refusal::ModelTimeout),
        };
        let written = move || form.write(&served, given);
        spawn_blocking(written).await.map_err(|_| ended())?
    }
}

/// What an encoded body stands for.
fn decode(coding: Coding, body: &[u8], room: u64) -> Result<Bytes, Refusal> {
    if coding == Coding::Unknown {
        return Err(Refusal::Encoding);
    }
    let decoded = coding.decode(body, room);
    let decoded = decoded.map_err(|TooLarge| Refusal::BodyTooLarge { limit: room })?;
    let broken = || Refusal::Inference("the body is not encoded as it says".to_owned());
    decoded.map(Bytes::from).ok_or_else(broken)
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
