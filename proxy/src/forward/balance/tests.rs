//! Servers without connections, chosen a thousand times.

use std::collections::BTreeMap;

use policy::{Protocol, Unit};

use super::*;
use crate::forward::server::Place;
use crate::forward::standing::Standing;

/// A server at port `number`, with this weight, near or far.
fn server(number: u16, weight: u32, is_near: bool) -> Rc<Server> {
    let address = SocketAddr::from(([127, 0, 0, 1], number));
    let at = Place {
        endpoint: number.into(),
        authority: address.to_string().into(),
        address,
        weight,
        is_near,
    };
    let standing = Standing::new(true, None);
    Rc::new(Server::new(at, standing, Protocol::Http1, None))
}

fn balancer(balance: Balance, servers: &[Rc<Server>]) -> Balancer {
    let rule = Rule {
        balance,
        panic_threshold: 0.5,
        slow_start: Duration::from_secs(10),
    };
    let balancer = Balancer::new(rule);
    balancer.replace(servers.to_vec());
    balancer
}

/// The `number`-th of a fixed sequence that looks random (SplitMix64, of which the first step suffices here).
fn chance(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn wish(now: Instant, number: u64) -> Wish<'static> {
    Wish {
        now,
        chance: chance(number),
        key: None,
        tried: &[],
    }
}

/// How often each port is picked in 1 000 choices without any request in flight.
fn picked(balancer: &Balancer, now: Instant) -> BTreeMap<u16, u32> {
    let mut counts = BTreeMap::new();
    for number in 0..1_000 {
        let server = balancer.pick(&wish(now, number)).unwrap();
        *counts.entry(server.at().address.port()).or_default() += 1;
    }
    counts
}

fn hash() -> Balance {
    Balance::Hash(Unit::Header("x-user".parse().unwrap()))
}

/// The ports that 1 000 users go to.
fn homes(balancer: &Balancer, now: Instant) -> Vec<u16> {
    let home = |user: u32| {
        let key = user.to_le_bytes();
        let wish = Wish {
            key: Some(&key),
            ..wish(now, 0)
        };
        balancer.pick(&wish).unwrap().at().address.port()
    };
    (0..1_000).map(home).collect()
}

#[test]
fn a_round_visits_each_server_by_its_weight() {
    let now = Instant::now();
    let even: Vec<_> = (1..=4).map(|number| server(number, 1, false)).collect();
    let counts = picked(&balancer(Balance::RoundRobin, &even), now);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [250; 4]);
    let uneven = [server(1, 1, false), server(2, 3, false)];
    let counts = picked(&balancer(Balance::RoundRobin, &uneven), now);
    assert!((248..=252).contains(&counts[&1]), "{counts:?}");
}

#[test]
fn two_draws_keep_the_weights_while_nobody_is_slow() {
    let servers = [
        server(1, 1, false),
        server(2, 1, false),
        server(3, 2, false),
    ];
    let counts = picked(&balancer(Balance::PeakEwma, &servers), Instant::now());
    for (port, expected) in [(1, 250), (2, 250), (3, 500)] {
        assert!(counts[&port].abs_diff(expected) < 50, "{counts:?}");
    }
}

#[test]
fn of_two_the_faster_and_the_less_busy_is_taken() {
    let now = Instant::now();
    let servers = [server(1, 1, false), server(2, 1, false)];
    let balancer = balancer(Balance::PeakEwma, &servers);
    servers[0].answered(Duration::from_millis(100), now);
    servers[1].answered(Duration::from_millis(10), now);
    assert_eq!(picked(&balancer, now), [(2, 1_000)].into());
    let busy: Vec<_> = (0..20).map(|_| servers[1].load().begin()).collect();
    assert_eq!(picked(&balancer, now), [(1, 1_000)].into());
    drop(busy);
    // A slow one is not forgotten for ever.
    let later = now + Duration::from_secs(60);
    servers[1].answered(Duration::from_millis(10), later);
    assert_eq!(picked(&balancer, later), [(1, 1_000)].into());
}

#[test]
fn the_fewest_requests_in_flight_win() {
    let now = Instant::now();
    let servers: Vec<_> = (1..=3).map(|number| server(number, 1, false)).collect();
    let balancer = balancer(Balance::LeastRequests, &servers);
    let one = [servers[0].load().begin(), servers[1].load().begin()];
    assert_eq!(picked(&balancer, now), [(3, 1_000)].into());
    drop(one);
    assert_eq!(picked(&balancer, now).len(), 3, "ties are shared");
}

