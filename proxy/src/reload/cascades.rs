//! Whether what a cascade looks at is there.

use inference::Datatype;
use policy::{Accept, ModelId, Policy, Target};

/// A cascade asks its model for an output that says how sure it is, and the model has none such.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("model `{model}` has no output `{output}` of numbers to `accept` by: it has {known}")]
pub(crate) struct NoScore {
    model: String,
    output: String,
    known: String,
}

/// Finds the first step of a cascade whose model says nothing of what it is accepted by.
pub(crate) fn check<'m>(
    policy: &Policy,
    model: impl Fn(ModelId) -> Option<&'m inference::Model>,
) -> Result<(), NoScore> {
    let arms = policy.experiments().iter().flat_map(|it| &it.arms);
    let of_routes = policy.routes().iter().map(|route| &route.target);
    for target in of_routes.chain(arms.map(|arm| &arm.target)) {
        let Target::Cascade(cascade) = target else {
            continue;
        };
        for step in &cascade.steps {
            let (Target::Model(id), Some(accept)) = (&step.target, &step.accept) else {
                continue;
            };
            if let Some(found) = model(*id) {
                fits(found, accept, || policy.backend(&step.target))?;
            }
        }
    }
    Ok(())
}

fn fits(
    model: &inference::Model,
    accept: &Accept,
    name: impl FnOnce() -> String,
) -> Result<(), NoScore> {
    let outputs = model.outputs();
    let is_meant = |output: &&inference::Signature| output.name == *accept.output;
    match outputs.iter().find(is_meant) {
        Some(output) if output.datatype != Datatype::Bytes => Ok(()),
        _ => {
            let known: Vec<_> = outputs.iter().map(ToString::to_string).collect();
            Err(NoScore {
                model: name(),
                output: accept.output.to_string(),
                known: known.join(", "),
            })
        }
    }
}
