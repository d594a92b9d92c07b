//! An impact over ten times as many users takes no more memory: users are read one at a time, and a page of answers is all
//! that is kept. The allocator of this program counts; it is here because an allocator is unsafe code.

#![expect(unsafe_code, clippy::unwrap_used, reason = "an allocator that counts, in a test")]

use engine::Engine;
use engine::model::{App, ImpactOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

static NOW: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = isize::try_from(layout.size()).unwrap_or(isize::MAX);
        MOST.fetch_max(NOW.fetch_add(size, Ordering::Relaxed) + size, Ordering::Relaxed);
        // SAFETY: the promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(isize::try_from(layout.size()).unwrap_or(isize::MAX), Ordering::Relaxed);
        // SAFETY: the promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const APP: &str = r#"{"id": "crm", "connector": {"kind": "mock"}, "assigned_to": {"profiles": ["Employees"]},
    "mapping": [{"target": "userName", "source": "username"}, {"target": "displayName", "expression": "user.username + '!'"}],
    "create_without_match": true}"#;

/// How many bytes an impact over so many users takes at most, and how many requests it foretells and putting makes.
fn measure(count: usize) -> (isize, u64, usize) {
    let engine = Engine::builder().seed(1).open().unwrap();
    let line =
        |number: usize| format!(r#"{{"id": "u{number:06}", "username": "name{number}", "profile": "Employees"}}"#);
    let lines: Vec<String> = (0..count).map(line).collect();
    assert_eq!(engine.put_users(lines.join("\n").as_bytes(), None).unwrap().stored, count as u64);
    drop(lines);
    let app = || App::from_json(APP.as_bytes()).unwrap();
    // What is made once, such as prepared statements, is not counted.
    engine.impact(app(), ImpactOptions::default()).unwrap().next_page().unwrap();
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let mut impact = engine.impact(app(), ImpactOptions { values: true }).unwrap();
    assert_eq!((&mut impact).map(Result::unwrap).count(), count);
    let most = MOST.load(Ordering::Relaxed) - before;
    let foretold = *impact.summary().operations.get("Create").unwrap();
    drop(impact);
    (most, foretold, engine.put_app(app(), None).unwrap().len())
}

#[test]
fn five_thousand_users_take_the_memory_of_five_hundred() {
    let (few, foretold, made) = measure(500);
    assert_eq!((foretold, made), (500, 500));
    let (many, foretold, made) = measure(5000);
    assert_eq!((foretold, made), (5000, 5000));
    assert!(few > 10_000 && many < few + few / 10, "{few} bytes for 500 users, {many} for 5,000");
    println!("{few} bytes for 500 users, {many} for 5,000");
}
