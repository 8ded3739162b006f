use std::sync::{
    Barrier,
    atomic::{AtomicU32, Ordering},
};

use super::*;

fn asked<'a>(name: &'a str, value: &'a str, at_most: u32) -> InFlight<'a> {
    InFlight { name, value: value.as_bytes(), at_most: NonZeroU32::new(at_most).unwrap() }
}

#[test]
fn a_place_is_free_again_when_its_guard_is_dropped() {
    let concurrency = Concurrency::new(10);
    let first = concurrency.try_enter(&[asked("user", "ann", 2)]).unwrap();
    let second = concurrency.try_enter(&[asked("user", "ann", 2)]).unwrap();
    assert_eq!(concurrency.try_enter(&[asked("user", "ann", 2)]).unwrap_err(), Full(0));
    drop(concurrency.try_enter(&[asked("user", "bob", 2)]).unwrap());
    drop(concurrency.try_enter(&[asked("key", "ann", 2)]).unwrap());
    drop(first);
    let third = concurrency.clone().try_enter(&[asked("user", "ann", 2)]).unwrap();
    assert_eq!((concurrency.in_flight("user", b"ann"), concurrency.len()), (2, 1));
    drop((second, third));
    assert_eq!((concurrency.in_flight("user", b"ann"), concurrency.is_empty()), (0, true));
}

#[test]
fn places_are_taken_in_all_limits_or_in_none() {
    let concurrency = Concurrency::new(10);
    let held = concurrency.try_enter(&[asked("user", "ann", 5), asked("organization", "acme", 1)]).unwrap();
    let refused = concurrency.try_enter(&[asked("user", "bob", 5), asked("organization", "acme", 1)]);
    assert_eq!(refused.unwrap_err(), Full(1));
    let twice = [asked("user", "cid", 1), asked("user", "cid", 1)];
    assert_eq!(concurrency.try_enter(&twice).unwrap_err(), Full(1), "one value twice takes two places");
    assert_eq!((concurrency.in_flight("user", b"bob"), concurrency.in_flight("user", b"cid")), (0, 0));
    assert_eq!((concurrency.in_flight("organization", b"acme"), concurrency.len()), (1, 2));
    drop(held);
    assert!(concurrency.is_empty());
}

#[test]
fn a_value_beyond_the_bound_is_refused_and_those_within_go_on() {
    let concurrency = Concurrency::new(2);
    let ann = concurrency.try_enter(&[asked("user", "ann", 9)]).unwrap();
    let _bob = concurrency.try_enter(&[asked("user", "bob", 9)]).unwrap();
    assert_eq!(concurrency.try_enter(&[asked("user", "cid", 9)]).unwrap_err(), Full(0));
    let both = [asked("user", "ann", 9), asked("user", "cid", 9)];
    assert_eq!(concurrency.try_enter(&both).unwrap_err(), Full(1));
    assert_eq!((concurrency.in_flight("user", b"ann"), concurrency.len()), (1, 2));
    drop(ann);
    drop(concurrency.try_enter(&[asked("user", "cid", 9)]).unwrap());
}

#[test]
fn many_threads_take_exactly_as_many_places_as_there_are() {
    let (concurrency, entered, barrier) = (Concurrency::new(10), AtomicU32::new(0), Barrier::new(64));
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                barrier.wait();
                let place = concurrency.try_enter(&[asked("user", "ann", 10), asked("address", "::1", 40)]);
                entered.fetch_add(u32::from(place.is_ok()), Ordering::Relaxed);
                barrier.wait();
            });
        }
    });
    assert_eq!((entered.into_inner(), concurrency.len()), (10, 0));
}
