//! Plans for the shapes that are asked for often, of models that run faster when they know theirs.
//!
//! A plan with open dimensions serves any shape. A convolution runs several times faster where all lengths are known
//! (docs/decisions/0024), so each shape that comes again gets a plan of its own, made on a thread of its own while the
//! open one serves. Only the threads of one model look here, each for a moment; network threads run models that are
//! too quick to need it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tract_onnx::prelude::{
    IntoRunnable, Symbol, TDim, TractResult, TypedModel, TypedRunnableModel,
};

use crate::limits::{PLANS_MAX, SHAPES_MAX};
use crate::{Tensor, panic};

/// How often a shape is asked for before it gets a plan: what comes once is not worth it.
const ASKED_MIN: u32 = 3;
/// The same where another plan has to leave for it: what many shapes share is not made again and again.
const ASKED_MIN_IF_FULL: u32 = 64;

/// One at a time in this process: making a plan takes a core as long as loading its model does.
static MAKING: AtomicBool = AtomicBool::new(false);

/// An open dimension: (input, axis), and its name in the graph.
pub(super) type Open = ((usize, usize), Symbol);

/// A graph whose open dimensions can be given lengths.
pub(super) struct Pattern {
    model: TypedModel,
    /// One for each symbol.
    open: Vec<Open>,
}

impl Pattern {
    /// None if nothing is open, or if a length is an expression that does not tell those in it.
    pub(super) fn new<'a>(
        model: &TypedModel,
        shapes: impl Iterator<Item = &'a [TDim]>,
    ) -> Option<Self> {
        let mut open: Vec<Open> = Vec::new();
        for (input, shape) in shapes.enumerate() {
            for (axis, length) in shape.iter().enumerate() {
                match length {
                    TDim::Val(_) => {}
                    TDim::Sym(symbol) if open.iter().any(|(_, known)| known == symbol) => {}
                    TDim::Sym(symbol) => open.push(((input, axis), symbol.clone())),
                    _ => return None,
                }
            }
        }
        let model = model.clone();
        (!open.is_empty()).then_some(Self { model, open })
    }

    /// The lengths that tell these inputs, in the order of the model's, from others that fit.
    fn lengths(&self, inputs: &[Tensor]) -> Option<Vec<usize>> {
        let length = |((input, axis), _): &Open| inputs.get(*input)?.shape.get(*axis).copied();
        self.open.iter().map(length).collect()
    }

    fn plan(&self, lengths: &[usize]) -> TractResult<Arc<TypedRunnableModel>> {
        let symbols = self.open.iter().map(|(_, symbol)| symbol.clone());
        let lengths = lengths.iter().map(|length| TDim::from(*length));
        let known: HashMap<Symbol, TDim> = symbols.zip(lengths).collect();
        self.model
            .set_symbols(&known)?
            .into_optimized()?
            .into_runnable()
    }
}

/// What a shape has come to.
enum State {
    /// Asked for so often.
    Asked(u32),
    Making,
    Made(Arc<TypedRunnableModel>),
    /// It cannot be made, so nobody tries again as long as it is remembered.
    Failed,
}

impl State {
    fn is_due(&self, asked_min: u32) -> bool {
        matches!(self, Self::Asked(times) if *times >= asked_min)
    }

    fn is_made(&self) -> bool {
        matches!(self, Self::Made(_))
    }
}

/// How often there was a plan for the shape that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCounts {
    /// Runs of a plan made for their shape.
    pub hits: u64,
    /// Runs of the open plan.
    pub misses: u64,
    /// Plans that had to leave for others.
    pub evictions: u64,
}

/// The shapes asked for last, the latest at the end, and the plans of some.
#[derive(Default)]
struct Shelf {
    shapes: Vec<(Vec<usize>, State)>,
    counts: PlanCounts,
}

/// The plans of one model.
#[derive(Clone)]
pub(super) struct Plans {
    pattern: Arc<Pattern>,
    shelf: Arc<Mutex<Shelf>>,
}

impl Plans {
    pub(super) fn new(pattern: Pattern) -> Self {
        Self {
            pattern: Arc::new(pattern),
            shelf: Arc::default(),
        }
    }

    /// Makes the plan for these inputs, here and now; none if it cannot be made.
    pub(super) fn make_for(&self, inputs: &[Tensor]) -> Option<Arc<TypedRunnableModel>> {
        let lengths = self.pattern.lengths(inputs)?;
        let made = panic::contain(|| self.pattern.plan(&lengths));
        let plan = made.ok()?.ok()?;
        self.shelf().put(lengths, State::Made(Arc::clone(&plan)));
        Some(plan)
    }

    /// The plan for these inputs, if there is one already. If they come often, the next will find one.
    pub(super) fn pick(&self, inputs: &[Tensor]) -> Option<Arc<TypedRunnableModel>> {
        let lengths = self.pattern.lengths(inputs)?;
        let mut shelf = self.shelf();
        let asked_min = if shelf.made() < PLANS_MAX {
            ASKED_MIN
        } else {
            ASKED_MIN_IF_FULL
        };
        let state = shelf.ask(&lengths);
        match state {
            Some(State::Made(plan)) => {
                let plan = Arc::clone(plan);
                shelf.counts.hits += 1;
                return Some(plan);
            }
            Some(state) if state.is_due(asked_min) && !MAKING.swap(true, Ordering::AcqRel) => {
                // Where no thread could be had, it stays due.
                *state = if self.make(lengths) {
                    State::Making
                } else {
                    State::Asked(asked_min)
                };
            }
            Some(State::Asked(times)) => *times = times.saturating_add(1),
            _ => {}
        }
        shelf.counts.misses += 1;
        None
    }

