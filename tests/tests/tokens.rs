//! Access tokens of an authorization server whose tokens live for seconds and which notices every refresh token that is shown
//! twice. `ROLLKEEPER_RACES=1000` races two engines more often.

use rollkeeper::model::{App, RequestFilter, State};
use rollkeeper::{Clock, Code, Engine, Period, RunOptions, Secret};
use rollkeeper_tests::authorization_server::{CLIENT, Mishap};
use rollkeeper_tests::stub::{Options, Stub};
use rollkeeper_tests::token_world::{LIFE, World, call, logged, put_users};
use serde_json::json;
use std::sync::Arc;

#[test]
fn tokens_that_end_in_the_middle_of_a_thousand_requests_fail_none_and_are_renewed_once_each() {
    for (refresh, count) in [(false, 600), (true, 1_000)] {
        let world = World::new(Period::from_micros(10_000));
        let engine = world.engine(None);
        world.put(&engine, if refresh { world.by_refresh() } else { world.by_client() });
        put_users(&engine, count);
        let began = world.clock.now();
        engine.run(&RunOptions { workers: 16, ..RunOptions::default() }).unwrap();
        let requests = engine.requests(&RequestFilter { limit: Some(2_000), ..RequestFilter::default() }).unwrap();
        assert_eq!(requests.len(), count);
        assert!(requests.iter().all(|request| request.state == State::Completed && request.attempts == 1));
        assert!(logged(&engine, "paused").is_empty() && logged(&engine, "reauthorization_needed").is_empty());
        let seen = world.server.seen();
        let passed = world.clock.now().since(began).as_micros();
        // Renewed a fifth of its life before its end, a token serves for 2.4 seconds; on its way a call may be overtaken by that.
        let most = u64::try_from(passed / 2_400_000).unwrap() + 1;
        assert!(seen.given >= 2 && seen.given <= most, "{seen:?} in {passed} microseconds");
        assert_eq!((seen.asked, seen.replays, seen.refused), (seen.given, 0, 0), "{seen:?}");
        assert_eq!(logged(&engine, "token_issued").len() as u64, seen.given);
    }
}

#[test]
fn two_engines_on_one_file_never_show_a_refresh_token_twice() {
    let races: u64 = std::env::var("ROLLKEEPER_RACES").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Period::ZERO);
    let path = folder.path().join("state.db");
    let engines = [world.engine(Some(&path)), world.engine(Some(&path))];
    world.put(&engines[0], world.by_refresh());
    assert_eq!(call(&engines[1]), None);
    for race in 1..=races {
        world.clock.advance(LIFE);
        std::thread::scope(|scope| {
            for engine in engines.iter().chain(&engines) {
                scope.spawn(|| assert_eq!(call(engine), None));
            }
        });
        let seen = world.server.seen();
        assert_eq!((seen.given, seen.replays, seen.refused), (race + 1, 0, 0), "{race}");
    }
}

#[test]
fn a_refused_token_is_renewed_once_and_then_the_breaker_opens() {
    let world = World::new(Period::ZERO);
    let engine = world.engine(None);
    world.put(&engine, world.by_client());
    assert_eq!(call(&engine), None);
    world.server.revoke_access();
    put_users(&engine, 1);
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(engine.requests(&RequestFilter::default()).unwrap()[0].state, State::Completed);
    assert_eq!(world.server.seen().given, 2);

    // A target that accepts no token of the server.
    let deaf = Stub::start_guarded(Options::default(), Arc::new(|_| false)).unwrap();
    let mut app = serde_json::to_value(world.by_client()).unwrap();
    app["connector"]["base_url"] = json!(deaf.base_url());
    engine.put_app(App::from_json(app.to_string().as_bytes()).unwrap(), None).unwrap();
    put_users(&engine, 3);
    engine.run(&RunOptions::default()).unwrap();
    let paused = logged(&engine, "paused");
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].details["reason"], "unauthorized");
    assert_eq!((deaf.stats()["refused"].as_u64(), world.server.seen().given), (Some(2), 3));
    let open = engine.requests(&RequestFilter::default()).unwrap();
    assert!(open.iter().skip(1).all(|request| !request.state.is_finished()), "{open:?}");
}

#[test]
fn an_answer_without_a_new_refresh_token_keeps_the_old_one() {
    let world = World::new(Period::ZERO);
    let engine = world.engine(None);
    world.put(&engine, world.by_refresh());
    for mishap in [Mishap::NoRotation, Mishap::NoRotation] {
        world.server.script(mishap);
        assert_eq!(call(&engine), None);
        world.clock.advance(LIFE);
    }
    assert_eq!(call(&engine), None);
    assert_eq!((world.server.seen().given, world.server.seen().replays), (3, 0));
}

