//! A tokenizer before a model and an ending behind it, fitted to that model.

use super::feed::{self, Feed};
use super::gathered::{Gathered, Unexpected};
use super::misfit::Misfit;
use super::row::Row;
use super::{Ending, TEXT, TOKENS, Tokenizer};
use crate::limits::TEXT_BYTES_MAX;
use crate::{Datatype, Mismatch, Signature, Tensor, Values};

/// An error of a model, a tokenizer or ours.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Runs the model itself.
type Compute<'a> = &'a dyn Fn(Vec<Tensor>) -> Result<Vec<Tensor>, Cause>;

/// What stands around a model.
#[derive(Debug)]
pub(crate) struct Frame {
    reader: Option<Reader>,
    ending: Option<Placed>,
    inputs: Vec<Signature>,
    outputs: Vec<Signature>,
}

#[derive(Debug)]
struct Reader {
    tokenizer: Tokenizer,
    feed: Feed,
}

/// An ending, and which of the model's outputs it takes.
#[derive(Debug)]
struct Placed {
    ending: Ending,
    output: usize,
}

impl Frame {
    /// The frame of a model with these inputs and outputs, or why it does not fit.
    pub(crate) fn fit(
        tokenizer: Option<Tokenizer>,
        ending: Option<Ending>,
        (inputs, outputs): (&[Signature], &[Signature]),
    ) -> Result<Self, Misfit> {
        let reader = tokenizer.map(|it| Reader::fit(it, inputs)).transpose()?;
        let (ending, mut given) = match ending {
            Some(ending) => {
                let (placed, given) = Placed::fit(ending, outputs)?;
                (Some(placed), given)
            }
            None => (None, outputs.to_vec()),
        };
        if reader.is_some() {
            if given.iter().any(|output| output.name == TOKENS) {
                return Err(Misfit::NameTaken {
                    output: TOKENS.to_owned(),
                });
            }
            given.push(signature(TOKENS, Datatype::Int64, None));
        }
        let taken = match &reader {
            // With an ending, rows are asked for as the model takes them; without, its outputs are for all rows.
            Some(reader) => {
                let rows = reader.feed.rows().filter(|_| ending.is_none());
                vec![signature(TEXT, Datatype::Bytes, rows)]
            }
            None => inputs.to_vec(),
        };
        Ok(Self {
            reader,
            ending,
            inputs: taken,
            outputs: given,
        })
    }

    /// What a request brings.
    pub(crate) fn inputs(&self) -> &[Signature] {
        &self.inputs
    }

    /// What it gets.
    pub(crate) fn outputs(&self) -> &[Signature] {
        &self.outputs
    }

    pub(crate) fn tokenizer(&self) -> Option<&Tokenizer> {
        self.reader.as_ref().map(|reader| &reader.tokenizer)
    }

    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref().map(|placed| &placed.ending)
    }

    /// Whether a request brings texts. Who has made tokens of them brings the model's own inputs.
    pub(crate) fn takes_text(&self, tensors: &[Tensor]) -> bool {
        let reader = self.reader.as_ref();
        reader.is_some_and(|reader| !reader.feed.is_fed(tensors))
    }

    /// What is wrong with texts that fit otherwise.
    pub(crate) fn check_texts(&self, tensors: &[Tensor]) -> Result<(), Mismatch> {
        let texts = tensors.iter().filter_map(|tensor| match &tensor.values {
            Values::Bytes(texts) => Some(texts),
            _ => None,
        });
        let mut long = texts.flat_map(|texts| texts.iter().enumerate());
        match long.find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
            Some((index, text)) => Err(Mismatch::LongText {
                index,
                found: text.len(),
                max: TEXT_BYTES_MAX,
            }),
            None => Ok(()),
        }
    }

    /// Numbers of tokens, text by text, as the model's own inputs. What the tokenizer adds to texts is not added.
    pub(crate) fn feed(&self, texts: &[Vec<u32>]) -> Result<Vec<Tensor>, Mismatch> {
        match &self.reader {
            Some(reader) => reader.feed(texts),
            None => Ok(Vec::new()),
        }
    }

    /// What the model itself gets of checked inputs, all of it at once.
    pub(crate) fn fed(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Cause> {
        let Some(reader) = &self.reader else {
            return Ok(inputs);
        };
        let rows = reader.rows(&inputs)?;
        let rows: Vec<_> = rows.iter().collect();
        Ok(reader.feed.tensors(&rows, reader.tokenizer.padding()))
    }

    /// Whether what a row gives has a shape that other rows have no part in: not so the vectors of all its tokens,
    /// among padding.
    pub(crate) fn keeps_rows_apart(&self) -> bool {
        self.reader.is_none() || self.ending.is_some()
    }

    /// What `compute` makes of checked inputs.
    pub(crate) fn run(
        &self,
        inputs: Vec<Tensor>,
        compute: Compute<'_>,
    ) -> Result<Vec<Tensor>, Cause> {
        match (&self.reader, &self.ending) {
            (Some(reader), _) => reader.run(inputs, self.ending.as_ref(), compute),
            (None, Some(placed)) => {
                let mask = feed::mask(&inputs);
                let rows = placed.rows(&compute(inputs)?, mask.as_deref())?;
                Ok(placed.finish(rows))
            }
            (None, None) => compute(inputs),
        }
    }
}

