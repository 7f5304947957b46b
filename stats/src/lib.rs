//! Observations become evidence, evidence feeds sequential tests, tests add up to a verdict.
//!
//! Pure: no clock, no randomness, no IO. Time comes in as the number of a tick. A [`Delta`] is what
//! one worker saw; a [`Ledger`] gathers deltas, feeds closed ticks to the tests and gives its
//! [`Verdict`] at any moment, which stays true however often it is asked for.
//!
//! One method a file, each with its paper. All logarithms are natural. B is the candidate, A the
//! control.

pub mod agreement;
pub mod conditional;
pub mod e_bh;
pub mod e_detector;
pub mod event_split;
pub mod label;
pub mod paired_binary;
pub mod quantile_ab;
pub mod robbins_siegmund;
pub mod sample_ratio;

mod design;
mod evidence;
mod interval;
mod inversion;
mod ledger;
mod report;
mod special;
mod trial;
mod verdict;
mod watch;

pub use design::{
    Better, Design, Goals, Kind, Margin, Method, Metric, Problem, Role, Scale, Side, Tail, Typical,
    Unit,
};
pub use evidence::{
    BUCKETS, Bucket, Buckets, Cell, Delta, EpochEvidence, GAMMA, Histogram, MovingLimit, Pair,
    Tally, TickEvidence,
};
pub use interval::{Effect, Interval};
pub use ledger::{HarmCrossing, Ledger, Wait};
pub use report::{
    ArmReport, Asked, Estimate, LogE, Methods, MetricReport, Report, SampleRatioReport,
};
pub use trial::{ArmSums, Crossing, Numbers, Question, Score, Stretch};
pub use verdict::{Decision, Finding, Open, Proof, Reason, Verdict};
pub use watch::{Bad, FalseAlarms, Frozen, Risen, STRETCH, WatchReport};
