//! Users who return, stay on their arm, and are alike in themselves.

use stats::{BUCKETS, Decision, Delta, Design, Ledger, Unit};

use crate::chance::Chance;

/// A crowd on a ramp.
pub(crate) struct Crowd {
    pub(crate) users: usize,
    /// The candidate's share, epoch by epoch; raising it moves users from the control only.
    pub(crate) ramp: &'static [f64],
    pub(crate) ticks_each: u64,
    pub(crate) requests: u64,
}

/// Which chance of a 1 a user has, given its own inclination from 0 to 1, the epoch and the arm.
pub(crate) type Habit<'a> = dyn Fn(f64, u32, usize) -> f64 + 'a;

impl Crowd {
    /// Judges a run after every tick; the design says whether as returning users or, wrongly, as if
    /// each request stood alone.
    pub(crate) fn judge(&self, design: &Design, seed: u64, habit: &Habit<'_>) -> (Decision, u64) {
        let mut chance = Chance::seeded(seed);
        let users: Vec<User> = (0..self.users).map(|_| User::drawn(&mut chance)).collect();
        let mut ledger = Ledger::new(design.clone(), &[1.0 - self.ramp[0], self.ramp[0]]);
        let mut tick = 0;
        for (epoch, &share) in (0..).zip(self.ramp) {
            if epoch > 0 {
                ledger.open_epoch(&[1.0 - share, share]);
            }
            for _ in 0..self.ticks_each {
                ledger.absorb(self.tick(design, &mut chance, &users, (epoch, tick, share), habit));
                tick += 1;
                ledger.close_before(tick);
                // Shares are right by construction; users who are not told apart make them look wrong.
                let decision = ledger.verdict().decision;
                if !matches!(decision, Decision::Wait | Decision::Unsound) {
                    return (decision, ledger.observations());
                }
            }
        }
        (ledger.verdict().decision, ledger.observations())
    }

    fn tick(
        &self,
        design: &Design,
        chance: &mut Chance,
        users: &[User],
        (epoch, tick, share): (u32, u64, f64),
        habit: &Habit<'_>,
    ) -> Delta {
        let mut delta = Delta::new(design);
        for _ in 0..self.requests {
            let user = &users[chance.below(self.users)];
            let arm = usize::from(user.slot < share);
            let y = chance.one(habit(user.inclination, epoch, arm));
            delta.expose(epoch, tick, arm, user.id);
            delta.observe(epoch, tick, 0, arm, user.bucket, y);
        }
        delta
    }
}

struct User {
    id: u64,
    slot: f64,
    inclination: f64,
    bucket: u16,
}

impl User {
    fn drawn(chance: &mut Chance) -> Self {
        let bucket = (0..BUCKETS)
            .nth(chance.below(usize::from(BUCKETS)))
            .unwrap_or(0);
        Self {
            id: chance.word(),
            slot: chance.uniform(),
            inclination: chance.uniform(),
            bucket,
        }
    }
}

/// Half of the users are inclined towards a 1: an intraclass correlation of spread²/(base(1 − base)).
pub(crate) fn inclined(base: f64, spread: f64, inclination: f64) -> f64 {
    if inclination < 0.5 {
        base - spread
    } else {
        base + spread
    }
}

/// A single goal.
pub(crate) fn accuracy(unit: Unit) -> Design {
    let goal = crate::traffic::metric(
        "accuracy",
        stats::Kind::Proportion,
        stats::Better::Higher,
        None,
    );
    crate::traffic::design(unit, vec![goal])
}
