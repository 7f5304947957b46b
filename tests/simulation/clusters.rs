//! Users who return, drawn by the bucket: as exact as request by request, and as dear for a million
//! requests as for a thousand.
//!
//! A request is one of a random user. So the requests of the users of one bucket on one arm are Poisson
//! with their number, each goes to any of these users alike, and its outcome has their mean chance.

use stats::{BUCKETS, Bucket, Cell, Decision, Delta, Design};

use crate::{
    chance::Chance,
    traffic::{Flow, Tick, run},
};

/// A crowd at constant shares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clusters {
    pub(crate) users: u32,
    pub(crate) flow: Flow,
    /// How a user's own chance of a 1 is drawn.
    pub(crate) inclination: fn(&mut Chance) -> f64,
}

const TOLD_APART: u32 = 12_000;

/// The users of one bucket on one arm, by arm and bucket.
type Members = [Vec<Group>; 2];

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    users: u32,
    inclinations: f64,
}

impl Clusters {
    /// Judges a run after every tick. Every user comes in the first one; some thousands of them, in the
    /// right shares, are told apart, which the gate wants to see.
    pub(crate) fn judge(&self, design: &Design, chance: &mut Chance) -> Decision {
        let members = self.members(chance);
        run(design, self.flow, &mut |tick| {
            let mut delta = Delta::new(design);
            for (arm, groups) in members.iter().enumerate() {
                if tick.number == 0 {
                    let users: u32 = groups.iter().map(|group| group.users).sum();
                    let apart = users / self.users.div_ceil(TOLD_APART);
                    (0..apart)
                        .for_each(|user| delta.expose(0, 0, arm, u64::from(2 * user) + arm as u64));
                }
                delta.observe_many(
                    tick.epoch,
                    tick.number,
                    0,
                    arm,
                    &self.tick(chance, tick, groups),
                );
            }
            delta
        })
        .0
    }

    fn members(&self, chance: &mut Chance) -> Members {
        let empty = vec![Group::default(); usize::from(BUCKETS)];
        let mut members = [empty.clone(), empty];
        for _ in 0..self.users {
            let arm = usize::from(chance.happens(self.flow.shares[0]));
            let group = &mut members[arm][chance.below(usize::from(BUCKETS))];
            group.users += 1;
            group.inclinations += (self.inclination)(chance);
        }
        members
    }

    fn tick(&self, chance: &mut Chance, tick: &Tick, groups: &[Group]) -> Cell {
        let each = tick.requests as f64 / f64::from(self.users);
        let drawn = groups.iter().map(|group| {
            let users = f64::from(group.users);
            if group.users == 0 {
                return Bucket::default();
            }
            let n = chance.poisson(each * users);
            let sum = chance.binomial(n, group.inclinations / users) as f64;
            Bucket { n, sum }
        });
        let buckets: Vec<(u16, u64, f64)> = (0..BUCKETS)
            .zip(drawn)
            .map(|(j, bucket)| (j, bucket.n, bucket.sum))
            .collect();
        let mut cell = Cell::default();
        cell.tally.n = buckets.iter().map(|bucket| bucket.1).sum();
        cell.tally.sum = buckets.iter().map(|bucket| bucket.2).sum();
        cell.tally.square = cell.tally.sum;
        cell.buckets = Some(buckets.into());
        cell
    }
}
