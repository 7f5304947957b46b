//! A model is run before it serves: with what its owner gave as an example, or with inputs that are made up.
//!
//! That finds out whether it runs at all, how long it takes, and whether the rows of a batch leave each other alone.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use half::{bf16, f16};
use tract_onnx::prelude::TypedRunnableModel;

use super::plans::Plans;
use super::rows::{join, split};
use super::{Model, RunError, Unbatchable};
use crate::limits::QUICK_MAX;
use crate::{Cost, Datatype, Signature, Tensor, Values, golden};

/// How many runs the median is of, after a first one that nobody measures.
const RUNS: usize = 9;
/// A slow model is measured less often.
const TIME: Duration = Duration::from_millis(100);
/// What open dimensions other than the batch are tried with: a short text, a small image, one of the usual size.
const LENGTHS: [usize; 3] = [16, 64, 224];
/// The most values of an input that is made up: a few large images.
const MADE_UP_MAX: usize = 1 << 23;
/// Plans for shapes of their own take memory, and time to make: they must run in less than this part of the time.
const GAIN: f64 = 0.8;
/// How far a row may be from what it is alone: matrices of other sizes are summed in another order.
const TOLERANCE: f64 = 1e-3;

/// What a model made of an example.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What it gave.
    pub outputs: Vec<Tensor>,
    /// How long it takes.
    pub cost: Cost,
    /// What came out where plans for shapes of their own were compared with the one for all.
    pub comparison: Option<Comparison>,
}

/// The median times of two plans for the same inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Of the one that serves any shape.
    pub open: Duration,
    /// Of one made for this shape.
    pub own: Duration,
}

impl Comparison {
    /// Whether plans for shapes of their own are worth their memory and the time to make them.
    fn is_gain(self) -> bool {
        self.own.as_secs_f64() < GAIN * self.open.as_secs_f64()
    }
}

impl Model {
    /// Runs these inputs several times. The first trial also finds out whether plans for shapes of their own make the
    /// model faster, and lets it have them only then.
    pub fn try_with(&self, inputs: &[Tensor]) -> Result<Trial, RunError> {
        let outputs = self.run(inputs.to_vec())?;
        let fed = self.arranged(self.fed(inputs.to_vec())?);
        let open = self.median(&self.0.plan, &fed)?;
        let pattern = self.0.pattern.lock();
        let pattern = pattern.unwrap_or_else(PoisonError::into_inner).take();
        let comparison = pattern
            .filter(|_| open > QUICK_MAX)
            .and_then(|pattern| self.compare(Plans::new(pattern), &fed, open));
        Ok(Trial {
            outputs,
            // Not every shape has a plan of its own.
            cost: Cost::new(open, inputs),
            comparison,
        })
    }

    /// Compares with the `open` plan one for the shape of these inputs, and keeps such plans if they are faster. None
    /// if no such plan can be made.
    fn compare(&self, plans: Plans, inputs: &[Tensor], open: Duration) -> Option<Comparison> {
        let plan = plans.make_for(inputs)?;
        let own = self.median(&plan, inputs).ok()?;
        let comparison = Comparison { open, own };
        if comparison.is_gain() {
            // Another trial at the same time may have come to the same end.
            drop(self.0.plans.set(plans));
        }
        Some(comparison)
    }

