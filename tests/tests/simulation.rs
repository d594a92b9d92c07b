//! Whole engines in simulated worlds, seed by seed: `rollkeeper_tests::simulation`. `SIMULATION_SEEDS` tells how many.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper_tests::simulation::{Counts, Options, play};

/// How many seeds every test run plays.
const ALWAYS: u64 = 400;

/// Seeds whose stories found a defect of the engine once: an Update that came through unknown to anybody, a retry of a doubtful
/// Create that was taken back, what was in doubt for an account that another one replaced.
const FOUND_ONCE: [u64; 7] = [20, 103_425, 103_427, 104_563, 105_321, 108_632, 111_786];

/// Plays seeds on two threads and sums up what was counted.
fn play_all(seeds: std::ops::RangeInclusive<u64>, options: &Options) -> (Counts, Vec<(u64, Vec<String>)>) {
    let half = |odd: u64| {
        let (mut sum, mut found) = (Counts::default(), Vec::new());
        for seed in seeds.clone().filter(|seed| seed % 2 == odd) {
            let played = play(seed, options).unwrap();
            sum.add(&played.counts);
            if !played.wrongs.is_empty() {
                found.push((seed, played.wrongs));
            }
        }
        (sum, found)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let (mut sum, mut found) = half(0);
        let (others, more) = other.join().unwrap();
        sum.add(&others);
        found.extend(more);
        (sum, found)
    })
}

#[test]
fn whatever_goes_wrong_everybody_has_what_they_should_have() {
    let count = std::env::var("SIMULATION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(ALWAYS);
    let (counts, found) = play_all(1..=count, &Options::default());
    if let Some((seed, wrongs)) = found.first() {
        panic!("{} seeds found something, such as {wrongs:?}; read it with `make simulate SEED={seed}`", found.len());
    }
    // Stories without trouble would show nothing, and where everything fails nothing is compared.
    assert!(counts.deaths > count && counts.calls > 10 * count, "{counts:?}");
    assert!(counts.troubled * 4 < counts.lanes && counts.unhealed * 20 < counts.lanes, "{counts:?}");
}

#[test]
fn what_was_found_once_stays_mended() {
    for seed in FOUND_ONCE {
        let wrongs = play(seed, &Options::default()).unwrap().wrongs;
        assert_eq!(wrongs, [] as [String; 0], "read it with `make simulate SEED={seed}`");
    }
}

#[test]
fn the_same_seed_plays_the_same_to_the_bit() {
    for seed in 1..=12 {
        let (first, second) = (play(seed, &Options::default()).unwrap(), play(seed, &Options::default()).unwrap());
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first.hash, play(seed + 100, &Options::default()).unwrap().hash);
    }
}

#[test]
fn the_protocol_that_does_not_look_first_is_found_to_make_second_accounts() {
    let naive = Options { naive: true, ..Options::default() };
    let (_, found) = play_all(1..=40, &naive);
    let second = found.iter().flat_map(|(_, wrongs)| wrongs).filter(|wrong| wrong.contains("gets a second account"));
    assert!(second.count() > 3, "the checker sees no second accounts: {found:?}");
    let (_, careful) = play_all(1..=40, &Options::default());
    assert_eq!(careful, []);
}

#[test]
fn a_disk_that_lies_about_what_it_synced_is_found_out() {
    let lies = Options { lies: true, ..Options::default() };
    let (_, found) = play_all(1..=20, &lies);
    let lost = found.iter().flat_map(|(_, wrongs)| wrongs).filter(|wrong| wrong.contains("was told and is not there"));
    assert!(lost.count() > 3, "the checker misses nothing: {found:?}");
}
