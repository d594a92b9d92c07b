//! The C programs of `ffi/tests/c`, compiled as strictly as gcc can and run under the address and undefined-behaviour
//! sanitizers, against the shared library installed in a scratch prefix and found by its pkg-config file.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

#[path = "c/arguments.rs"]
mod arguments;

use engine::value::canonical;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-fsanitize=address,undefined"];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The prefix into which `ffi/install.sh` has put header, libraries and pkg-config file.
struct Installed(PathBuf);

impl Installed {
    /// Installs once for all tests of this program.
    fn new() -> &'static Self {
        static INSTALLED: OnceLock<Installed> = OnceLock::new();
        INSTALLED.get_or_init(|| {
            let prefix = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
            let built = std::env::current_exe().unwrap().parent().unwrap().to_owned();
            text_of(Command::new(here("install.sh")).arg(&prefix).arg(built).env_remove("DESTDIR"));
            Self(prefix)
        })
    }

    fn pkg_config(&self, question: &str) -> Vec<String> {
        let mut command = Command::new("pkg-config");
        command.env("PKG_CONFIG_PATH", self.0.join("lib/pkgconfig")).args([question, "rollkeeper"]);
        text_of(&mut command).split_whitespace().map(str::to_owned).collect()
    }

    fn compile(&self, compiler: &str, standard: &str, source: &str) -> PathBuf {
        // Several tests may compile the same source at the same time.
        let test = std::thread::current().name().unwrap_or("test").to_owned();
        let program = self.0.join(format!("{test}-{}", source.replace(['.', '/'], "-")));
        let mut command = Command::new(compiler);
        command.arg(standard).args(STRICT).arg(here("tests/c").join(source)).arg("-o").arg(&program);
        command.args(self.pkg_config("--cflags")).args(self.pkg_config("--libs")).arg("-lpthread");
        text_of(&mut command);
        program
    }

    fn run(&self, program: &Path, arguments: &[PathBuf]) -> String {
        let mut command = Command::new(program);
        text_of(command.args(arguments).env("LD_LIBRARY_PATH", self.0.join("lib")))
    }

    fn compile_and_run(&self, source: &str, arguments: &[PathBuf]) -> String {
        self.run(&self.compile("gcc", "-std=c11", source), arguments)
    }
}

#[test]
fn the_journey_of_a_user_works_from_c() {
    Installed::new().compile_and_run("smoke.c", &[]);
}

#[test]
fn the_first_program_of_the_documentation_works() {
    let installed = Installed::new();
    let program = installed.compile("gcc", "-std=c11", "../../examples/first.c");
    assert!(installed.run(&program, &[]).starts_with("{\"completed\":1,"));
}

#[test]
fn the_host_is_called_back_and_an_engine_may_be_freed_while_it_runs() {
    let files = tempfile::tempdir().unwrap();
    Installed::new().compile_and_run("callbacks.c", &[files.path().join("state.db")]);
}

#[test]
fn a_hosts_transport_plays_the_scenario_from_c() {
    Installed::new().compile_and_run("transport.c", &[here("../tests/data/transport/scenario.json")]);
}

#[test]
fn a_child_that_was_forked_is_refused_and_harms_nothing() {
    let files = tempfile::tempdir().unwrap();
    Installed::new().compile_and_run("fork.c", &[files.path().join("state.db")]);
}

#[test]
fn bad_input_has_its_code_and_names_the_place() {
    let files = tempfile::tempdir().unwrap();
    Installed::new().compile_and_run("errors.c", &[files.path().to_owned()]);
}

#[test]
fn every_null_handle_and_every_text_that_is_not_utf8_is_refused() {
    let installed = Installed::new();
    let header = fs::read_to_string(here("../include/rollkeeper.h")).unwrap();
    let (calls, count) = arguments::calls(&header);
    assert!(count > 90, "only {count} calls were found in the header");
    fs::write(installed.0.join("include/calls.h"), calls).unwrap();
    installed.compile_and_run("arguments.c", &[]);
}

#[test]
fn a_connector_in_c_passes_the_conformance_suite_and_serves_an_engine() {
    Installed::new().compile_and_run("connector.c", &[]);
}

