//! What became of a token when the disk fails or the process dies between receiving and storing it.

use rollkeeper::model::{RequestFilter, State};
use rollkeeper::{Code, Period, RunOptions};
use rollkeeper_tests::authorization_server::Mishap;
use rollkeeper_tests::disk::{Disk, Loss, Trouble};
use rollkeeper_tests::lossy_vfs::LossyStore;
use rollkeeper_tests::snapshots::Chance;
use rollkeeper_tests::token_world::{LIFE, World, call, logged, put_users, secret};
use std::sync::Arc;

#[test]
fn a_token_that_cannot_be_stored_is_not_used_and_not_lost() {
    let world = World::new(Period::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let store = LossyStore::new(folder.path(), Disk::default()).unwrap();
    let engine = world.engine(Some(store.path()));
    world.put(&engine, world.by_refresh());
    let disk = store.share();
    world.server.script(Mishap::Meanwhile(Arc::new(move || disk.lock().unwrap().plan(Trouble::Full, 0, true))));
    assert_eq!(call(&engine), Some(Code::StoreFull));
    assert_eq!(world.target.stats()["list"], 0, "the target was called with a token that was not stored");
    store.disk().mend();
    assert_eq!(call(&engine), None);
    world.clock.advance(LIFE);
    assert_eq!(call(&engine), None);
    assert_eq!((world.server.seen().given, world.server.seen().replays), (2, 0));
}

#[test]
fn a_death_between_receiving_and_storing_is_told_plainly_and_a_new_consent_mends_it() {
    let world = World::new(Period::ZERO);
    let folder = tempfile::tempdir().unwrap();
    let store = LossyStore::new(folder.path(), Disk::default()).unwrap();
    let mut chance = Chance::new(1);
    let engine = world.engine(Some(store.path()));
    world.put(&engine, world.by_refresh());
    assert_eq!(call(&engine), None);
    world.clock.advance(LIFE);
    let disk = store.share();
    world.server.script(Mishap::Meanwhile(Arc::new(move || disk.lock().unwrap().stop_after(1))));
    assert!(call(&engine).is_some());
    assert!(store.disk().is_dead());
    drop(engine);
    store.disk().restart(Loss::Unsynced, &mut chance);

    let engine = world.engine(Some(store.path()));
    put_users(&engine, 1);
    engine.run(&RunOptions::default()).unwrap();
    let told = logged(&engine, "reauthorization_needed");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].details["answer_lost"], true);
    let known = engine.credentials("crm").unwrap();
    assert_eq!((known.ready, known.fault.unwrap().code), (false, Code::ReauthorizationNeeded));
    let asked = world.server.seen().asked;
    assert_eq!(call(&engine), Some(Code::ReauthorizationNeeded));
    assert_eq!(world.server.seen().asked, asked, "what is known to be lost is not tried again and again");

    secret(&engine, "first", &world.server.first_refresh_token());
    assert!(engine.credentials("crm").unwrap().ready);
    world.clock.advance(Period::from_seconds(3_600));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(engine.requests(&RequestFilter::default()).unwrap()[0].state, State::Completed);
}
