//! Which server of an upstream a request goes to.
//!
//! Who may be asked changes seldom, so the list of them is kept until something changes it or its time is over.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pingora_ketama::{Bucket, Continuum};
use policy::Balance;

use super::server::Server;
use crate::gateway::chance;

/// While servers come slowly, how often their parts are reckoned anew.
const RAMP: Duration = Duration::from_millis(100);

/// What the choice of a server depends on.
pub(super) struct Wish<'a> {
    /// When.
    pub(super) now: Instant,
    /// A number drawn for this choice.
    pub(super) chance: u64,
    /// What tells units apart where the upstream hashes them.
    pub(super) key: Option<&'a [u8]>,
    /// Servers that were asked already: others come first.
    pub(super) tried: &'a [Rc<Server>],
}

/// How an upstream shares requests among its servers.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) balance: Balance,
    pub(super) panic_threshold: f64,
    pub(super) slow_start: Duration,
}

/// The servers of an upstream, and who of them may be asked.
pub(super) struct Balancer {
    rule: Rule,
    servers: RefCell<Vec<Rc<Server>>>,
    eligible: RefCell<Option<Eligible>>,
    ring: RefCell<Option<Continuum>>,
    turn: Cell<usize>,
}

/// Who may be asked until something changes.
struct Eligible {
    servers: Vec<Rc<Server>>,
    /// The sum of the parts up to each server.
    sums: Vec<f64>,
    /// Whether all parts are alike.
    is_even: bool,
    /// Whether these are all there are, because too few are well.
    is_all: bool,
    until: Option<Instant>,
}

