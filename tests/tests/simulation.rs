//! Whole engines in simulated worlds, seed by seed: `rollkeeper_tests::simulation`. `SIMULATION_SEEDS` tells how many.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rollkeeper_tests::simulation::{Counts, Options, play};

/// How many seeds every test run plays, each in a plain world or a wide one, by turns. Their stories end after a third; `make
/// simulate` plays whole ones.
const ALWAYS: u64 = 2_000;

/// Seeds whose stories found a defect of the engine once: an Update that came through unknown to anybody, a retry of a doubtful
/// Create that was taken back, what was in doubt for an account that another one replaced.
const FOUND_ONCE: [u64; 7] = [20, 103_425, 103_427, 104_563, 105_321, 108_632, 111_786];

/// The same in wide worlds, of brief stories: what asked for approval again after a failed call could not be answered.
const FOUND_ONCE_WIDELY: [u64; 1] = [28];

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
    for wide in [false, true] {
        let options = Options { brief: true, wide, ..Options::default() };
        let (counts, found) = play_all(1..=count / 2, &options);
        if let Some((seed, wrongs)) = found.first() {
            let how = if wide { "--wide 1 --brief 1" } else { "--brief 1" };
            panic!(
                "{} seeds found something, such as {wrongs:?}; read it with `simulate --seed {seed} {how}`",
                found.len()
            );
        }
        // Stories without trouble would show nothing, and where everything fails nothing is compared.
        assert!(4 * counts.deaths > count && counts.calls > 4 * count, "{counts:?}");
        assert!(counts.troubled * 2 < counts.lanes && counts.unhealed * 20 < counts.lanes, "{counts:?}");
        let widely = [counts.answered, counts.holds, counts.commits];
        assert!(widely.iter().all(|number| if wide { 50 * number > count } else { *number == 0 }), "{counts:?}");
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    for seed in FOUND_ONCE {
        let wrongs = play(seed, &Options::default()).unwrap().wrongs;
        assert_eq!(wrongs, [] as [String; 0], "read it with `make simulate SEED={seed}`");
    }
    for seed in FOUND_ONCE_WIDELY {
        let wrongs = play(seed, &Options { brief: true, wide: true, ..Options::default() }).unwrap().wrongs;
        assert_eq!(wrongs, [] as [String; 0], "read it with `simulate --seed {seed} --brief 1 --wide 1`");
    }
}

#[test]
fn the_same_seed_plays_the_same_to_the_bit() {
    for (seed, wide) in (1..=12).zip([false, true].into_iter().cycle()) {
        let options = Options { wide, ..Options::default() };
        let (first, second) = (play(seed, &options).unwrap(), play(seed, &options).unwrap());
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first.hash, play(seed + 100, &options).unwrap().hash);
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