#[test]
fn a_server_in_trouble_stops_nobody_while_the_token_lasts_and_fails_nobody_after() {
    let world = World::new(Period::ZERO);
    let engine = world.engine(None);
    world.put(&engine, world.by_refresh());
    assert_eq!(call(&engine), None);
    world.clock.advance(Period::from_micros(2_500_000));
    world.server.script(Mishap::Status(503));
    assert_eq!(call(&engine), None, "the token at hand does for half a second more");
    world.clock.advance(LIFE);
    world.server.script(Mishap::Status(503));
    put_users(&engine, 1);
    engine.run(&RunOptions::default()).unwrap();
    let request = &engine.requests(&RequestFilter::default()).unwrap()[0];
    assert_eq!(request.state, State::Requested);
    world.clock.advance(Period::from_seconds(60));
    engine.run(&RunOptions::default()).unwrap();
    assert_eq!(engine.requests(&RequestFilter::default()).unwrap()[0].state, State::Completed);
    assert_eq!(world.server.seen().replays, 0);
}

#[test]
fn a_lost_answer_is_asked_for_again_and_told_where_the_server_saw_a_replay() {
    let world = World::new(Period::ZERO);
    let engine = world.engine(None);
    world.put(&engine, world.by_refresh());
    world.server.script(Mishap::LostAnswer);
    assert_eq!(call(&engine), Some(Code::Unreachable));
    assert_eq!(call(&engine), Some(Code::ReauthorizationNeeded));
    let message = engine.test_app("crm").unwrap().fault.unwrap().message;
    assert!(message.contains("authorise the app anew"), "{message}");
    assert_eq!(logged(&engine, "reauthorization_needed")[0].details["answer_lost"], true);
}

#[test]
fn without_a_key_no_secret_is_stored_and_a_refresh_token_is_refused() {
    let world = World::new(Period::ZERO);
    let engine = Engine::builder().clock(Arc::new(world.clock.clone())).open().unwrap();
    let refused = engine.set_secret("crm", "client", Some(&Secret::new("x")), None).unwrap_err();
    assert_eq!(refused.code(), Code::KeyRequired);
    let secrets = |name: &str| (name == "client").then(|| Secret::new(CLIENT.1));
    let engine = Engine::builder().clock(Arc::new(world.clock.clone())).secrets(Arc::new(secrets)).open().unwrap();
    let from_host = json!({"secret": "client"});
    let app =
        world.app(&json!({"grant_type": "refresh_token", "refresh_token": from_host, "client_secret": from_host}));
    assert_eq!(engine.put_app(app, None).unwrap_err().code(), Code::KeyRequired);
    // The client's own credentials need no store: the token lives in this process.
    let app = world
        .app(&json!({"grant_type": "client_credentials", "client_secret": from_host, "client_authentication": "post"}));
    engine.put_app(app, None).unwrap();
    put_users(&engine, 20);
    engine.run(&RunOptions { workers: 4, ..RunOptions::default() }).unwrap();
    assert_eq!(world.server.seen().given, 1);
    assert!(engine.credentials("crm").unwrap().issued_at.is_some());
}

#[test]
fn planted_tokens_and_secrets_are_in_no_file_and_in_nothing_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Period::ZERO);
    let engine = world.engine(Some(&folder.path().join("state.db")));
    world.put(&engine, world.by_refresh());
    put_users(&engine, 2);
    let mut said = String::new();
    for mishap in [None, Some(Mishap::Status(500)), Some(Mishap::LostAnswer), None] {
        mishap.into_iter().for_each(|mishap| world.server.script(mishap));
        said.push_str(&format!("{:?}", engine.test_app("crm").unwrap()));
        engine.run(&RunOptions::default()).unwrap();
        said.push_str(&format!("{:?}", engine.credentials("crm").unwrap()));
        world.clock.advance(Period::from_seconds(3_600));
    }
    for request in engine.requests(&RequestFilter::default()).unwrap() {
        said.push_str(&format!("{:?}", engine.request(request.id.as_str()).unwrap()));
    }
    said.push_str(&format!("{:?}{:?}", engine.log(&Default::default()).unwrap(), engine.metrics().unwrap()));
    said.push_str(&engine.export_app("crm").unwrap());
    engine.backup(&folder.path().join("backup.db")).unwrap();
    assert!(world.server.seen().given > 1 && said.contains("reauthorization_needed"), "{said}");
    assert!(!said.contains("planted"), "{said}");
    let in_files = || {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let bytes = files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        bytes.filter(|bytes| bytes.windows(7).any(|window| window == b"planted")).count()
    };
    assert_eq!(in_files(), 0);
    drop(engine);
    assert_eq!(in_files(), 0);
}
