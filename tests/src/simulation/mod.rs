//! Deterministic simulation: a whole engine on one thread, in a world of which a seed decides everything: what happens to
//! people and apps, and every fault of targets, network, clock, disk and process. The same seed plays the same, to the bit.
//! `core/docs/testing.md` tells what is simulated and how a seed is replayed.

mod apps;
mod check;
mod enumerate;
mod network;
mod people;
mod scenario;
mod story;
mod target;
mod time;
mod transcript;
mod wide;
mod world;

use crate::disk::{Loss, Trouble};
use crate::lossy_vfs::lock;
pub use enumerate::{crash_points, store_faults};
pub use scenario::{SCENARIOS, Scenario};
use world::World;

/// How a story is played.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// With the protocol that does not look before it makes an account again, at targets that do not know better.
    pub naive: bool,
    /// On a disk that says that it has synced, and has not.
    pub lies: bool,
    /// Whether what happened is kept as lines.
    pub tells: bool,
    /// The apps' definitions; by chance where it is left out.
    pub shape: Option<u64>,
    /// Whether the story ends after a third of what happens in it.
    pub brief: bool,
    /// In a world with approvals, managers, unique values, holds, maintenance and reconciliations.
    pub wide: bool,
    /// What befalls a scenario; everything is by chance where it is left out.
    pub mishap: Option<Mishap>,
}

/// The one thing that goes wrong in a scenario.
#[derive(Clone, Debug, Default)]
pub struct Mishap {
    /// The process dies at this boundary, counted from 1.
    pub stop_at: Option<u64>,
    /// What is left of what was not synced; by chance where it is left out.
    pub loss: Option<Loss>,
    /// Trouble of the disk, how many calls go well before, and whether it lasts until somebody mends it.
    pub trouble: Option<(Trouble, u64, bool)>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often the process died.
    pub deaths: u64,
    /// How often an engine was opened.
    pub openings: u64,
    /// How often the engine was told to run.
    pub runs: u64,
    /// Calls to targets.
    pub calls: u64,
    /// Users times apps.
    pub lanes: u64,
    /// Of these, in how many something had failed or waited when everything was quiet.
    pub troubled: u64,
    /// In how many it did after everything was tried again.
    pub unhealed: u64,
    /// Requests that a person agreed to, or refused.
    pub answered: u64,
    /// Holds and maintenance that began.
    pub holds: u64,
    /// Plans of reconciliations that were committed.
    pub commits: u64,
}

impl Counts {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.deaths += other.deaths;
        self.openings += other.openings;
        self.runs += other.runs;
        self.calls += other.calls;
        self.lanes += other.lanes;
        self.troubled += other.troubled;
        self.unhealed += other.unhealed;
        self.answered += other.answered;
        self.holds += other.holds;
        self.commits += other.commits;
    }
}

/// What a story came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// What does not hold.
    pub wrongs: Vec<String>,
    /// What was counted.
    pub counts: Counts,
    /// The hash of everything that happened.
    pub hash: u64,
    /// What happened, where it was kept.
    pub lines: Vec<String>,
}

/// Plays the story of a seed.
///
/// # Errors
/// What stands in the way of playing at all.
pub fn play(seed: u64, options: &Options) -> Result<Played, String> {
    let mut world = World::new(seed, options)?;
    world.tell();
    world.rests();
    world.heals();
    world.checks_log();
    Ok(end(world))
}

/// What a scenario came to.
#[derive(Clone, Debug, Default)]
pub struct Acted {
    /// What does not hold, and what happened.
    pub played: Played,
    /// How many boundaries there were.
    pub boundaries: u64,
    /// Whether what was to go wrong went wrong.
    pub befell: bool,
}

/// Plays a scenario with one mishap, or with none.
///
/// # Errors
/// What stands in the way of playing at all.
pub fn act(scenario: &Scenario, mishap: &Mishap) -> Result<Acted, String> {
    let options =
        Options { shape: Some(scenario.shape), mishap: Some(mishap.clone()), tells: true, ..Options::default() };
    let mut world = World::new(scenario.shape, &options)?;
    let begun = world.store.disk().boundaries();
    if let Some(boundary) = mishap.stop_at {
        world.store.disk().stop_after(boundary);
    }
    if let Some((trouble, after, lasts)) = mishap.trouble {
        world.store.disk().plan(trouble, after, lasts);
    }
    (scenario.play)(&mut world);
    let boundaries = world.store.disk().boundaries() - begun;
    let befell = world.counts.deaths > 0 || world.store.disk().troubles > 0;
    world.rests();
    // What was read wrong may have been given up, and is then for a person.
    if mishap.trouble.is_some_and(|(trouble, ..)| trouble == Trouble::Corrupt) {
        world.heals();
    } else {
        world.gives_nothing_up();
    }
    world.checks_log();
    Ok(Acted { played: end(world), boundaries, befell })
}

fn end(mut world: World) -> Played {
    let mut counts = world.counts;
    counts.calls = world.targets.iter().map(|target| target.calls()).sum();
    let mut transcript = lock(&world.transcript);
    let (hash, lines) = (transcript.hash(), transcript.lines.take().unwrap_or_default());
    drop(transcript);
    Played { wrongs: std::mem::take(&mut world.wrongs), counts, hash, lines }
}
