//! What a request may trust: a document compiled into routes, permissions, assignments and ramps.
//!
//! A request meets the functions of this crate in the order of the modules. Each hands on the
//! proof that the next one asks for, so a step that is skipped does not compile:
//! ```
//! # use policy::*;
//! fn serve(policy: &Policy, stages: &[Stage], request: &Request<'_>, chance: u64) -> Option<Placement> {
//!     let route = policy.route(request).ok()?;
//!     let permit = policy.authorize(Caller::anonymous(), route, request).ok()?;
//!     Some(policy.place(permit, stages, request, chance))
//! }
//! ```
//! The crate is pure: nothing here waits, reads a clock, draws a number or touches a file.

mod compile;
mod digest;
mod policy;

mod id;
mod issuer;
mod listener;
mod model;
mod origin;
mod target;
pub mod tls;
mod upstream;

mod admin;
mod asked;
mod assignment;
mod audience;
mod authorization;
mod caller;
mod cascade;
mod claim;
mod experiment;
mod host;
mod introduction;
pub mod path;
mod permit;
mod placement;
mod ramp;
mod rate;
mod retry;
mod rewrite;
mod route;
mod shadow;
mod spiffe;
mod text;
pub mod token;
mod user;
mod webhook;

mod canonical;
mod explain;

#[cfg(test)]
mod sample;

pub use config::value::Share;

pub use admin::{Admin, Role};
pub use asked::Asked;
pub use assignment::{Assignment, BUCKETS, SLOTS, Unit};
pub use audience::{OVERRIDE, Outside};
pub use authorization::{Authorization, Secret};
pub use caller::Caller;
pub use cascade::{Accept, Cascade, CascadeStep};
pub use claim::ClaimPath;
pub use compile::compile;
pub use digest::sha256;
pub use experiment::{
    Arm, Beside, Decide, End, Experiment, Observe, Price, ShadowFirst, StepMinimum, Watch,
};
pub use explain::{Answer, Explanation};
pub use id::{ArmId, ExperimentId, IssuerId, ListenerId, ModelId, RouteId, UpstreamId};
pub use introduction::Introduction;
pub use issuer::{Algorithm, Believed, Doubt, Issuer, KeyServer, KeySource};
pub use listener::{Address, Listener, ListenerLimits};
pub use model::{Batch, Example, ExampleBody, Model, Signature, SignerKey};
pub use origin::{Forwarders, Networks, Origin};
pub use permit::{Denial, Miss, Misses, Permit};
pub use placement::{Copied, Placement};
pub use policy::{Audit, Drain, Policy};
pub use ramp::{Outcome, Stage, State};
pub use rate::{RateKey, RateLimit};
pub use retry::{Retries, RetryOn};
pub use rewrite::{Rewrite, RewritePath};
pub use route::{NoRoute, Request, Route};
pub use shadow::{Compare, CopyTarget, Pointer, Shadow};
pub use spiffe::{BadPattern, NotSpiffe, SpiffeId, SpiffePattern};
pub use target::{Redirect, Target};
pub use text::{Ending, Labels, Pooling, Scores, Tokenizer};
pub use upstream::{
    Balance, Endpoint, Eviction, Health, Probe, Protocol, Timeouts, Upstream, UpstreamLimits,
};
pub use user::User;
pub use webhook::{EventFormat, Webhook};