impl Balancer {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            servers: RefCell::default(),
            eligible: RefCell::default(),
            ring: RefCell::default(),
            turn: Cell::new(0),
        }
    }

    /// All servers, whoever may be asked.
    pub(super) fn servers(&self) -> Vec<Rc<Server>> {
        self.servers.borrow().clone()
    }

    /// These are the servers from now on.
    pub(super) fn replace(&self, servers: Vec<Rc<Server>>) {
        let hashes = matches!(self.rule.balance, Balance::Hash(_));
        *self.ring.borrow_mut() = (hashes && !servers.is_empty()).then(|| {
            let bucket = |it: &Rc<Server>| Bucket::new(it.at().address, it.at().weight);
            Continuum::new(&servers.iter().map(bucket).collect::<Vec<_>>())
        });
        *self.servers.borrow_mut() = servers;
        self.changed();
    }

    /// A server went or came back.
    pub(super) fn changed(&self) {
        *self.eligible.borrow_mut() = None;
    }

    /// Whether so few servers are well that all are used.
    pub(super) fn is_panicking(&self) -> bool {
        let eligible = self.eligible.borrow();
        eligible.as_ref().is_some_and(|it| it.is_all)
    }

    /// The server to ask; none if there is none at all.
    pub(super) fn pick(&self, wish: &Wish<'_>) -> Option<Rc<Server>> {
        let mut eligible = self.eligible.borrow_mut();
        let is_over = |it: &Eligible| it.until.is_some_and(|until| until <= wish.now);
        if eligible.as_ref().is_none_or(is_over) {
            *eligible = Some(self.look(wish.now));
        }
        let eligible = eligible.as_ref()?;
        if wish.tried.is_empty() {
            return self.choose(eligible, wish);
        }
        let is_new = |server: &&Rc<Server>| !wish.tried.iter().any(|it| Rc::ptr_eq(it, server));
        let others: Vec<_> = eligible.servers.iter().filter(is_new).cloned().collect();
        if others.is_empty() {
            return self.choose(eligible, wish);
        }
        self.choose(&self.weigh(others, wish.now), wish)
    }

    fn choose(&self, among: &Eligible, wish: &Wish<'_>) -> Option<Rc<Server>> {
        match (among.servers.len(), &self.rule.balance) {
            (0, _) => None,
            (1, _) => among.servers.first().cloned(),
            (_, Balance::Hash(_)) if wish.key.is_some() => self.hashed(among, wish),
            (_, Balance::PeakEwma | Balance::Hash(_)) => among.better_of_two(wish),
            (_, Balance::LeastRequests) => self.least(among),
            (_, Balance::RoundRobin) => self.next(among),
        }
    }

    /// Who may be asked now: those that are well, of these the near ones, and all if too few are.
    fn look(&self, now: Instant) -> Eligible {
        let servers = self.servers.borrow();
        let enough = |part: usize, whole: usize| {
            part > 0 && part as f64 >= whole as f64 * self.rule.panic_threshold
        };
        let well: Vec<_> = available(servers.iter(), now);
        let near = servers.iter().filter(|it| it.at().is_near);
        let near_well: Vec<_> = available(near.clone(), now);
        let mut is_all = false;
        let chosen = if enough(near_well.len(), near.count()) {
            near_well
        } else if enough(well.len(), servers.len()) {
            well
        } else {
            is_all = !servers.is_empty();
            servers.clone()
        };
        let back = servers
            .iter()
            .filter_map(|it| it.standing().away_until(now));
        let mut eligible = self.weigh(chosen, now);
        eligible.is_all = is_all;
        eligible.until = eligible.until.into_iter().chain(back).min();
        eligible
    }

    fn weigh(&self, servers: Vec<Rc<Server>>, now: Instant) -> Eligible {
        let (mut sum, mut coming) = (0.0, false);
        let mut sums = Vec::with_capacity(servers.len());
        for server in &servers {
            let share = server.standing().share(self.rule.slow_start, now);
            coming |= share < 1.0;
            sum += f64::from(server.at().weight) * share;
            sums.push(sum);
        }
        let first = sums.first().copied().unwrap_or_default();
        let mut expected = 0.0;
        let is_even = sums.iter().all(|sum| {
            expected += first;
            (sum - expected).abs() < 1e-9 * expected.max(1.0)
        });
        Eligible {
            servers,
            sums,
            is_even,
            is_all: false,
            until: coming.then(|| now + RAMP),
        }
    }

    /// One after the other. With uneven parts by stepping through the sum of all parts with a stride that visits
    /// them evenly: the golden ratio's multiples are as far apart as numbers can be (Weyl's equidistribution).
    fn next(&self, among: &Eligible) -> Option<Rc<Server>> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        if among.is_even {
            return among.servers.get(turn % among.servers.len()).cloned();
        }
        let step = u64::try_from(turn).unwrap_or_default();
        among.at(step.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The fewest requests for its part; of several, each in turn.
    fn least(&self, among: &Eligible) -> Option<Rc<Server>> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let (before, after) = among.servers.split_at(turn % among.servers.len().max(1));
        let cost = |server: &Rc<Server>| {
            f64::from(server.load().in_flight()) / f64::from(server.at().weight)
        };
        let servers = after.iter().chain(before);
        servers.min_by(|a, b| cost(a).total_cmp(&cost(b))).cloned()
    }

    /// The first on the ring from the key's point on that may be asked.
    fn hashed(&self, among: &Eligible, wish: &Wish<'_>) -> Option<Rc<Server>> {
        let ring = self.ring.borrow();
        let may =
            |address: &SocketAddr| among.servers.iter().find(|it| it.at().address == *address);
        let mut nodes = ring.as_ref()?.node_iter(wish.key?);
        nodes.find_map(may).cloned()
    }
}

impl Eligible {
    /// The better of two drawn by their parts (Mitzenmacher, "The Power of Two Choices in Randomized Load
    /// Balancing", 2001). Drawing by parts, and comparing without them, keeps the parts while nobody is slow.
    fn better_of_two(&self, wish: &Wish<'_>) -> Option<Rc<Server>> {
        let first = self.at(wish.chance)?;
        let mut second = self.at(wish
            .chance
            .rotate_left(32)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15))?;
        if Rc::ptr_eq(&first, &second) {
            let position = self.servers.iter().position(|it| Rc::ptr_eq(it, &first))?;
            second = Rc::clone(self.servers.get((position + 1) % self.servers.len())?);
        }
        let better = second.load().cost(wish.now) < first.load().cost(wish.now);
        Some(if better { second } else { first })
    }

    /// The server whose part of the sum a number points at, as far as it is from 0 to 2⁶⁴.
    fn at(&self, number: u64) -> Option<Rc<Server>> {
        let point = self.sums.last()? * chance::fraction(number);
        let position = self.sums.partition_point(|sum| *sum <= point);
        self.servers.get(position).or(self.servers.last()).cloned()
    }
}

fn available<'a>(servers: impl Iterator<Item = &'a Rc<Server>>, now: Instant) -> Vec<Rc<Server>> {
    let may = |server: &&Rc<Server>| server.standing().is_available(now);
    servers.filter(may).cloned().collect()
}

#[cfg(test)]
mod tests;