    pub(super) fn counts(&self) -> PlanCounts {
        self.shelf().counts
    }

    /// On a thread of its own. Where there is none, the shape is asked for again later.
    fn make(&self, lengths: Vec<usize>) -> bool {
        let plans = self.clone();
        let thread = thread::Builder::new().name("model-plan".to_owned());
        let started = thread.spawn(move || {
            let made = panic::contain(|| plans.pattern.plan(&lengths));
            let state = match made {
                Ok(Ok(plan)) => State::Made(plan),
                _ => State::Failed,
            };
            plans.shelf().put(lengths, state);
            MAKING.store(false, Ordering::Release);
        });
        if started.is_err() {
            MAKING.store(false, Ordering::Release);
        }
        started.is_ok()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing that is done while it is held panics.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// What a shape has come to; it is now the latest.
    fn ask(&mut self, lengths: &[usize]) -> Option<&mut State> {
        let known = self.shapes.iter().position(|(known, _)| known == lengths);
        match known {
            Some(place) => {
                let shape = self.shapes.remove(place);
                self.shapes.push(shape);
            }
            None => {
                if self.shapes.len() >= SHAPES_MAX {
                    self.forget(|state| !state.is_made());
                }
                self.shapes.push((lengths.to_vec(), State::Asked(1)));
            }
        }
        self.shapes.last_mut().map(|(_, state)| state)
    }

    /// Says what a shape has come to. The plan that was asked for longest ago leaves if there are too many.
    fn put(&mut self, lengths: Vec<usize>, state: State) {
        self.shapes.retain(|(known, _)| *known != lengths);
        if state.is_made() && self.made() >= PLANS_MAX {
            self.forget(State::is_made);
            self.counts.evictions += 1;
        }
        self.shapes.push((lengths, state));
    }

    fn made(&self) -> usize {
        let made = self.shapes.iter().filter(|(_, state)| state.is_made());
        made.count()
    }

    /// The first that is such, if any is.
    fn forget(&mut self, is_such: impl Fn(&State) -> bool) {
        if let Some(place) = self.shapes.iter().position(|(_, state)| is_such(state)) {
            self.shapes.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_with;

    use tract_onnx::prelude::{DatumExt, ToDim, tvec};

    use super::*;
    use crate::Values;
    use crate::model::convert::to_tract;

    /// Gives back what it takes, whatever its length.
    fn plans() -> Plans {
        let mut model = TypedModel::default();
        let shape = [model.symbols.sym("N").to_dim(), 2.to_dim()];
        let source = model.add_source("x", f32::fact(&shape)).unwrap();
        model.select_output_outlets(&[source]).unwrap();
        Plans::new(Pattern::new(&model, [&shape[..]].into_iter()).unwrap())
    }

    fn rows(rows: usize) -> Vec<Tensor> {
        vec![Tensor {
            name: "x".to_owned(),
            shape: vec![rows, 2],
            values: Values::Fp32(vec![0.5; 2 * rows]),
        }]
    }

    /// Asks until there is a plan.
    fn made(plans: &Plans, inputs: &[Tensor]) -> Arc<TypedRunnableModel> {
        let mut asked = repeat_with(|| {
            thread::yield_now();
            plans.pick(inputs)
        });
        asked.find_map(|plan| plan).unwrap()
    }

    #[test]
    fn a_shape_that_comes_again_gets_a_plan_of_its_own() {
        let plans = plans();
        for _ in 0..ASKED_MIN {
            assert!(plans.pick(&rows(3)).is_none());
        }
        let plan = made(&plans, &rows(3));
        let outputs = plan.run(tvec![to_tract(rows(3).remove(0)).unwrap()]);
        assert_eq!(outputs.unwrap()[0].shape(), [3, 2]);
        let other = plan.run(tvec![to_tract(rows(4).remove(0)).unwrap()]);
        assert!(other.is_err(), "it is a plan for three rows only");
        let counts = plans.counts();
        assert_eq!((counts.hits, counts.evictions), (1, 0));
        assert!(counts.misses >= ASKED_MIN.into());
    }

    #[test]
    fn the_plan_that_was_asked_for_longest_ago_leaves_for_another() {
        let plans = plans();
        for length in 1..=PLANS_MAX {
            made(&plans, &rows(length));
        }
        assert!(plans.pick(&rows(1)).is_some());
        assert_eq!(plans.counts().evictions, 0);
        made(&plans, &rows(PLANS_MAX + 1));
        assert_eq!(plans.counts().evictions, 1);
        assert!(plans.pick(&rows(1)).is_some());
        assert!(plans.pick(&rows(2)).is_none());
    }

    #[test]
    fn the_shape_that_was_asked_for_longest_ago_is_forgotten() {
        let mut shelf = Shelf::default();
        for length in 0..SHAPES_MAX {
            shelf.ask(&[length]);
        }
        shelf.ask(&[0]);
        shelf.ask(&[SHAPES_MAX]);
        let lengths: Vec<_> = shelf.shapes.iter().map(|(lengths, _)| lengths[0]).collect();
        assert_eq!(lengths.len(), SHAPES_MAX);
        assert!(!lengths.contains(&1) && lengths.contains(&0), "{lengths:?}");
    }
}
