//! How many requests callers have sent, across all workers: the one count that they share.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A) holds one number a key, so a limit costs the same
//! whatever its rate. Keys are hashed: what a header says is not kept.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use policy::{Policy, RateLimit, RouteId};
use xxhash_rust::xxh3::xxh3_64;

type Limiter = RateLimiter<u64, DashMapStateStore<u64>, MonotonicClock, StateInformationMiddleware>;

/// How many keys of a route are told apart. Beyond that they share [`CROWD`] counts, so that whoever invents keys
/// fills no memory, and gets no more than those.
const KEYS_MAX: usize = 1 << 17;
const CROWD: u64 = 1 << 10;

/// What the IETF's draft "RateLimit header fields for HTTP" (draft-ietf-httpapi-ratelimit-headers-10) calls them.
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The rates of a policy, by `RouteId`.
#[derive(Default)]
pub(crate) struct Rates(Vec<Option<Arc<Rate>>>);

/// The rate of one route, and what was counted.
pub(crate) struct Rate {
    route: Box<str>,
    limit: RateLimit,
    limiter: Limiter,
    keys: AtomicUsize,
    is_swept: AtomicBool,
}

/// What a caller may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    quota: u32,
    window: Duration,
    remaining: u32,
    reset: Duration,
}

/// A caller has sent all that it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// How long until there may be one more.
    pub(crate) wait: Duration,
    /// What it may send.
    pub(crate) allowance: Allowance,
}

impl Rates {
    /// The rates of a policy. Routes whose rate is the same keep what was counted.
    pub(crate) fn new(policy: &Policy, before: Option<&Self>) -> Self {
        let rate = |route: &policy::Route| {
            let limit = route.rate.as_ref()?;
            let mut kept = before
                .into_iter()
                .flat_map(|before| before.0.iter().flatten());
            let kept = kept.find(|it| it.route == route.name && it.limit == *limit);
            let kept = kept.cloned();
            Some(kept.unwrap_or_else(|| Arc::new(Rate::new(&route.name, limit))))
        };
        Self(policy.routes().iter().map(rate).collect())
    }

    /// The rate of a route, if it has one.
    pub(crate) fn get(&self, route: RouteId) -> Option<&Arc<Rate>> {
        self.0.get(route.index())?.as_ref()
    }

    /// Lets go of callers who may send all they like again.
    pub(crate) fn sweep(&self) {
        for rate in self.0.iter().flatten() {
            rate.sweep();
        }
    }
}

impl Rate {
    fn new(route: &str, limit: &RateLimit) -> Self {
        let burst = NonZeroU32::new(limit.burst).unwrap_or(NonZeroU32::MIN);
        // A compiled interval is not zero; should it be, nothing is limited to more than one a nanosecond.
        let quota = Quota::with_period(limit.interval)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(burst);
        Self {
            route: route.into(),
            limit: limit.clone(),
            limiter: Limiter::new(quota, DashMapStateStore::default(), MonotonicClock),
            keys: AtomicUsize::new(0),
            is_swept: AtomicBool::new(false),
        }
    }

    /// What it is.
    pub(crate) fn limit(&self) -> &RateLimit {
        &self.limit
    }

    /// Counts one more request of whoever has this key.
    pub(crate) fn take(&self, key: &[u8]) -> Result<Allowance, Exceeded> {
        let mut key = xxh3_64(key);
        if self.keys.load(Ordering::Relaxed) > KEYS_MAX {
            key %= CROWD;
        }
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(self.allowance(state.remaining_burst_capacity())),
            Err(until) => Err(Exceeded {
                wait: until.wait_time_from(MonotonicClock.now()),
                allowance: self.allowance(0),
            }),
        }
    }

    fn allowance(&self, remaining: u32) -> Allowance {
        let (quota, interval) = (self.limit.burst, self.limit.interval);
        Allowance {
            quota,
            window: interval.saturating_mul(quota),
            remaining,
            reset: interval.saturating_mul(quota.saturating_sub(remaining)),
        }
    }

    /// One worker at a time: the others find it done.
    fn sweep(&self) {
        if !self.is_swept.swap(true, Ordering::Relaxed) {
            self.limiter.retain_recent();
            self.keys.store(self.limiter.len(), Ordering::Relaxed);
            self.is_swept.store(false, Ordering::Relaxed);
        }
    }
}

impl Allowance {
    /// Tells the caller.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let Self {
            quota,
            window,
            remaining,
            reset,
        } = self;
        let (window, reset) = (seconds(window), seconds(reset));
        let policy = format!("\"route\";q={quota};w={window}");
        let state = format!("\"route\";r={remaining};t={reset}");
        for (name, value) in [(POLICY, policy), (STATE, state)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whole seconds, as headers have them: rather too long than too short.
pub(crate) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::policy;

    fn rates(rate: &str, before: Option<&Rates>) -> Rates {
        let policy = policy(&format!(
            "\
version: wald/v1
listeners: [{{ name: edge, address: 127.0.0.1:0 }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ respond: {{ status: 204 }} }}, limits: {{ rate: {rate} }} }}]
"
        ));
        Rates::new(&policy, before)
    }

    fn taken(rates: &Rates, key: &[u8]) -> usize {
        let rate = rates.0[0].as_ref().unwrap();
        (0..10).filter(|_| rate.take(key).is_ok()).count()
    }

    const SLOW: &str = "{ requests: 1/h, burst: 3 }";

    #[test]
    fn each_key_has_its_own_burst_and_no_more() {
        let rates = rates(SLOW, None);
        assert_eq!((taken(&rates, b"a"), taken(&rates, b"b")), (3, 3));
        let exceeded = rates.0[0].as_ref().unwrap().take(b"a").unwrap_err();
        assert!(exceeded.wait > Duration::from_secs(3500), "{exceeded:?}");
    }

    #[test]
    fn what_was_counted_outlives_a_reload_that_leaves_the_rate_as_it_is() {
        let first = rates(SLOW, None);
        assert_eq!(taken(&first, b"a"), 3);
        assert_eq!(taken(&rates(SLOW, Some(&first)), b"a"), 0);
        assert_eq!(
            taken(&rates("{ requests: 2/h, burst: 3 }", Some(&first)), b"a"),
            3
        );
    }

    #[test]
    fn invented_keys_share_what_is_left() {
        let rates = rates(SLOW, None);
        let rate = rates.0[0].as_ref().unwrap();
        for key in 0..=KEYS_MAX as u64 + 1 {
            rate.take(&key.to_le_bytes()).unwrap();
        }
        rates.sweep();
        let let_through = (0..10_000_u64).filter(|key| rate.take(&(!key).to_le_bytes()).is_ok());
        // A few of the 1 024 counts are not met three times by 10 000 keys.
        let count = let_through.count();
        assert!((3_000..=3 * 1_024).contains(&count), "{count}");
    }

    #[test]
    fn a_caller_is_told_what_is_left() {
        let mut headers = HeaderMap::new();
        let rates = rates("{ requests: 6/m, burst: 3 }", None);
        rates.0[0]
            .as_ref()
            .unwrap()
            .take(b"a")
            .unwrap()
            .tell(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"route\";q=3;w=30");
        assert_eq!(headers["ratelimit"], "\"route\";r=2;t=10");
    }
}