#[test]
fn three_threads_with_sixteen_workers_each_do_everything_once() {
    Installed::new().compile_and_run("many_workers.c", &[]);
}

#[test]
fn a_compiled_mapping_writes_into_the_callers_buffer_and_maps_many_users_at_once() {
    Installed::new().compile_and_run("mapping.c", &[]);
}

#[test]
fn every_pair_of_states_and_every_event_is_as_in_the_files() {
    let data = here("../tests/data");
    Installed::new().compile_and_run("csv.c", &[data.join("transitions.csv"), data.join("events.csv")]);
}

#[test]
fn the_header_serves_every_standard_of_c_and_cpp() {
    let installed = Installed::new();
    for standard in ["-std=c99", "-std=c11", "-std=c17"] {
        let mut command = Command::new("gcc");
        command.args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-xc"]);
        text_of(command.arg(here("../include/rollkeeper.h")));
    }
    let program = installed.compile("g++", "-std=c++17", "header.cpp");
    installed.run(&program, &[]);
}

#[test]
fn the_package_tells_its_version_and_what_a_static_program_needs() {
    let installed = Installed::new();
    assert_eq!(installed.pkg_config("--modversion"), [env!("CARGO_PKG_VERSION")]);
    let file = fs::read_to_string(installed.0.join("lib/pkgconfig/rollkeeper.pc")).unwrap();
    assert!(!file.contains('@'), "the file has a place that nothing filled");
    let mut command = Command::new("gcc");
    let program = installed.0.join("first-static");
    command.arg(here("examples/first.c")).arg("-I").arg(installed.0.join("include")).arg("-o").arg(&program);
    let private = file.lines().find_map(|line| line.strip_prefix("Libs.private: ")).unwrap();
    text_of(command.arg(installed.0.join("lib/librollkeeper.a")).args(private.split(' ')));
    assert!(text_of(&mut Command::new(program)).starts_with("{\"completed\":1,"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_shared_library_says_its_name() {
    let library = std::env::current_exe().unwrap().with_file_name("librollkeeper.so");
    let dynamic = text_of(Command::new("readelf").arg("-d").arg(library));
    assert!(dynamic.contains("Library soname: [librollkeeper.so.1]"));
}

/// The files of a folder of `tests/data`, sorted.
fn files_of(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(here("../tests/data").join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    assert!(!files.is_empty(), "there is no file in {folder}");
    files.sort();
    files
}

/// What a case of `tests/data` says should be printed for it, given what was. A case may leave out the messages of its
/// faults, which are for people.
fn expected_line(case: &Value, printed: &str) -> String {
    let Some(faults) = case.get("faults").and_then(Value::as_array) else {
        let answers = ["value", "rendered", "judged"].into_iter();
        return canonical(answers.flat_map(|key| case.get(key)).next().unwrap());
    };
    let mut error: Value = serde_json::from_str(printed).unwrap_or_default();
    let mut faults = faults.clone();
    for (place, fault) in faults.iter_mut().enumerate() {
        let told = error.pointer(&format!("/details/faults/{place}/message")).cloned();
        fault.as_object_mut().unwrap().entry("message").or_insert_with(|| told.unwrap_or_default());
    }
    match error.pointer_mut("/details/faults") {
        Some(found) => *found = Value::Array(faults),
        None => error = Value::Array(faults),
    }
    canonical(&error)
}

#[test]
fn expressions_mappings_and_matching_answer_as_the_case_files_say_byte_for_byte() {
    let files = [files_of("expression"), files_of("mapping"), files_of("matching")].concat();
    let read = |file: &PathBuf| serde_json::from_slice::<Vec<Value>>(&fs::read(file).unwrap()).unwrap();
    let cases: Vec<Value> = files.iter().flat_map(read).collect();
    assert!(cases.len() > 1300, "only {} cases were found", cases.len());
    let printed = Installed::new().compile_and_run("cases.c", &files);
    assert_eq!(printed.lines().count(), cases.len());
    for (case, line) in cases.iter().zip(printed.lines()) {
        assert_eq!(line, expected_line(case, line), "{case}");
    }
}

#[test]
fn bad_definitions_are_told_as_the_case_files_say_byte_for_byte() {
    let files = files_of("definitions");
    let read = |file: &PathBuf| serde_json::from_slice::<Vec<Value>>(&fs::read(file).unwrap()).unwrap();
    let cases: Vec<Value> = files.iter().flat_map(read).collect();
    assert!(cases.len() > 60, "only {} cases were found", cases.len());
    let printed = Installed::new().compile_and_run("definitions.c", &files);
    assert_eq!(printed.lines().count(), cases.len());
    for (case, line) in cases.iter().zip(printed.lines()) {
        let mut expected: Value = serde_json::from_str(line).unwrap();
        for key in ["findings", "warnings"] {
            expected[key] = case.get(key).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        }
        assert_eq!(line, canonical(&expected), "{case}");
    }
}

/// What a case of `analyze` says should be printed: the totals with what they leave out.
fn expected_analysis(case: &Value) -> Value {
    let mut totals = serde_json::json!({"complete": true, "repeated": 0, "unreadable": 0, "faults": [], "counts": {}});
    for situation in engine::model::Situation::of_accounts() {
        totals["counts"][situation.name()] = Value::from(0);
    }
    for (key, value) in case["totals"].as_object().unwrap() {
        match value.as_object() {
            Some(counts) => counts.iter().for_each(|(name, count)| totals["counts"][name] = count.clone()),
            None => totals[key] = value.clone(),
        }
    }
    serde_json::json!({"findings": case["findings"], "totals": totals})
}

#[test]
fn analyses_come_out_as_the_cases_say_byte_for_byte() {
    let installed = Installed::new();
    let program = installed.compile("gcc", "-std=c11", "analyze.c");
    for (name, least) in [("analyze", 14), ("situations", 124)] {
        let file = here(&format!("../tests/data/reconciliation/{name}.json"));
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert!(cases.len() >= least, "{name} has only {} cases", cases.len());
        let scratch = tempfile::tempdir().unwrap();
        let printed = installed.run(&program, &[scratch.path().join("users.ndjson"), file]);
        assert_eq!(printed.lines().count(), cases.len());
        for (case, line) in cases.iter().zip(printed.lines()) {
            match case.get("faults") {
                Some(_) => assert_eq!(line, expected_line(case, line), "{case}"),
                None => assert_eq!(line, canonical(&expected_analysis(case)), "{case}"),
            }
        }
    }
}

/// The golden file, with the answers that the Rust runner gave, has the scenario's name.
#[test]
fn scenarios_come_out_as_in_rust_byte_for_byte() {
    let installed = Installed::new();
    let program = installed.compile("gcc", "-std=c11", "scenario.c");
    for file in files_of("scenarios") {
        let name = file.file_name().unwrap();
        let golden = fs::read_to_string(file.with_file_name("golden").join(name)).unwrap();
        let line = installed.run(&program, std::slice::from_ref(&file));
        assert!(line.trim_end() == golden.trim_end(), "{} came out differently:\n{line}", file.display());
    }
}

#[test]
fn one_changed_attribute_of_a_user_is_noticed() {
    let installed = Installed::new();
    let program = installed.compile("gcc", "-std=c11", "scenario.c");
    let original = here("../tests/data/scenarios/event_02_update_user.json");
    let golden = fs::read_to_string(original.with_file_name("golden/event_02_update_user.json")).unwrap();
    let changed = fs::read_to_string(&original).unwrap().replace("\"Anna\"", "\"Hanna\"");
    let file = installed.0.join("changed.json");
    fs::write(&file, changed).unwrap();
    assert!(installed.run(&program, &[original]) == golden);
    assert!(installed.run(&program, &[file]) != golden);
}

#[test]
fn a_scenario_is_played_and_told_in_one_line() {
    let installed = Installed::new();
    let program = installed.compile("gcc", "-std=c11", "scenario.c");
    let file = installed.0.join("tiny.json");
    fs::write(&file, include_str!("c/tiny.json")).unwrap();
    let line = installed.run(&program, &[file]);
    for part in ["{\"accounts\":[{", "\"answers\":[{", "\"calls\":{\"crm\":[{", "\"log\":[{", "\"requests\":[{", "]}\n"]
    {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert_eq!(line.matches('\n').count(), 1);
}
