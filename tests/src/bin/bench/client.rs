//! The HTTP client alone: reads of one small document, by several threads that each send and wait on a connection of its own.

use crate::{Arguments, timed};
use rollkeeper::Period;
use rollkeeper::http::{Http, Method, Request};
use rollkeeper::transport::{Transport, TransportOptions};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// By ours, with its guard, its bounds and its own words for failures.
pub(crate) fn ours(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let threads = arguments.number("threads", 8)?.max(1);
    let timeout = Period::from_seconds(30);
    let options = TransportOptions { timeout, idle_connections: threads, ..TransportOptions::default() };
    let transport = Transport::new(options)?;
    let url = format!("{}/ServiceProviderConfig", arguments.text("url")?);
    let (method, headers) = (Method::Get, vec![("accept", "application/scim+json".to_owned())]);
    let request = Request { method, url, headers, authorization: None, body: None, timeout };
    by_threads(n, threads, || match transport.send(&request)? {
        answer if answer.status == 200 && !answer.body.is_empty() => Ok(()),
        answer => Err(format!("answered {}", answer.status).into()),
    })
}

/// By ureq as it comes.
pub(crate) fn ureq(n: usize, arguments: &Arguments) -> Result<Duration, Box<dyn Error>> {
    let threads = arguments.number("threads", 8)?.max(1);
    let url = format!("{}/ServiceProviderConfig", arguments.text("url")?);
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .max_idle_connections_per_host(threads)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent();
    by_threads(n, threads, || {
        agent.get(&url).header("accept", "application/scim+json").call()?.body_mut().read_to_vec()?;
        Ok(())
    })
}

fn by_threads(
    n: usize,
    threads: usize,
    ask: impl Fn() -> Result<(), Box<dyn Error>> + Sync,
) -> Result<Duration, Box<dyn Error>> {
    let asked = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        while asked.fetch_add(1, Ordering::Relaxed) < n {
            ask().map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    timed(|| {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(done) => Ok(done?),
                Err(_) => Err("a thread panicked".into()),
            })
        })
    })
}
