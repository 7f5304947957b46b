//! Which outputs a request asks for, and in which form.

use inference::{Signature, Tensor};

use super::classes::{self, Top};

/// The outputs of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// In this order; none: all of them, in the model's.
    pub(super) outputs: Vec<Output>,
    /// Whether outputs go out in binary that do not say how.
    pub(super) is_binary: bool,
}

/// One output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) is_binary: Option<bool>,
    /// How many of the best classes to name instead of the scores of all.
    pub(super) top: Option<Top>,
}

/// An output as it goes out.
#[derive(Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) tensor: Tensor,
    pub(super) is_binary: bool,
}

impl Wanted {
    /// Refuses outputs that the model does not have, and classes of those that hold no scores.
    pub(super) fn check(&self, known: &[Signature]) -> Result<(), String> {
        self.outputs.iter().try_for_each(|asked| {
            let Some(output) = known.iter().find(|output| output.name == asked.name) else {
                let names: Vec<_> = known.iter().map(|output| output.name.as_str()).collect();
                let (asked, names) = (&asked.name, names.join(", "));
                return Err(format!(
                    "output `{asked}` is not known; the model has {names}"
                ));
            };
            asked.top.map_or(Ok(()), |_| classes::check(output))
        })
    }

    /// Puts what the model gave into this order and form.
    pub(super) fn choose(&self, mut given: Vec<Tensor>, known: &[Signature]) -> Vec<Chosen> {
        let is_binary = self.is_binary;
        if self.outputs.is_empty() {
            let all = given.into_iter();
            return all.map(|tensor| Chosen { tensor, is_binary }).collect();
        }
        let chosen = self.outputs.iter().filter_map(|asked| {
            // Whoever asks for one twice gets it once.
            let place = given.iter().position(|tensor| tensor.name == asked.name)?;
            let tensor = given.swap_remove(place);
            let signature = known.iter().find(|output| output.name == asked.name)?;
            let tensor = match asked.top {
                Some(top) => classes::best(&tensor, top, signature),
                None => tensor,
            };
            let is_binary = asked.is_binary.unwrap_or(is_binary);
            Some(Chosen { tensor, is_binary })
        });
        chosen.collect()
    }
}

#[cfg(test)]
mod tests {
    use inference::{Datatype, Values};

    use super::*;

    fn known() -> Vec<Signature> {
        let signature = |name: &str, datatype| Signature {
            name: name.to_owned(),
            datatype,
            shape: vec![None, Some(2)],
            classes: vec![],
        };
        vec![
            signature("a", Datatype::Fp32),
            signature("b", Datatype::Bytes),
        ]
    }

    fn given() -> Vec<Tensor> {
        let tensor = |name: &str, values| Tensor {
            name: name.to_owned(),
            shape: vec![1, 2],
            values,
        };
        let texts = vec![b"x".to_vec(), b"y".to_vec()];
        vec![
            tensor("a", Values::Fp32(vec![0.25, 0.75])),
            tensor("b", Values::Bytes(texts)),
        ]
    }

    fn output(name: &str, is_binary: Option<bool>, top: Option<Top>) -> Output {
        let name = name.to_owned();
        Output {
            name,
            is_binary,
            top,
        }
    }

    #[test]
    fn outputs_come_as_they_were_asked_for() {
        let outputs = vec![output("b", None, None), output("a", Some(false), None)];
        let wanted = Wanted {
            outputs,
            is_binary: true,
        };
        assert_eq!(wanted.check(&known()), Ok(()));
        let chosen = wanted.choose(given(), &known());
        let told: Vec<_> = chosen
            .iter()
            .map(|chosen| (chosen.tensor.name.as_str(), chosen.is_binary))
            .collect();
        assert_eq!(told, [("b", true), ("a", false)]);
        let all = Wanted::default().choose(given(), &known());
        assert_eq!(all.len(), 2);
        let twice = vec![output("a", None, None), output("a", None, None)];
        let wanted = Wanted {
            outputs: twice,
            is_binary: false,
        };
        assert_eq!(wanted.choose(given(), &known()).len(), 1);
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let refused = |output| {
            let wanted = Wanted {
                outputs: vec![output],
                is_binary: false,
            };
            wanted.check(&known()).unwrap_err()
        };
        let unknown = refused(output("c", None, None));
        assert_eq!(unknown, "output `c` is not known; the model has a, b");
        let texts = refused(output("b", None, Top::new(1)));
        assert!(texts.contains("`b` is BYTES"), "{texts}");
    }
}
