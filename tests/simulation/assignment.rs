//! Shares of traffic, by the sample ratio, which has an error rate of its own: 1%.

use stats::sample_ratio::{ALPHA, PRIOR, log_e};
use stats::{Delta, Ledger, Unit};

use crate::{
    chance::Chance,
    setting::{Claim, Group, Setting, single},
    traffic::{EVEN, Flow, RAMP, SMALL, design},
};

pub(crate) fn settings() -> Vec<Setting> {
    let setting = |situation: String, flow: Flow| {
        setting(
            situation,
            Claim::Keeps {
                alpha: ALPHA,
                alarms: single(move |chance| alarm(chance, flow)),
            },
        )
    };
    let mut settings: Vec<Setting> = [EVEN, SMALL, RAMP]
        .map(|flow| setting(format!("requests, {}", flow.name), flow))
        .into();
    settings.push(self::setting(
        "users who return, each counted in its first epoch, 30→32→…→48%".to_owned(),
        Claim::Keeps {
            alpha: ALPHA,
            alarms: single(users_alarm),
        },
    ));
    settings
}

/// The negative control: users are counted again in every epoch.
pub(crate) fn control() -> Setting {
    Setting {
        group: Group::Controls,
        stated: "3 × α",
        ..setting(
            "users who return, counted again in each epoch, 30→32→…→48%".to_owned(),
            Claim::Breaks {
                alpha: ALPHA,
                alarms: single(users_again_alarm),
            },
        )
    }
}

fn setting(situation: String, claim: Claim) -> Setting {
    Setting {
        group: Group::Assignment,
        situation,
        method: "sample ratio",
        claim,
        stated: "",
    }
}

fn alarm(chance: &mut Chance, flow: Flow) -> bool {
    let mut ledger = Ledger::new(
        design(Unit::Request, vec![]),
        &[1.0 - flow.shares[0], flow.shares[0]],
    );
    let mut epoch = 0;
    flow.ticks().any(|tick| {
        if tick.epoch > epoch {
            epoch = ledger.open_epoch(&[1.0 - tick.share, tick.share]);
        }
        let mut delta = Delta::new(ledger.design());
        for (arm, requests) in tick.split(chance).into_iter().enumerate() {
            delta.expose_many(epoch, arm, requests);
        }
        ledger.absorb(delta);
        ledger.sample_ratio().alarm()
    })
}

const STEPS: [f64; 10] = [0.3, 0.32, 0.34, 0.36, 0.38, 0.4, 0.42, 0.44, 0.46, 0.48];
const USERS: u32 = 2000;
const VISITS: usize = 400;
const TICKS: u64 = 10;

/// Users by their place between the shares: those below a share are the candidate's.
fn users(chance: &mut Chance) -> Vec<f64> {
    (0..USERS).map(|_| chance.uniform()).collect()
}

/// The same users visit through all steps, and are told apart.
fn users_alarm(chance: &mut Chance) -> bool {
    let users = users(chance);
    let mut ledger = Ledger::new(design(Unit::Sticky, vec![]), &[1.0 - STEPS[0], STEPS[0]]);
    (0..).zip(STEPS).any(|(epoch, share)| {
        if epoch > 0 {
            ledger.open_epoch(&[1.0 - share, share]);
        }
        (0..TICKS).any(|tick| {
            let mut delta = Delta::new(ledger.design());
            for _ in 0..VISITS {
                let user = chance.below(users.len());
                delta.expose(epoch, tick, usize::from(users[user] < share), user as u64);
            }
            ledger.absorb(delta);
            ledger.sample_ratio().alarm()
        })
    })
}

/// The same, but every step counts every user anew.
fn users_again_alarm(chance: &mut Chance) -> bool {
    let users = users(chance);
    let mut past = 0.0;
    STEPS.iter().any(|&share| {
        let (mut seen, mut counts) = (vec![false; users.len()], [0, 0]);
        let evidence = |counts: &[u64]| log_e(counts, &[1.0 - share, share], PRIOR);
        let raised = (0..TICKS).any(|_| {
            for _ in 0..VISITS {
                let user = chance.below(users.len());
                if !std::mem::replace(&mut seen[user], true) {
                    counts[usize::from(users[user] < share)] += 1;
                }
            }
            past + evidence(&counts) >= -ALPHA.ln()
        });
        past += evidence(&counts);
        raised
    })
}
