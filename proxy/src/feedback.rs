//! What clients report about answers they got: read, judged item by item, answered.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::referee::{Busy, Referee};
use crate::refusal::Refusal;
use crate::token;

/// How many items one request may bring.
const ITEMS_MAX: usize = 10_000;

/// One report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// The assignment token that came with the answer.
    pub(crate) assignment: String,
    /// Which metric it is about.
    pub(crate) metric: String,
    /// What was measured.
    pub(crate) value: f64,
    /// Names the report, so that it counts once however often it is sent.
    #[serde(default)]
    pub(crate) id: Option<String>,
}

/// What became of the items of one request.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Receipt {
    /// How many were counted.
    pub(crate) accepted: usize,
    /// How many had been counted before.
    pub(crate) duplicate: usize,
    /// Those that were not, in their order.
    pub(crate) refused: Vec<RefusedItem>,
}

/// An item that was not counted.
#[derive(Debug, Serialize)]
pub(crate) struct RefusedItem {
    /// Its position, from 0.
    pub(crate) index: usize,
    /// `WALD-46…`, as the documentation lists it.
    pub(crate) code: String,
    /// What is wrong with it.
    pub(crate) detail: String,
    #[serde(skip)]
    reason: Refused,
}

/// Why an item is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The assignment token is not one of ours.
    #[error(transparent)]
    Token(#[from] token::Refused),
    /// The token is of an experiment that is not in force here.
    #[error("the token belongs to an experiment that is not in force here")]
    Foreign,
    /// The token is of an earlier run.
    #[error("the token belongs to an earlier run of the experiment")]
    OtherRun,
    /// The run has its verdict, or rests.
    #[error("the experiment counts nothing at the moment: it is decided, stopped or paused")]
    NotCounting,
    /// The experiment has no such metric, or it is not fed by feedback.
    #[error("the experiment has no metric of this name whose source is feedback")]
    Metric,
    /// A proportion is 0 or 1, a count whole, on a log scale a number is positive, any other finite.
    #[error(
        "the value does not fit the metric: a proportion takes 0 or 1, a count whole numbers, a mean on the log scale positive ones, any other finite ones"
    )]
    Value,
    /// The metric's window is over.
    #[error("too late: the metric's window since the request is over")]
    Late,
}

impl Receipt {
    /// Adds an item that is not counted.
    pub(crate) fn refuse(&mut self, index: usize, reason: Refused) {
        let code = Refusal::Feedback(reason).kind().code.to_string();
        self.refused.push(RefusedItem {
            index,
            code,
            detail: reason.to_string(),
            reason,
        });
    }
}

/// What a request brings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reported {
    One(Item),
    Many(Vec<Item>),
}

/// Hands the items of a request to the referee, and answers.
pub(crate) async fn respond(referee: &Referee, body: Bytes) -> Result<Response<Bytes>, Refusal> {
    let reported = serde_json::from_slice(&body).map_err(|_| Refusal::FeedbackMalformed)?;
    let (items, is_single) = match reported {
        Reported::One(item) => (vec![item], true),
        Reported::Many(items) => (items, false),
    };
    if items.len() > ITEMS_MAX {
        return Err(Refusal::FeedbackTooMany { limit: ITEMS_MAX });
    }
    let receipt = referee
        .feedback(items)
        .await
        .map_err(|Busy| Refusal::FeedbackBusy)?;
    match receipt.refused.first() {
        Some(refused) if is_single => Err(Refusal::Feedback(refused.reason)),
        _ => Ok(json(&receipt)),
    }
}

fn json(receipt: &Receipt) -> Response<Bytes> {
    let mut response = Response::new(serde_json::to_vec(receipt).unwrap_or_default().into());
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