impl Reader {
    fn fit(mut tokenizer: Tokenizer, inputs: &[Signature]) -> Result<Self, Misfit> {
        let feed = Feed::of(inputs)?;
        tokenizer.limit(feed.length())?;
        Ok(Self { tokenizer, feed })
    }

    fn feed(&self, texts: &[Vec<u32>]) -> Result<Vec<Tensor>, Mismatch> {
        let (most, known) = (self.tokenizer.max_tokens(), self.tokenizer.vocabulary());
        for (index, tokens) in texts.iter().enumerate() {
            if tokens.is_empty() || tokens.len() > most {
                return Err(Mismatch::TokenCount {
                    index,
                    found: tokens.len(),
                    max: most,
                });
            }
            let is_strange = |token: &&u32| usize::try_from(**token).is_ok_and(|it| it >= known);
            if let Some(found) = tokens.iter().find(is_strange).copied() {
                return Err(Mismatch::UnknownToken {
                    index,
                    found,
                    known,
                });
            }
        }
        let rows: Vec<_> = texts
            .iter()
            .map(|tokens| Row::of(tokens.iter().copied().map(i64::from).collect()))
            .collect();
        let rows: Vec<_> = rows.iter().collect();
        Ok(self.feed.tensors(&rows, self.tokenizer.padding()))
    }

    fn run(
        &self,
        inputs: Vec<Tensor>,
        ending: Option<&Placed>,
        compute: Compute<'_>,
    ) -> Result<Vec<Tensor>, Cause> {
        let rows = self.rows(&inputs)?;
        let tokens = Tensor {
            name: TOKENS.to_owned(),
            shape: vec![rows.len()],
            values: Values::Int64(rows.iter().map(Row::count).collect()),
        };
        drop(inputs);
        let padding = self.tokenizer.padding();
        let mut outputs = match ending {
            None => {
                let all: Vec<_> = rows.iter().collect();
                compute(self.feed.tensors(&all, padding))?
            }
            Some(placed) => {
                let mut gathered = Gathered::new(rows.len());
                for places in self.feed.runs(&rows) {
                    let run: Vec<_> = places.iter().filter_map(|place| rows.get(*place)).collect();
                    let mask = self.feed.mask(&run, padding);
                    let outputs = compute(self.feed.tensors(&run, padding))?;
                    gathered.put(&places, &placed.rows(&outputs, Some(&mask))?);
                }
                placed.finish(gathered)
            }
        };
        outputs.push(tokens);
        Ok(outputs)
    }

    /// The rows of a request, which brings texts or the model's own inputs.
    fn rows(&self, inputs: &[Tensor]) -> Result<Vec<Row>, Cause> {
        match inputs {
            [
                Tensor {
                    name,
                    values: Values::Bytes(texts),
                    ..
                },
            ] if name == TEXT => texts
                .iter()
                .enumerate()
                .map(|(index, text)| self.read(index, text))
                .collect(),
            _ => Ok(self.feed.read(inputs)),
        }
    }

    /// The tokens of one text. One without any, which only a tokenizer that adds none can read, says nothing.
    fn read(&self, index: usize, text: &[u8]) -> Result<Row, Cause> {
        let row = self.tokenizer.read(str::from_utf8(text)?)?;
        if row.len() == 0 {
            return Err(Mismatch::TokenCount {
                index,
                found: 0,
                max: self.tokenizer.max_tokens(),
            }
            .into());
        }
        Ok(row)
    }
}

impl Placed {
    fn fit(ending: Ending, outputs: &[Signature]) -> Result<(Self, Vec<Signature>), Misfit> {
        let (output, given) = match &ending {
            Ending::Embedding(embedding) => {
                let (output, given) = embedding.fit(outputs)?;
                (output, vec![given])
            }
            Ending::Classes(classes) => classes.fit(outputs)?,
        };
        Ok((Self { ending, output }, given))
    }

    fn rows(&self, outputs: &[Tensor], mask: Option<&[i64]>) -> Result<Gathered, Unexpected> {
        let none = || Unexpected {
            output: String::new(),
            shape: Vec::new(),
            expected: "an output",
        };
        let output = outputs.get(self.output).ok_or_else(none)?;
        match &self.ending {
            Ending::Embedding(embedding) => embedding.rows(output, mask),
            Ending::Classes(_) => Gathered::of(output),
        }
    }

    fn finish(&self, rows: Gathered) -> Vec<Tensor> {
        match &self.ending {
            Ending::Embedding(embedding) => embedding.finish(rows),
            Ending::Classes(classes) => classes.finish(rows),
        }
    }
}

fn signature(name: &str, datatype: Datatype, rows: Option<usize>) -> Signature {
    Signature {
        name: name.to_owned(),
        datatype,
        shape: vec![rows],
        classes: vec![],
    }
}