#[test]
fn users_keep_their_server_and_only_those_of_a_lost_one_move() {
    let now = Instant::now();
    let servers: Vec<_> = (1..=4).map(|number| server(number, 1, false)).collect();
    let balancer = balancer(hash(), &servers);
    let before = homes(&balancer, now);
    let share = before.iter().filter(|port| **port == 1).count();
    assert!((150..350).contains(&share), "{share}");
    servers[0].standing().hear(false, now);
    balancer.changed();
    let without = homes(&balancer, now);
    let moved = |after: &[u16]| {
        let pairs = before.iter().zip(after);
        pairs.filter(|(before, after)| before != after).count()
    };
    assert_eq!(moved(&without), share);
    servers[0].standing().hear(true, now);
    balancer.changed();
    assert_eq!(moved(&homes(&balancer, now)), 0);
}

#[test]
fn a_request_without_a_key_goes_to_any_server() {
    let servers = [server(1, 1, false), server(2, 1, false)];
    let counts = picked(&balancer(hash(), &servers), Instant::now());
    assert_eq!(counts.len(), 2);
}

#[test]
fn a_sick_server_gets_nothing_unless_too_few_are_well() {
    let now = Instant::now();
    let servers: Vec<_> = (1..=3).map(|number| server(number, 1, false)).collect();
    let balancer = balancer(Balance::RoundRobin, &servers);
    let sicken = |position: usize| {
        servers[position].standing().hear(false, now);
        balancer.changed();
        let ports: Vec<_> = picked(&balancer, now).into_keys().collect();
        (ports, balancer.is_panicking())
    };
    assert_eq!(sicken(0), (vec![2, 3], false));
    assert_eq!(sicken(1), (vec![1, 2, 3], true));
}

#[test]
fn an_evicted_server_comes_back_by_itself_and_slowly() {
    let now = Instant::now();
    let servers = [server(1, 1, false), server(2, 1, false)];
    let balancer = balancer(Balance::RoundRobin, &servers);
    let eviction = policy::Eviction {
        consecutive_failures: 1,
        base: Duration::from_secs(5),
        max: Duration::from_secs(5),
    };
    assert!(servers[0].failed(Duration::ZERO, Some(&eviction), now));
    balancer.changed();
    assert_eq!(picked(&balancer, now), [(2, 1_000)].into());
    let back = now + Duration::from_secs(5);
    let counts = picked(&balancer, back);
    assert!((80..=100).contains(&counts[&1]), "{counts:?}");
    let counts = picked(&balancer, back + Duration::from_secs(10));
    assert_eq!(counts[&1], 500, "{counts:?}");
}

#[test]
fn near_servers_are_preferred_while_enough_of_them_are_well() {
    let now = Instant::now();
    let servers = [
        server(1, 1, true),
        server(2, 1, true),
        server(3, 1, true),
        server(4, 1, false),
    ];
    let balancer = balancer(Balance::RoundRobin, &servers);
    let ports = || {
        balancer.changed();
        picked(&balancer, now).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(ports(), [1, 2, 3]);
    servers[0].standing().hear(false, now);
    assert_eq!(ports(), [2, 3]);
    servers[1].standing().hear(false, now);
    assert_eq!(ports(), [3, 4], "too few near ones are well");
}

#[test]
fn another_try_goes_to_another_server_while_there_is_one() {
    let now = Instant::now();
    let servers = [server(1, 1, false), server(2, 1, false)];
    for balance in [Balance::PeakEwma, Balance::LeastRequests, hash()] {
        let balancer = balancer(balance, &servers);
        for number in 0..100 {
            let again = |tried: &[Rc<Server>]| {
                let wish = Wish {
                    tried,
                    key: Some(b"user"),
                    ..wish(now, number)
                };
                balancer.pick(&wish).unwrap()
            };
            let first = again(&[]);
            assert!(!Rc::ptr_eq(&first, &again(&[Rc::clone(&first)])));
        }
        let all = balancer.pick(&Wish {
            tried: &servers,
            ..wish(now, 1)
        });
        assert!(all.is_some(), "better again than not at all");
    }
}
