//! A web application and workers, each a process of its own, on one file; one worker is killed in the middle of its work.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rollkeeper::model::{RequestFilter, State};
use rollkeeper::{Engine, Operation};
use rollkeeper_tests::stub::{Options, Stub};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

struct Process {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// A process on the file; its clock stands so many seconds after the start.
    fn start(file: &Path, stub: &Stub, seconds: u32) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_process"));
        command.arg(file).args([stub.base_url(), seconds.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, commands, answers: BufReader::new(answers) }
    }

    fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the process ended");
        line.trim_end().to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder in memory where there is one: a process that is killed loses nothing that it wrote, synced or not.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Kills a worker once the target has made so many accounts; gives the number of requests that it left unfinished.
fn with_a_kill_after(made: u64) -> usize {
    let folder = folder();
    let file = folder.path().join("state.db");
    // A second account of the same name would be made, and seen.
    let stub = Stub::start(Options { unique: false, ..Options::default() }).unwrap();
    let mut web = Process::start(&file, &stub, 0);
    web.ask("put 0 60");
    let (mut one, mut other) = (Process::start(&file, &stub, 0), Process::start(&file, &stub, 0));
    one.tell("run");
    other.tell("run");
    web.tell("put 60 120");
    while stub.stats()["create"].as_u64().unwrap() < made {
        std::thread::yield_now();
    }
    drop(one);
    other.answer();
    assert_eq!(web.answer(), "put");
    let answer = other.ask("run");
    let left: usize = answer.rsplit(' ').next().unwrap().parse().unwrap();

    // Much later, after every lease and every time to settle. The web application has the file open all the while.
    for later in 1..=5 {
        let answer = Process::start(&file, &stub, later * 3600).ask("run");
        if answer.ends_with(" 0") {
            break;
        }
    }
    drop((web, other));
    let engine = Engine::builder().path(&file).open().unwrap();
    let requests = engine.requests(&RequestFilter::default()).unwrap();
    // A Create that was sent twice has the accounts counted by a Read, some time after.
    let (creates, others): (Vec<_>, Vec<_>) =
        requests.iter().partition(|request| request.operation == Operation::Create);
    assert_eq!(creates.len(), 120);
    assert!(others.iter().all(|request| request.operation == Operation::Read), "{others:?}");
    let unfinished: Vec<_> = requests.iter().filter(|request| request.state != State::Completed).collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
    assert_eq!(stub.stats()["create"], 120, "an account was made twice");
    assert!(engine.verify_log().unwrap().whole);
    left
}

#[test]
fn a_web_application_and_two_workers_of_which_one_is_killed_finish_everything_once() {
    let rounds = std::env::var("ROLLKEEPER_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8);
    let left: usize = (0..rounds).map(|round| with_a_kill_after(1 + round * 37 % 90)).sum();
    assert!(left > 0, "no kill interrupted anything");
}
