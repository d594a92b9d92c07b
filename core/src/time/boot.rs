//! How long the machine has run, and which of its starts that is counted from.

use super::Moment;
use std::sync::OnceLock;

/// The moment now. On Linux every process of a machine tells the same; elsewhere each process counts from its own start, and
/// takes what another one waited for as of another boot: it waits again.
pub(super) fn moment() -> Moment {
    static BOOT: OnceLock<u64> = OnceLock::new();
    Moment { boot: *BOOT.get_or_init(boot), micros: running() }
}

/// Time since the start of the machine, the time asleep included (clock_gettime(2), `CLOCK_BOOTTIME`).
#[cfg(target_os = "linux")]
fn running() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000)
}

/// The first half of the kernel's id of this boot (random(4)). Where it cannot be read, each process is a boot of its own.
#[cfg(target_os = "linux")]
fn boot() -> u64 {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16).unwrap_or_else(|_| of_process())
}

#[cfg(not(target_os = "linux"))]
fn running() -> i64 {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let passed = START.get_or_init(std::time::Instant::now).elapsed();
    i64::try_from(passed.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(not(target_os = "linux"))]
fn boot() -> u64 {
    of_process()
}

/// A number that another process is not likely to have.
fn of_process() -> u64 {
    let started = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
    started.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_of_a_boot_go_forward() {
        let earlier = moment();
        let later = moment();
        assert!(later.since(earlier).is_some());
        assert!(later.micros >= earlier.micros && earlier.micros > 0);
    }
}
