//! What a request asks of a model, and how its answer is to be written.

use bytes::Bytes;
use http::{HeaderMap, Response};
use inference::Tensor;

use super::request::Query;
use super::resource::Asks;
use super::wanted::Wanted;
use super::{Served, call, embeddings, predict, response};
use crate::grpc::framed;
use crate::refusal::Refusal;

/// What goes into the model, and the form of what comes out.
pub(super) struct Question {
    pub(super) inputs: Vec<Tensor>,
    pub(super) form: Form,
}

/// How an answer is written.
pub(super) enum Form {
    /// In the Open Inference Protocol over REST.
    Infer { id: Option<String>, wanted: Wanted },
    /// In the same over gRPC.
    Call(call::Form),
    /// As TensorFlow Serving does.
    Predict(predict::Form),
    /// As OpenAI's embeddings.
    Embeddings(embeddings::Encoding),
}

impl Question {
    /// What a body asks over REST, if it fits the model.
    pub(super) fn read(
        served: &Served,
        asks: Asks,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Self, Refusal> {
        let (inputs, form) = match asks {
            Asks::Infer => {
                let query = Query::parse(headers, body).map_err(Refusal::Inference)?;
                let Query { id, inputs, wanted } = query;
                served.check(&inputs, &wanted)?;
                (inputs, Form::Infer { id, wanted })
            }
            Asks::Predict => {
                let known = served.pool.model().inputs();
                let (inputs, form) = predict::read(known, body).map_err(Refusal::Inference)?;
                served.check(&inputs, &Wanted::default())?;
                (inputs, Form::Predict(form))
            }
            Asks::Embeddings => {
                let question = embeddings::Question::parse(body).map_err(Refusal::Inference)?;
                let form = Form::Embeddings(question.encoding);
                let inputs = question.inputs(served.pool.model());
                let inputs = inputs.map_err(Refusal::Inference)?;
                served.check(&inputs, &Wanted::default())?;
                (inputs, form)
            }
        };
        Ok(Self { inputs, form })
    }
}

impl Form {
    /// The answer that says what the model gave.
    pub(super) fn write(
        &self,
        served: &Served,
        given: Vec<Tensor>,
    ) -> Result<Response<Bytes>, Refusal> {
        match self {
            Self::Infer { id, wanted } => {
                let chosen = wanted.choose(given, served.pool.model().outputs());
                Ok(response::inferred(&served.model, id.as_deref(), &chosen))
            }
            Self::Call(form) => Ok(Response::new(framed(&form.response(served, given)))),
            Self::Predict(form) => {
                let body = form.write(&given).map_err(Refusal::Inference)?;
                Ok(response::json(body))
            }
            Self::Embeddings(encoding) => {
                let body = embeddings::answer(&served.model, *encoding, &given);
                Ok(response::json(body))
            }
        }
    }
}
