//! One thing goes wrong at every place of every small story: the process dies at each boundary, the disk fails at each call.

use super::scenario::{SCENARIOS, Scenario};
use super::{Acted, Mishap, act};
use crate::disk::{Loss, Trouble};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets the process die in every scenario: before each write, sync and cut of the store, before and after each call to a
/// target, with everything written kept, or what was synced alone, or some sectors of the rest. With `step` above 1, at every so
/// many boundaries alone, others for each loss. Gives how many deaths there were.
///
/// # Errors
/// The first story that does not end as it should, line by line.
pub fn crash_points(step: u64, threads: usize) -> Result<u64, String> {
    let jobs: Vec<_> = SCENARIOS.iter().flat_map(|one| (0..).zip(Loss::ALL).map(move |loss| (one, loss))).collect();
    share_out(&jobs, threads, |(scenario, (turn, loss))| {
        let whole = act(scenario, &Mishap::default())?;
        sound(scenario, &Mishap::default(), &whole)?;
        let mut deaths = 0;
        let first = 1 + turn * step / 3;
        for boundary in (first..=whole.boundaries).step_by(usize::try_from(step).unwrap_or(1)) {
            let mishap = Mishap { stop_at: Some(boundary), loss: Some(*loss), ..Mishap::default() };
            let acted = act(scenario, &mishap)?;
            sound(scenario, &mishap, &acted)?;
            if !acted.befell {
                return Err(format!("{}: nobody died at {boundary}", scenario.name));
            }
            deaths += 1;
        }
        Ok(deaths)
    })
}

/// Lets the disk fail in every scenario at each call that can fail so, once and until somebody mends it: full, broken, held by
/// somebody else, or with a page that is none. With `step` above 1, at every so many calls alone. Gives how many failures
/// there were.
///
/// # Errors
/// As [`crash_points`].
pub fn store_faults(step: u64, threads: usize) -> Result<u64, String> {
    let troubles = || Trouble::ALL.into_iter().flat_map(|trouble| [(trouble, false), (trouble, true)]);
    let jobs: Vec<_> = SCENARIOS.iter().flat_map(|one| troubles().map(move |trouble| (one, trouble))).collect();
    share_out(&jobs, threads, |(scenario, (trouble, lasts))| {
        let mut failures = 0;
        for after in (0..).step_by(usize::try_from(step).unwrap_or(1)) {
            let mishap = Mishap { trouble: Some((*trouble, after, *lasts)), ..Mishap::default() };
            let acted = act(scenario, &mishap)?;
            sound(scenario, &mishap, &acted)?;
            if !acted.befell {
                break;
            }
            failures += 1;
        }
        Ok(failures)
    })
}

fn sound(scenario: &Scenario, mishap: &Mishap, acted: &Acted) -> Result<(), String> {
    if acted.played.wrongs.is_empty() {
        return Ok(());
    }
    let (lines, wrongs) = (acted.played.lines.join("\n"), acted.played.wrongs.join("; "));
    Err(format!("{lines}\nin `{}` with {mishap:?}: {wrongs}", scenario.name))
}

/// Does every job, some at the same time, and sums up; stops at the first that fails.
fn share_out<T: Sync>(
    jobs: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<u64, String> + Sync,
) -> Result<u64, String> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Ok(0)));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let worked = work(job);
                    let mut done = crate::lossy_vfs::lock(&done);
                    match (&mut *done, worked) {
                        (Ok(sum), Ok(count)) => *sum += count,
                        (Ok(_), failed) => *done = failed,
                        (Err(_), _) => {}
                    }
                    if done.is_err() {
                        return;
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
