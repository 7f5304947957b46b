//! A model is tried before it serves: with the example of its document, or with inputs that are made up.

use std::io;
use std::path::PathBuf;

use http::HeaderMap;
use inference::{Cost, Difference, RunError, Tensor, Trial};
use policy::{Example, ExampleBody};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::Query;

/// How a trial went that lets a model serve.
#[derive(Debug)]
pub(crate) enum Tried {
    /// The example got the answer that it should.
    Example(Cost),
    /// What was made up got an answer.
    MadeUp(Cost),
    /// No example is declared, and what was made up got none: it may have been no sensible request.
    Untried(RunError),
}

/// Why a model may not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    /// A file of the example cannot be read.
    #[error("cannot read {} of the example", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The example is no body of the protocol.
    #[error("the {part} of the example cannot be read: {why}")]
    Unclear {
        /// `request` or `response`.
        part: &'static str,
        /// What was expected.
        why: String,
    },
    /// It gives no answer.
    #[error("the example gets no answer")]
    Failed(#[source] RunError),
    /// It gives another answer.
    #[error("the example gets another answer")]
    Differs(#[source] Difference),
}

impl Tried {
    /// What a run costs, if that is known.
    pub(crate) fn cost(&self) -> Option<Cost> {
        match self {
            Self::Example(cost) | Self::MadeUp(cost) => Some(*cost),
            Self::Untried(_) => None,
        }
    }
}

/// Tries a model as the document says. It runs, on this thread, for a tenth of a second or as long as two runs take.
pub(crate) fn attempt(
    example: Option<&Example>,
    model: &inference::Model,
) -> Result<Tried, TrialError> {
    let Some(example) = example else {
        let tried = model.try_without();
        return Ok(match tried {
            Ok(Trial { cost, .. }) => Tried::MadeUp(cost),
            Err(error) => Tried::Untried(error),
        });
    };
    let request = tensors("request", &read(&example.request)?)?;
    let expected = match &example.response {
        Some(response) => outputs(&read(response)?)?,
        None => Vec::new(),
    };
    let Trial { outputs, cost, .. } = model.try_with(&request).map_err(TrialError::Failed)?;
    inference::differences(&expected, &outputs, example.tolerance).map_err(TrialError::Differs)?;
    Ok(Tried::Example(cost))
}

fn read(body: &ExampleBody) -> Result<String, TrialError> {
    match body {
        ExampleBody::Written(body) => Ok(body.clone()),
        ExampleBody::File(path) => {
            std::fs::read_to_string(path).map_err(|source| TrialError::Read {
                path: path.clone(),
                source,
            })
        }
    }
}

/// A response has outputs in the form in which a request has inputs.
fn outputs(body: &str) -> Result<Vec<Tensor>, TrialError> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        outputs: &'a RawValue,
    }
    let part = "response";
    let response: Response<'_> =
        serde_json::from_str(body).map_err(|error| TrialError::Unclear {
            part,
            why: error.to_string(),
        })?;
    tensors(part, &format!(r#"{{"inputs":{}}}"#, response.outputs))
}

fn tensors(part: &'static str, body: &str) -> Result<Vec<Tensor>, TrialError> {
    match Query::parse(&HeaderMap::new(), body.as_bytes()) {
        Ok(query) => Ok(query.inputs),
        Err(why) => Err(TrialError::Unclear { part, why }),
    }
}