    fn median(
        &self,
        plan: &Arc<TypedRunnableModel>,
        inputs: &[Tensor],
    ) -> Result<Duration, RunError> {
        self.compute(plan, inputs.to_vec())?;
        let (start, mut times) = (Instant::now(), Vec::with_capacity(RUNS));
        while times.len() < RUNS && (times.is_empty() || start.elapsed() < TIME) {
            let inputs = inputs.to_vec();
            let run = Instant::now();
            self.compute(plan, inputs)?;
            times.push(run.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or(TIME))
    }

    /// Runs one row that is made up. Fails where the model takes no lengths or values that were tried: those of its
    /// last try tell why.
    pub fn try_without(&self) -> Result<Trial, RunError> {
        let mut outcome = Err(RunError::Unmade);
        for length in LENGTHS {
            let Some(inputs) = self.made_up(1, length) else {
                break;
            };
            outcome = self.try_with(&inputs);
            if outcome.is_ok() || self.has_one_form() {
                break;
            }
        }
        outcome
    }

    /// Whether no dimension but the batch is open.
    fn has_one_form(&self) -> bool {
        let fixed = |input: &Signature| input.shape.iter().skip(1).all(Option::is_some);
        self.inputs().iter().all(fixed)
    }

    /// Whether requests can run together: the first dimension of everything is the batch, and rows that are made up
    /// give together what they give alone. Where they cannot run, nothing is known against it.
    pub fn batchable(&self) -> Result<(), Unbatchable> {
        self.0.batch.clone()?;
        if self.1.as_ref().is_some_and(|it| !it.keeps_rows_apart()) {
            let output = self.0.outputs.first().map(|output| output.name.clone());
            return Err(Unbatchable::Mixed {
                output: output.unwrap_or_default(),
            });
        }
        for length in LENGTHS {
            let pair = self.made_up(2, length);
            let Some(rows) = pair.and_then(|pair| split(&pair, &[1, 1])) else {
                break;
            };
            if let Some(outputs) = self.side_by_side(&rows) {
                return outputs;
            }
        }
        Ok(())
    }

    /// None if one of them does not run.
    fn side_by_side(&self, rows: &[Vec<Tensor>]) -> Option<Result<(), Unbatchable>> {
        let (first, others) = rows.split_first()?;
        let others: Vec<_> = others.iter().map(Vec::as_slice).collect();
        let joined = join(first, &others)?;
        let together = split(&self.run(joined).ok()?, &vec![1; rows.len()])?;
        for (row, together) in rows.iter().zip(together) {
            let alone = self.run(row.clone()).ok()?;
            for (alone, together) in alone.iter().zip(&together) {
                if golden::difference(alone, together, TOLERANCE).is_some() {
                    let output = alone.name.clone();
                    return Some(Err(Unbatchable::Mixed { output }));
                }
            }
        }
        Some(Ok(()))
    }

    /// So many rows, no two alike, with every other open dimension of this length. None if they would be too large.
    fn made_up(&self, rows: usize, length: usize) -> Option<Vec<Tensor>> {
        let open = |axis| if axis == 0 { rows } else { length };
        let inputs = self.inputs().iter();
        let mut shapes: Vec<Vec<usize>> = inputs
            .map(|input| {
                let lengths = input.shape.iter().enumerate();
                lengths
                    .map(|(axis, fixed)| fixed.unwrap_or_else(|| open(axis)))
                    .collect()
            })
            .collect();
        for tie in &self.0.ties {
            let at = |shapes: &[Vec<usize>], (input, axis): (usize, usize)| {
                shapes.get(input).and_then(|shape| shape.get(axis)).copied()
            };
            let (first, (input, axis)) = (at(&shapes, tie.first), tie.other);
            let other = shapes.get_mut(input).and_then(|shape| shape.get_mut(axis));
            if let (Some(first), Some(other)) = (first, other) {
                *other = first;
            }
        }
        let inputs = self.inputs().iter().zip(shapes);
        inputs
            .map(|(input, shape)| {
                let product = |count: usize, length: &usize| count.checked_mul(*length);
                let count = shape.iter().try_fold(1, product);
                let count = count.filter(|count| *count <= MADE_UP_MAX)?;
                Some(Tensor {
                    name: input.name.clone(),
                    values: values(input.datatype, count),
                    shape,
                })
            })
            .collect()
    }
}

/// Numbers between 0 and 1 that do not repeat, integers that most tables of a model have a row for.
fn values(datatype: Datatype, count: usize) -> Values {
    // The golden ratio's multiples spread evenly.
    let reals = (0..count).scan(0.0_f32, |last, _| {
        *last = (*last + 0.618_034).fract();
        Some(*last)
    });
    let bits = reals.clone().map(|real| real > 0.5);
    match datatype {
        Datatype::Bool => Values::Bool(bits.collect()),
        Datatype::Uint8 => Values::Uint8(bits.map(u8::from).collect()),
        Datatype::Uint16 => Values::Uint16(bits.map(u16::from).collect()),
        Datatype::Uint32 => Values::Uint32(bits.map(u32::from).collect()),
        Datatype::Uint64 => Values::Uint64(bits.map(u64::from).collect()),
        Datatype::Int8 => Values::Int8(bits.map(i8::from).collect()),
        Datatype::Int16 => Values::Int16(bits.map(i16::from).collect()),
        Datatype::Int32 => Values::Int32(bits.map(i32::from).collect()),
        Datatype::Int64 => Values::Int64(bits.map(i64::from).collect()),
        Datatype::Fp16 => Values::Fp16(reals.map(f16::from_f32).collect()),
        Datatype::Bf16 => Values::Bf16(reals.map(bf16::from_f32).collect()),
        Datatype::Fp32 => Values::Fp32(reals.collect()),
        Datatype::Fp64 => Values::Fp64(reals.map(f64::from).collect()),
        Datatype::Bytes => {
            let word = |bit| if bit { b"a".to_vec() } else { b"b".to_vec() };
            Values::Bytes(bits.map(word).collect())
        }
    }
}
