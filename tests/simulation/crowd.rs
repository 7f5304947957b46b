//! Users who return, stay on their arm, and are alike in themselves.

use stats::{BUCKETS, Decision, Delta, Design};

use crate::{
    chance::Chance,
    traffic::{Flow, Limits, Tick, follow},
};

/// A crowd on a ramp; raising the candidate's share moves users from the control only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    pub(crate) users: usize,
    pub(crate) flow: Flow,
    /// How a user's own inclination is drawn, from 0 to 1.
    pub(crate) inclination: fn(&mut Chance) -> f64,
}

/// The values of all metrics of a request, given its user's inclination, its moment and its arm.
pub(crate) type Habit<'a> = dyn Fn(&mut Chance, f64, &Tick, usize) -> Vec<f64> + 'a;

impl Crowd {
    /// Judges a run after every tick; the design says whether as returning users or, wrongly, as if
    /// each request stood alone.
    pub(crate) fn judge(
        &self,
        design: &Design,
        chance: &mut Chance,
        habit: &Habit<'_>,
    ) -> (Decision, u64) {
        let users: Vec<User> = (0..self.users)
            .map(|_| User::drawn(chance, self.inclination))
            .collect();
        follow(design, self.flow, &mut |tick, limits| {
            self.tick(empty(design, limits), chance, &users, tick, habit)
        })
    }

    fn tick(
        &self,
        mut delta: Delta,
        chance: &mut Chance,
        users: &[User],
        tick: &Tick,
        habit: &Habit<'_>,
    ) -> Delta {
        for moment in 0..self.flow.requests {
            let user = &users[chance.below(self.users)];
            let arm = usize::from(user.slot < tick.share);
            delta.expose(tick.epoch, tick.number, arm, user.id);
            let values = habit(chance, user.inclination, tick, arm);
            for (metric, y) in values.into_iter().enumerate() {
                delta.observe(tick.epoch, tick.number, metric, arm, user.bucket, y);
                delta.observe_unit(tick.number, moment, metric, arm, user.id, y);
            }
        }
        delta
    }
}

fn empty(design: &Design, limits: Limits) -> Delta {
    let mut delta = Delta::new(design);
    if let Some(limits) = limits {
        delta.follow(limits);
    }
    delta
}

struct User {
    id: u64,
    slot: f64,
    inclination: f64,
    bucket: u16,
}

impl User {
    fn drawn(chance: &mut Chance, inclination: fn(&mut Chance) -> f64) -> Self {
        Self {
            id: chance.word(),
            slot: chance.uniform(),
            inclination: inclination(chance),
            bucket: (0..BUCKETS)
                .nth(chance.below(usize::from(BUCKETS)))
                .unwrap_or(0),
        }
    }
}
