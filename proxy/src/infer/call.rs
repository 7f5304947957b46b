//! The same over gRPC: calls of `inference.GRPCInferenceService`.
//!
//! The model that a message names is an alias as the one in a path is: the route has decided which one serves.

mod contents;
pub(crate) mod message;
mod question;
mod stream;

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::iter;
use http::{HeaderMap, HeaderName, Method as Verb, Response, request as head};
use hyper::body::Frame;
use inference::Signature;
use prost::Message;

use super::{Begun, EXTENSIONS, Served};
use crate::coding::Coding;
use crate::forward::Source;
use crate::gateway::Content;
use crate::grpc::{self, Framed, Status, framed};
use crate::observe::Passage;
use crate::refusal::Refusal;
use message::{Declared, Metadata, Server, Which, Yes};
pub(super) use question::Form;

const SERVICE: &str = "/inference.GRPCInferenceService/";

pub(super) const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    ServerLive,
    ServerReady,
    ModelReady,
    ServerMetadata,
    ModelMetadata,
    ModelInfer,
    ModelStreamInfer,
}

impl Method {
    fn of(head: &head::Parts) -> Result<Self, Refusal> {
        let name = head.uri.path().strip_prefix(SERVICE);
        let method = match name.ok_or(Refusal::NoSuchResource)? {
            "ServerLive" => Self::ServerLive,
            "ServerReady" => Self::ServerReady,
            "ModelReady" => Self::ModelReady,
            "ServerMetadata" => Self::ServerMetadata,
            "ModelMetadata" => Self::ModelMetadata,
            "ModelInfer" => Self::ModelInfer,
            "ModelStreamInfer" => Self::ModelStreamInfer,
            _ => return Err(Refusal::NoSuchResource),
        };
        if head.method != Verb::POST {
            return Err(Refusal::Method { allowed: "POST" });
        }
        Ok(method)
    }
}

/// How the messages of a call are read.
#[derive(Clone, Copy)]
struct Reading {
    coding: Coding,
    /// How long a message may be.
    room: u64,
}

impl Reading {
    fn of(headers: &HeaderMap, room: u64) -> Self {
        let written = headers.get(ENCODING);
        let coding = written.map_or(Coding::Identity, |it| Coding::named(it.as_bytes()));
        Self { coding, room }
    }

    /// What a message says.
    fn read(self, framed: Framed) -> Result<Bytes, Refusal> {
        let Self { coding, room } = self;
        match framed.is_encoded {
            false => Ok(framed.message),
            true => super::decode(coding, &framed.message, room),
        }
    }

    /// What the only message of a call says.
    fn only(self, whole: Bytes) -> Result<Bytes, Refusal> {
        let mut held = BytesMut::from(whole);
        let message = Framed::take(&mut held).filter(|_| held.is_empty());
        let expected = || Refusal::Inference("expected one message in its frame".to_owned());
        self.read(message.ok_or_else(expected)?)
    }
}

/// What a call with one message comes to before the model runs.
pub(super) fn begin(
    served: &Served,
    head: &head::Parts,
    body: Bytes,
    room: u64,
) -> Result<Begun, Refusal> {
    let method = Method::of(head)?;
    let message = Reading::of(&head.headers, room).only(body)?;
    Ok(match about(served, method, &message)? {
        Some(about) => Begun::Answered(Response::new(about)),
        None => Begun::Asked(Form::question(served, message)?),
    })
}

/// How long the caller waits from now on.
pub(crate) fn left(head: &head::Parts, passage: &Passage) -> Option<Duration> {
    let gone = passage.arrived().instant.elapsed();
    grpc::timeout(&head.headers).map(|deadline| deadline.saturating_sub(gone))
}

/// Whether it is a call with any number of messages.
pub(crate) fn is_conversation(head: &head::Parts) -> bool {
    matches!(Method::of(head), Ok(Method::ModelStreamInfer))
}

