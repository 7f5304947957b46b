//! Error rates and power of the judge, found by simulation with fixed seeds.
//!
//! Three hundred runs a setting here. A run looks after every tick, as people do. The tolerance is
//! three standard errors; what the same check must refuse stands beside what it must accept.

mod chance;
mod crowd;
mod false_alarms;
mod power;
mod tolerance;
mod traffic;
