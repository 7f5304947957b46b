//! The control side of shadows: compares pairs of answers one by one, and keeps what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use policy::Compare;
use serde::Serialize;
use stats::{Interval, agreement};
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

use super::answer::Answer;
use super::compare::{Difference, differences};
use crate::coding::TooLarge;

/// How many pairs may wait to be compared: each holds two bodies.
const WAITING_MAX: usize = 32;

/// How many pairs that differ are kept for people, and how many places of difference are told apart.
const SAMPLES_MAX: usize = 16;
const FIELDS_MAX: usize = 64;

/// Where differences count that are at none of the places that are told apart.
const ELSEWHERE: &str = "elsewhere";

/// The rate of error of the interval.
const ALPHA: f64 = 0.05;

/// Which answers are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) route: Box<str>,
    pub(super) backend: Box<str>,
    /// The arm that answered; empty outside of experiments.
    pub(super) against: Box<str>,
    /// The run whose shadow phase it is, if it is one.
    pub(super) run: Option<u32>,
}

impl Key {
    /// Whether both are of shadow phases of the same thing.
    fn is_of_the_phase(&self, other: &Self) -> bool {
        self.run.is_some() && (&self.route, &self.backend) == (&other.route, &other.backend)
    }
}

/// Two answers to one request.
pub(super) struct Pair {
    pub(super) key: Key,
    pub(super) rule: Compare,
    /// How much an answer may say.
    pub(super) room: u64,
    pub(super) primary: Answer,
    pub(super) shadow: Option<Answer>,
}

/// The way to whoever compares, and to what is known so far.
#[derive(Clone)]
pub(crate) struct Desk {
    pairs: mpsc::Sender<Pair>,
    known: Arc<Mutex<Known>>,
}

type Known = BTreeMap<Key, Comparison>;

/// What is known of one shadow.
struct Comparison {
    rule: Compare,
    too_large: u64,
    compared: u64,
    agreed: u64,
    fields: BTreeMap<String, u64>,
    samples: Vec<Vec<Difference>>,
}

/// The same, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) route: String,
    pub(crate) backend: String,
    /// The arm that the shadow is compared with; none outside of experiments.
    pub(crate) against: Option<String>,
    /// The run of the experiment whose shadow phase it is, if it is one.
    pub(crate) run: Option<u32>,
    /// How many pairs said more than may be held, once their encoding was undone.
    pub(crate) too_large: u64,
    pub(crate) compared: u64,
    pub(crate) agreed: u64,
    pub(crate) agreement: Agreement,
    pub(crate) fields: Vec<Field>,
    pub(crate) samples: Vec<Vec<Difference>>,
}

/// How often the shadow says the same.
#[derive(Debug, Serialize)]
pub(crate) struct Agreement {
    pub(crate) estimate: Option<f64>,
    /// Good whenever it is looked at.
    pub(crate) interval: Option<Interval>,
    pub(crate) alpha: f64,
}

/// Where answers differ.
#[derive(Debug, Serialize)]
pub(crate) struct Field {
    pub(crate) at: String,
    pub(crate) disagreements: u64,
}

impl Desk {
    /// Starts to compare, within the runtime that is entered.
    pub(crate) fn start() -> Self {
        let (pairs, waiting) = mpsc::channel(WAITING_MAX);
        let known = Arc::<Mutex<Known>>::default();
        tokio::spawn(compare(waiting, Arc::clone(&known)));
        Self { pairs, known }
    }

    /// One behind which nobody compares.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            pairs: mpsc::channel(1).0,
            known: Arc::default(),
        }
    }

    /// Has a pair compared; false if too many wait.
    pub(super) fn compare(&self, pair: Pair) -> bool {
        self.pairs.try_send(pair).is_ok()
    }

    /// How many answers to copies of these routes agree in the shadow phase of a run, of how many that were
    /// compared.
    pub(crate) fn agreement(&self, routes: &[&str], backend: &str, run: u32) -> (u64, u64) {
        let known = hold(&self.known);
        let of_phase = known.iter().filter(|(key, _)| {
            key.run == Some(run) && *key.backend == *backend && routes.contains(&&*key.route)
        });
        of_phase.fold((0, 0), |(agreed, compared), (_, it)| {
            (agreed + it.agreed, compared + it.compared)
        })
    }

    /// What came of it so far.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let known = hold(&self.known);
        known.iter().map(|(key, it)| it.shown(key)).collect()
    }
}

