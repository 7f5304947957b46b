//! A model's answer, if the model is sure of it.

use std::rc::Rc;
use std::time::Instant;

use http::{Response, request as head};
use inference::Tensor;
use policy::{Accept, Placement, Target};

use super::question::Question;
use super::{Begun, Served, call};
use crate::forward::Source;
use crate::gateway::Content;
use crate::grpc;
use crate::observe::Passage;
use crate::refusal::Refusal;

/// What a model comes to that answers only if it is sure.
pub(crate) enum Surely {
    /// This is its answer.
    Answered(Box<Response<Content>>),
    /// It has run, and is not sure.
    Unsure,
    /// It was not asked: what is asked about a model, or in a conversation, whoever answers in the end says for all.
    NotAsked,
}

/// Answers for the model that the request was placed on, if that is sure.
pub(crate) async fn infer_surely(
    placement: &Placement,
    accept: &Accept,
    head: &head::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Surely, Refusal> {
    let Target::Model(model) = *placement.target() else {
        return Err(Refusal::Incomplete("a model"));
    };
    let served = Served::find(passage.view(), placement.route(), model)?;
    if call::is_conversation(head) {
        return Ok(Surely::NotAsked);
    }
    let Begun::Asked(Question { inputs, form }) = served.read(head, body).await? else {
        return Ok(Surely::NotAsked);
    };
    let started = Instant::now();
    let given = served.run(inputs, started).await;
    passage.waited(started);
    passage.view().inferred(served.model.id, started.elapsed());
    let given = given?;
    if !is_sure(accept, &given) {
        return Ok(Surely::Unsure);
    }
    let answer = form.write(&served, given)?;
    let answer = if grpc::is_call(&head.headers) {
        call::said(answer.into_body())
    } else {
        answer.map(Content::Whole)
    };
    Ok(Surely::Answered(Box::new(answer)))
}

/// Whether each row has a number that reaches the bound. What is no number, and NaN, reaches none.
fn is_sure(accept: &Accept, given: &[Tensor]) -> bool {
    let Some(Tensor { shape, values, .. }) = given.iter().find(|it| *it.name == *accept.output)
    else {
        return false;
    };
    let rows = shape.first().copied().unwrap_or(1);
    let columns = values.len().checked_div(rows).unwrap_or(0);
    let reaches = |place| {
        let number = values.number(place);
        number.is_some_and(|number| number >= accept.at_least)
    };
    rows > 0 && (0..rows).all(|row| (row * columns..(row + 1) * columns).any(reaches))
}

#[cfg(test)]
mod tests {
    use inference::Values;

    use super::*;

    #[track_caller]
    fn check(shape: &[usize], values: Values, is_sure: bool) {
        let accept = Accept {
            output: "score".into(),
            at_least: 0.9,
        };
        let given = [Tensor {
            name: "score".to_owned(),
            shape: shape.to_vec(),
            values,
        }];
        assert_eq!(super::is_sure(&accept, &given), is_sure, "{given:?}");
    }

    #[test]
    fn a_model_is_sure_if_each_row_is() {
        check(&[1, 2], Values::Fp32(vec![0.05, 0.95]), true);
        check(&[1, 2], Values::Fp32(vec![0.5, 0.5]), false);
        check(&[2, 2], Values::Fp64(vec![0.05, 0.95, 0.9, 0.1]), true);
        check(&[2, 2], Values::Fp32(vec![0.05, 0.95, 0.5, 0.5]), false);
        check(&[2], Values::Fp32(vec![0.95, 0.5]), false);
        check(&[], Values::Fp32(vec![0.9]), false);
        check(&[], Values::Fp64(vec![0.9]), true);
        check(&[1], Values::Int64(vec![1]), true);
    }

    #[test]
    fn what_says_nothing_is_not_sure() {
        check(&[1, 2], Values::Fp32(vec![f32::NAN, 0.1]), false);
        check(&[0, 2], Values::Fp32(vec![]), false);
        check(&[1], Values::Bytes(vec![b"1".to_vec()]), false);
        let accept = Accept {
            output: "other".into(),
            at_least: 0.0,
        };
        assert!(!is_sure(&accept, &[]));
    }
}
