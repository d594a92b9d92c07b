//! The delivery protocol in a world where everything goes wrong that can: each state is looked at, and what decides is the
//! engine's own (`core/src/protocol`, `lane`, `retry`). `ROLLKEEPER_STATES=4000000` looks at more than a test run has time for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "how many states were looked at is what one wants to know")]
#![allow(clippy::cast_possible_truncation, reason = "states are packed")]

mod create;
mod explore;
mod order;
mod parts;

use create::Creating;
use explore::{Explored, World, explore};
use order::Leaving;
use parts::Without;

/// How many states of a world are looked at.
fn limit() -> usize {
    std::env::var("ROLLKEEPER_STATES").ok().and_then(|text| text.parse().ok()).unwrap_or(350_000)
}

fn is_safe<W: World>(name: &str, world: &W) {
    let Explored { states, whole, broken } = explore(world, limit());
    println!("{name}: {states} states, {}", if whole { "all" } else { "not all" });
    assert_eq!(broken, None, "{name}");
    assert!(whole || states >= limit(), "{name}: only {states} states");
}

/// The shortest way to what must never be.
fn way<W: World>(world: &W) -> Vec<&'static str> {
    let Explored { states, broken, .. } = explore(world, 4_000_000);
    let (way, why) = broken.unwrap();
    println!("{states} states, {} steps: {why}: {}", way.len(), way.join(" · "));
    way
}

#[test]
fn a_create_never_makes_a_second_account() {
    for unique in [true, false] {
        for workers in [1, 2] {
            let name = format!("{workers} workers, {}", if unique { "unique" } else { "not unique" });
            is_safe(&name, &Creating::new(workers, unique, Without::Nothing));
        }
    }
}

#[test]
fn a_create_without_its_settle_wait_makes_a_second_account() {
    assert_eq!(way(&Creating::new(1, false, Without::SettleWait)).len(), 11);
}

#[test]
fn a_create_without_its_fence_makes_a_second_account() {
    assert_eq!(way(&Creating::new(2, false, Without::Fence)).len(), 21);
}

#[test]
fn a_create_without_its_deadline_makes_a_second_account() {
    assert_eq!(way(&Creating::new(2, false, Without::SendDeadline)).len(), 17);
}

#[test]
fn who_leaves_ends_outside_and_never_waits_for_an_update() {
    for workers in [1, 2] {
        is_safe(&format!("leaving, {workers} workers"), &Leaving::new(workers, Without::Nothing));
    }
}

#[test]
fn a_removal_that_is_not_looked_at_again_leaves_somebody_inside() {
    assert_eq!(way(&Leaving::new(1, Without::Verification)).len(), 15);
}

#[test]
fn a_removal_that_is_looked_at_too_early_leaves_somebody_inside() {
    assert_eq!(way(&Leaving::new(1, Without::SettleWait)).len(), 15);
}

/// What no protocol can help: a letter that arrives however late, and a worker that freezes between its last check and the
/// sending. Where the target refuses a second account, both do no harm.
#[test]
fn a_letter_without_end_and_a_freeze_without_end_are_beyond_every_protocol() {
    assert_eq!(way(&Creating::new(1, false, Without::BoundOfLife)).len(), 14);
    let freezing = |unique| {
        let mut world = Creating::new(2, unique, Without::Nothing);
        world.freezes = true;
        world
    };
    assert_eq!(way(&freezing(false)).len(), 17);
    is_safe("freezing, unique", &freezing(true));
    is_safe("late, unique", &Creating::new(1, true, Without::BoundOfLife));
}