/// Answers such a call.
pub(super) fn converse(
    served: Served,
    head: &head::Parts,
    body: &Rc<Source>,
    passage: &Passage,
) -> Result<Response<Content>, Refusal> {
    let reading = Reading::of(&head.headers, body.limit());
    let upload = body.upload().ok_or(Refusal::BodyBroken)?;
    let conversation = stream::Conversation::new(served, upload, reading, passage.view());
    let frames = conversation.go(left(head, passage));
    Ok(content(Messages::new(frames)))
}

/// The answer of a call with one message.
pub(super) fn said(message: Bytes) -> Response<Content> {
    let frames = [Frame::data(message), Frame::trailers(ended(Status::OK, ""))];
    content(Messages::new(iter(frames)))
}

/// The same whole, with what ends it in its head, for whoever compares it.
pub(super) fn compared(message: Bytes) -> Response<Bytes> {
    let mut response = Response::new(message);
    *response.headers_mut() = ended(Status::OK, "");
    grpc::mark(response.headers_mut());
    response
}

/// The answer to what is asked about the model; none if it is asked to run.
fn about(served: &Served, method: Method, message: &Bytes) -> Result<Option<Bytes>, Refusal> {
    let yes = || framed(&Yes { is_so: true });
    Ok(Some(match method {
        Method::ServerLive | Method::ServerReady => yes(),
        Method::ServerMetadata => framed(&Server {
            name: "wald".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }),
        Method::ModelReady => {
            served.refuse_others(message)?;
            yes()
        }
        Method::ModelMetadata => {
            served.refuse_others(message)?;
            framed(&metadata(served))
        }
        Method::ModelInfer | Method::ModelStreamInfer => return Ok(None),
    }))
}

impl Served {
    /// Refuses what is asked about another version.
    fn refuse_others(&self, message: &Bytes) -> Result<(), Refusal> {
        let which = Which::decode(message.clone());
        let which = which.map_err(|error| Refusal::Inference(error.to_string()))?;
        self.refuse_other(Some(&*which.version).filter(|version| !version.is_empty()))
    }
}

fn metadata(served: &Served) -> Metadata {
    let (model, declared) = (served.pool.model(), |signatures: &[Signature]| {
        signatures.iter().map(Declared::of).collect()
    });
    Metadata {
        name: served.model.name.to_string(),
        versions: vec![served.model.version.to_string()],
        platform: super::PLATFORM.to_owned(),
        inputs: declared(model.inputs()),
        outputs: declared(model.outputs()),
    }
}

impl Declared {
    /// The protocol writes -1 where a request may choose.
    fn of(signature: &Signature) -> Self {
        let length = |length: &Option<usize>| length.and_then(|it| i64::try_from(it).ok());
        let lengths = signature.shape.iter().map(length);
        Self {
            name: signature.name.clone(),
            datatype: signature.datatype.name().to_owned(),
            shape: lengths.map(|length| length.unwrap_or(-1)).collect(),
        }
    }
}

/// The messages that answer a call, and the trailers that end it.
pub(crate) struct Messages {
    frames: Pin<Box<dyn Stream<Item = Frame<Bytes>>>>,
    has_ended: bool,
}

impl Messages {
    fn new(frames: impl Stream<Item = Frame<Bytes>> + 'static) -> Self {
        Self {
            frames: Box::pin(frames),
            has_ended: false,
        }
    }

    /// The next frame; none after the trailers.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let polled = self.frames.as_mut().poll_next(cx);
        if let Poll::Ready(Some(frame)) = &polled {
            self.has_ended |= frame.is_trailers();
        }
        polled
    }

    /// Whether the trailers have gone: nobody asks again then.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// The trailers of a call that ended so.
fn ended(status: Status, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    status.write(message, &mut trailers);
    trailers
}

fn content(messages: Messages) -> Response<Content> {
    let mut response = Response::new(Content::Call(messages));
    grpc::mark(response.headers_mut());
    response
}
