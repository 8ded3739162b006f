//! One decision of the permission tier, beside asking the grants themselves.

use bartizan_config::{Requirement, Requirements};
use bartizan_model::{Grant, Permission};
use bartizan_policy::{PermissionIndex, PermissionSet, RoutePolicy};
use divan::{Bencher, black_box};
use http::Method;

fn main() {
    divan::main();
}

const NEEDED: [&str; 2] = ["resource-7:read", "resource-90:write"];

fn needed() -> Vec<Permission> {
    NEEDED.iter().filter_map(|text| text.parse().ok()).collect()
}

fn held() -> Vec<Grant> {
    let exact = (0..20).map(|number| format!("resource-{number}:read"));
    exact.chain(["resource-90:*".into(), "*:list".into()]).filter_map(|text| text.parse().ok()).collect()
}

/// An index of 200 permissions, the policy of one route, and what a caller of 22 grants holds.
fn compiled() -> (PermissionIndex, RoutePolicy, PermissionSet) {
    let all =
        (0..100).flat_map(|number| ["read", "write"].map(|action| format!("resource-{number}:{action}")));
    let background =
        Requirements::Every(Requirement::Any(all.filter_map(|text| text.parse().ok()).collect()));
    let requirements = Requirements::Every(Requirement::All(needed()));
    let index = PermissionIndex::new([&background, &requirements]);
    let (policy, set) = (index.compile(&requirements), index.expand(&held()));
    (index, policy, set)
}

#[divan::bench]
fn decide(bencher: Bencher) {
    let (_, policy, set) = compiled();
    bencher.bench_local(|| black_box(&policy).decide(&Method::GET, black_box(&set)));
}

#[divan::bench]
fn decide_by_asking_each_grant(bencher: Bencher) {
    let (needed, held) = (needed(), held());
    bencher.bench_local(|| {
        black_box(&needed)
            .iter()
            .all(|permission| black_box(&held).iter().any(|grant| grant.covers(permission)))
    });
}

#[divan::bench]
fn expand_22_grants(bencher: Bencher) {
    let (index, ..) = compiled();
    let held = held();
    bencher.bench_local(|| black_box(&index).expand(black_box(&held)));
}
