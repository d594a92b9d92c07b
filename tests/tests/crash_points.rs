//! The process dies at boundaries of small stories: `rollkeeper_tests::simulation::crash_points`. `CRASH_POINTS_STEP=1` tries
//! every boundary with every loss, as `make simulate` does.
use rollkeeper_tests::simulation::crash_points;

/// Every so many boundaries are tried in each test run.
const ALWAYS: u64 = 16;

#[test]
fn whoever_dies_at_any_boundary_of_a_story_leaves_everything_right() {
    let step = std::env::var("CRASH_POINTS_STEP").ok().and_then(|step| step.parse().ok()).unwrap_or(ALWAYS);
    let points = crash_points(step, 2).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(points * step > 10_000, "only {points} crash points were tried");
}