fn hold(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // Counts are whole whatever panicked.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers may be large: they are taken apart where that keeps nobody waiting.
async fn compare(mut waiting: mpsc::Receiver<Pair>, known: Arc<Mutex<Known>>) {
    while let Some(pair) = waiting.recv().await {
        let known = Arc::clone(&known);
        let compared = tokio::task::spawn_blocking(move || {
            let Pair {
                key,
                rule,
                room,
                primary,
                shadow,
            } = pair;
            let found = differences(&rule, &primary, shadow.as_ref(), room);
            let mut known = hold(&known);
            if key.run.is_some() {
                // Whatever earlier runs compared is over.
                known.retain(|it, _| it.run >= key.run || !it.is_of_the_phase(&key));
            }
            let comparison = known.entry(key).or_insert_with(|| Comparison::new(&rule));
            if comparison.rule != rule {
                // What was counted by another rule says nothing about this one.
                *comparison = Comparison::new(&rule);
            }
            match found {
                Ok(found) => comparison.count(found),
                Err(TooLarge) => comparison.too_large += 1,
            }
        });
        if compared.await.is_err() {
            tracing::error!("two answers could not be compared");
        }
    }
}

impl Comparison {
    fn new(rule: &Compare) -> Self {
        Self {
            rule: rule.clone(),
            too_large: 0,
            compared: 0,
            agreed: 0,
            fields: BTreeMap::new(),
            samples: Vec::new(),
        }
    }

    fn count(&mut self, found: Vec<Difference>) {
        self.compared += 1;
        if found.is_empty() {
            self.agreed += 1;
            return;
        }
        let mut at: Vec<&str> = found.iter().map(|it| &*it.at).collect();
        at.sort_unstable();
        at.dedup();
        for at in at {
            let is_known = self.fields.contains_key(at) || self.fields.len() < FIELDS_MAX;
            let at = if is_known { at } else { ELSEWHERE };
            *self.fields.entry(at.to_owned()).or_default() += 1;
        }
        self.keep(found);
    }

    /// Keeps each pair that differs with the same chance (Vitter's algorithm R, ACM TOMS 11, 1985).
    fn keep(&mut self, found: Vec<Difference>) {
        if self.samples.len() < SAMPLES_MAX {
            return self.samples.push(found);
        }
        let differing = self.compared - self.agreed;
        let drawn = xxh3_64(&differing.to_le_bytes()) % differing;
        let place = usize::try_from(drawn).unwrap_or(usize::MAX);
        if let Some(kept) = self.samples.get_mut(place) {
            *kept = found;
        }
    }

    fn shown(&self, key: &Key) -> Shown {
        let (agreed, compared) = (self.agreed, self.compared);
        let mut fields: Vec<Field> = self
            .fields
            .iter()
            .map(|(at, count)| Field {
                at: at.clone(),
                disagreements: *count,
            })
            .collect();
        fields.sort_by_key(|field| std::cmp::Reverse(field.disagreements));
        Shown {
            route: key.route.to_string(),
            backend: key.backend.to_string(),
            against: Some(key.against.to_string()).filter(|arm| !arm.is_empty()),
            run: key.run,
            too_large: self.too_large,
            compared,
            agreed,
            agreement: Agreement {
                estimate: (compared > 0).then(|| agreed as f64 / compared as f64),
                interval: agreement::interval(agreement::PRIOR, ALPHA, agreed, compared),
                alpha: ALPHA,
            },
            fields,
            samples: self.samples.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(at: usize) -> Vec<Difference> {
        vec![Difference {
            at: format!("/{at}"),
            primary: String::new(),
            shadow: String::new(),
        }]
    }

    #[test]
    fn what_is_kept_of_pairs_that_differ_has_a_limit_and_comes_from_all_of_them() {
        let mut comparison = Comparison::new(&Compare::default());
        for number in 0..1000 {
            comparison.count(difference(number));
            comparison.count(Vec::new());
        }
        assert_eq!((comparison.compared, comparison.agreed), (2000, 1000));
        assert_eq!(comparison.samples.len(), SAMPLES_MAX);
        let late = comparison
            .samples
            .iter()
            .filter(|it| it[0].at.len() == 4)
            .count();
        assert!(
            late >= SAMPLES_MAX / 2,
            "{late} of {SAMPLES_MAX} came after the first hundred"
        );
        assert_eq!(comparison.fields.len(), FIELDS_MAX + 1);
        assert_eq!(comparison.fields[ELSEWHERE], 1000 - FIELDS_MAX as u64);
    }
}
