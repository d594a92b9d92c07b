"""The command line as a process of its own: signals, closed pipes, terminals, a package without the extra."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import rollkeeper

SCRIPT = Path(sys.executable).with_name("rollkeeper")
TOKEN = "planted-token-7f3a9c"
USERS = 100


def environment(**more: str) -> dict[str, str]:
    """The environment of a command, without what would change its output."""
    dropped = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "ROLLKEEPER_DB": "state.db", "PYTHONWARNINGS": "error", **more}


def call(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a folder."""
    command = [str(SCRIPT), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, encoding="utf-8", check=False
    )


class Patient(BaseHTTPRequestHandler):
    """A SCIM target that answers no one before it is allowed to, and takes its time until whoever asks has left."""

    protocol_version = "HTTP/1.1"
    asked, allowed, left = threading.Event(), threading.Event(), threading.Event()
    tokens: set[str] = set()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.tokens.add(self.headers["authorization"])
        self.asked.set()
        self.allowed.wait()
        self.left.wait(0.2)
        self.answer(201, {"id": os.urandom(8).hex(), "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]})

    def answer(self, status: int, document: dict[str, Any]) -> None:
        """Answers with a document."""
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/scim+json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing on the console."""


@pytest.fixture
def patient() -> Iterator[str]:
    """The address of the patient target."""
    for event in (Patient.asked, Patient.allowed, Patient.left):
        event.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Patient) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/scim/v2"
        Patient.allowed.set()
        Patient.left.set()
        server.shutdown()
        thread.join()


def fill(folder: Path, connector: dict[str, Any], number: int) -> None:
    """A database with an app and users who wait for it."""
    app = {
        "id": "crm",
        "connector": connector,
        "assigned_to": {"profiles": ["Nurses"]},
        "create_without_match": True,
        "mapping": [{"target": "userName", "source": "username"}],
    }
    users = ({"id": f"u{n}", "username": f"n{n}", "profile": "Nurses"} for n in range(number))
    with rollkeeper.Engine.open(folder / "state.db", secrets={"crm-token": TOKEN}) as engine:
        engine.put_app(app)
        engine.put_users(users)


def test_ctrl_c_settles_what_is_on_its_way_and_the_next_run_does_the_rest(patient: str, tmp_path: Path) -> None:
    token = {"kind": "bearer", "token": {"secret": "crm-token"}}
    fill(tmp_path, {"kind": "scim", "base_url": patient, "auth": token}, USERS)
    (tmp_path / "secrets.json").write_text(json.dumps({"crm-token": TOKEN}))
    command = [str(SCRIPT), "run", "--secrets", "secrets.json", "--workers", "1"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # Who runs the tests in the background has this signal ignored, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert Patient.asked.wait(60)
        process.send_signal(signal.SIGINT)
        Patient.allowed.set()
        out, err = process.communicate(timeout=60)
    Patient.left.set()
    assert (process.returncode, err) == (130, "") and out.startswith("interrupted: ")
    with rollkeeper.Engine.open(tmp_path / "state.db", read_only=True) as engine:
        requests = list(engine.requests())
        states = [request.state for request in requests]
        history = [attempt.outcome for request in requests for attempt in engine.request(request.id).history]
    assert 0 < states.count("Completed") < USERS and set(history) == {"applied"}
    ended = call(tmp_path, "run", "--json", "--workers", "2", ROLLKEEPER_SECRETS="secrets.json")
    progress = json.loads(ended.stdout)
    assert ended.returncode == 0 and progress["completed"] == USERS - states.count("Completed")
    assert Patient.tokens == {f"Bearer {TOKEN}"}
    listed = call(tmp_path, "log", "list", "--json")
    assert TOKEN not in out + err + ended.stdout + ended.stderr + listed.stdout


@pytest.mark.parametrize("arguments", [("requests", "--json"), ("log", "list", "--limit", "100000"), ("demo",)])
def test_a_reader_who_goes_away_is_no_failure(arguments: tuple[str, ...], tmp_path: Path) -> None:
    fill(tmp_path, {"kind": "mock"}, USERS)
    with subprocess.Popen(
        [str(SCRIPT), *arguments], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (141, b"")


def on_terminal(folder: Path, columns: int, *arguments: str, **more: str) -> tuple[int, str]:
    """Runs a command on a terminal of so many columns, and gives its exit code and what the terminal was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    command, variables = [str(SCRIPT), *arguments], environment(TERM="xterm", **more)
    with subprocess.Popen(command, cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end was closed
                piece = b""
            if not piece:
                break
            seen += piece
    os.close(ours)
    return process.returncode, seen.decode("utf-8")


def test_a_table_fits_the_terminal_and_nothing_is_lost(tmp_path: Path) -> None:
    fill(tmp_path, {"kind": "mock"}, 3)
    code, seen = on_terminal(tmp_path, 72, "requests", NO_COLOR="1")
    assert code == 0 and "\x1b" not in seen
    assert len(seen.splitlines()) > 4 and max(map(len, seen.splitlines())) <= 72
    ids = json.loads(f"[{','.join(call(tmp_path, 'requests', '--json').stdout.splitlines())}]")
    letters = "".join(line[:20].split(" ")[0] for line in seen.splitlines()[1:])
    assert letters == "".join(one["id"] for one in ids)
    assert "\x1b[1mrequest" in on_terminal(tmp_path, 72, "requests")[1]
    piped = call(tmp_path, "requests")
    assert "\x1b" not in piped.stdout and len(piped.stdout.splitlines()) == 4


def test_a_terminal_sees_a_bar_and_nobody_else_does(tmp_path: Path) -> None:
    fill(tmp_path, {"kind": "mock"}, USERS)
    (tmp_path / "users.csv").write_text("id,username\n" + "".join(f"v{n},m{n}\n" for n in range(3000)))
    code, seen = on_terminal(tmp_path, 80, "run")
    assert code == 0 and "━" in seen and f"{USERS} requests completed, 0 failed, 0 open" in seen
    code, seen = on_terminal(tmp_path, 100, "users", "put", "users.csv")
    assert code == 0 and "━" in seen and "3,000 users stored" in seen
    ended = call(tmp_path, "users", "put", "users.csv")
    assert (ended.returncode, ended.stderr) == (0, "") and "━" not in ended.stdout


def test_without_the_extra_it_says_how_to_get_it() -> None:
    for missing in ("click", "rich"):
        program = f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['rollkeeper', 'demo']"
        program += "; import runpy; runpy.run_module('rollkeeper', run_name='__main__')"
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr == "rollkeeper: the command line needs more packages: pip install 'rollkeeper[cli]'\n"


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    module = [sys.executable, "-m", "rollkeeper", "demo"]
    ended = subprocess.run(module, cwd=tmp_path, env=environment(), capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode == 0 and ended.stdout == call(tmp_path, "demo").stdout != ""


def test_a_console_that_lacks_letters_still_gets_them_said(tmp_path: Path) -> None:
    plain = call(tmp_path, "demo", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert plain.returncode == 0 and "Am\\xe9lie joins" in plain.stdout
    document = call(tmp_path, "demo", "--json", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert document.returncode == 0 and "Amélie" in document.stdout
