//! Answers a placed request from a model that runs here, in the Open Inference Protocol V2 over REST.
//!
//! The name in the path is an alias that the route matched; which model serves is the placement's decision,
//! and the answer says which one it was.

mod request;
mod resource;
mod response;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, request as head};
use inference::{Pool, RunError, Tensor};
use policy::{Model, Placement, Target};
use tokio::sync::oneshot;

use crate::forward::Source;
use crate::observe::Passage;
use crate::refusal::Refusal;
use request::Query;
use resource::{Action, Resource};

/// Announces tensors in binary behind the JSON (the protocol's binary extension).
pub(crate) const BINARY: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Answers for the model that the request was placed on.
pub(crate) async fn infer(
    placement: &Placement,
    head: &head::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Response<Bytes>, Refusal> {
    let Resource { version, action } = Resource::of(&head.method, head.uri.path())?;
    let served = Served::find(placement, passage).ok_or(Refusal::Incomplete("a model"))?;
    served.refuse_other(version)?;
    match action {
        Action::ServerMetadata => Ok(json(response::server())),
        Action::Live => Ok(json(response::live())),
        Action::Ready => Ok(json(response::ready())),
        Action::Metadata => Ok(json(response::metadata(&served.model, served.pool.model()))),
        Action::Infer => {
            if head.headers.contains_key(BINARY) {
                return Err(Refusal::Inference(
                    "tensors in JSON; the binary extension is not offered".to_owned(),
                ));
            }
            let body = body.whole(served.patience).await?;
            served.infer(&body, passage).await.map(json)
        }
    }
}

/// The model that serves a request.
struct Served {
    model: Model,
    pool: Arc<Pool>,
    patience: Duration,
}

impl Served {
    fn find(placement: &Placement, passage: &Passage) -> Option<Self> {
        let Target::Model(id) = placement.target() else {
            return None;
        };
        let snapshot = passage.view().snapshot();
        let route = snapshot.policy.routes().get(placement.route().index())?;
        let model = snapshot.policy.models().get(id.index())?.clone();
        Some(Self {
            model,
            pool: Arc::clone(snapshot.model(*id)?),
            patience: route.timeout,
        })
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

    async fn infer(&self, body: &[u8], passage: &mut Passage) -> Result<Bytes, Refusal> {
        let query = Query::parse(body).map_err(Refusal::Inference)?;
        let model = self.pool.model();
        model
            .check(&query.inputs)
            .map_err(|mismatch| Refusal::Inference(mismatch.to_string()))?;
        query
            .check_outputs(model.outputs())
            .map_err(Refusal::Inference)?;
        let started = Instant::now();
        let answered = tokio::time::timeout(self.patience, run(&self.pool, query.inputs)).await;
        passage.waited(started);
        passage.view().inferred(self.model.id, started.elapsed());
        let outputs = answered.map_err(|_elapsed| Refusal::ModelTimeout)??;
        Ok(response::inferred(
            &self.model,
            query.id.as_deref(),
            &query.outputs,
            outputs,
        ))
    }
}

async fn run(pool: &Pool, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Refusal> {
    let (reply, answer) = oneshot::channel();
    // Who has left needs no answer.
    let submitted = pool.submit(inputs, move |outcome: Result<Vec<Tensor>, RunError>| {
        drop(reply.send(outcome))
    });
    submitted.map_err(|_full| Refusal::ModelBusy)?;
    match answer.await {
        Ok(outcome) => outcome.map_err(|error| Refusal::ModelFailed(error.to_string())),
        Err(_gone) => Err(Refusal::ModelFailed("the worker ended".to_owned())),
    }
}

fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
