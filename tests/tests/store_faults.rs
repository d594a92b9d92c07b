//! The disk fails at calls of small stories: `rollkeeper_tests::simulation::store_faults`. Nothing panics, nothing is sent whose
//! intent was not stored, and once the disk is mended everything is as wanted. `STORE_FAULTS_STEP=1` tries every call, as
//! `make simulate` does.

use rollkeeper_tests::simulation::store_faults;

/// Every so many calls are tried in each test run.
const ALWAYS: u64 = 20;

#[test]
fn a_disk_that_fails_at_any_call_of_a_story_harms_nobody() {
    let step = std::env::var("STORE_FAULTS_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(ALWAYS);
    let faults = store_faults(step, 2).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(faults * step > 10_000, "only {faults} faults were tried");
}
