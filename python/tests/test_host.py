"""What the interpreter and the engine do to each other: threads, signals, the end of the program, garbage."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

import rollkeeper
from rollkeeper.testing import check_connector

from .connectors import Directory

APP: dict[str, Any] = {
    "id": "tickets",
    "connector": {"kind": "custom", "name": "tickets"},
    "assigned_to": {"profiles": ["Employees"]},
    "create_without_match": True,
    "mapping": [{"target": "userName", "source": "username"}],
}


def user(number: int) -> dict[str, Any]:
    """A user who should have an account."""
    return {"id": f"u{number}", "username": f"name{number}", "profile": "Employees"}


def ready(engine: rollkeeper.Engine, connector: Any, users: int = 1) -> None:
    """Gives the engine a connector, an app and users."""
    engine.register_connector("tickets", connector)
    engine.put_app(APP)
    engine.put_users(user(number) for number in range(users))


def program(text: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", "import os, signal, threading\n" + textwrap.dedent(text)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_ends_well_while_a_daemon_thread_runs_the_engine() -> None:
    # What is registered first is called last: by then, no worker may be within Python any more.
    ended = program(
        """
        import atexit
        atexit.register(lambda: print("inside", len(inside)))
        import rollkeeper
        from tests.connectors import Directory
        from tests.test_host import ready

        begun, inside = threading.Event(), set()
        class Slow(Directory):
            def create(self, attributes, idempotency_key):
                inside.add(idempotency_key)
                begun.set()
                threading.Event().wait(0.02)
                account = super().create(attributes, idempotency_key)
                inside.remove(idempotency_key)
                return account
        engine = rollkeeper.Engine.open()
        ready(engine, Slow(), users=2000)
        threading.Thread(target=engine.run, kwargs={"workers": 4}, daemon=True).start()
        begun.wait()
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "inside 0\n"), ended.stderr
    assert "Fatal" not in ended.stderr


def test_the_program_ends_well_while_a_daemon_thread_is_in_a_long_call() -> None:
    ended = program(
        """
        import rollkeeper
        from tests.connectors import Directory
        from tests.test_host import ready

        begun = threading.Event()
        class Slow(Directory):
            def find(self, attribute, value):
                begun.set()
                threading.Event().wait(0.02)
                return super().find(attribute, value)
        threading.Thread(target=rollkeeper.testing.check_connector, args=(Slow(),), daemon=True).start()
        begun.wait()
        print("the end")
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "the end\n"), ended.stderr


def test_ctrl_c_is_noticed_while_a_target_keeps_us_waiting() -> None:
    # The target answers once the handler has run, and the handler runs only where the waiting thread looks for signals:
    # without that, the program would never end.
    ended = program(
        """
        import rollkeeper
        from tests.connectors import Directory
        from tests.test_host import ready

        handled = threading.Event()
        def handler(number, frame):
            handled.set()
            raise KeyboardInterrupt
        signal.signal(signal.SIGINT, handler)
        class Waiting(Directory):
            def create(self, attributes, idempotency_key):
                if not self.accounts:
                    os.kill(os.getpid(), signal.SIGINT)
                    handled.wait()
                return super().create(attributes, idempotency_key)
        target = Waiting()
        engine = rollkeeper.Engine.open()
        ready(engine, target, users=2000)
        try:
            engine.run()
        except KeyboardInterrupt:
            print("interrupted", len(target.accounts) < 2000)
        settled = [request for request in engine.requests() if request.state == "Completed"]
        print(len(settled) == len(target.accounts))
        engine.close()
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "interrupted True\nTrue\n"), ended.stderr


def test_a_run_can_be_cancelled_from_within_a_connector_and_begun_again(engine: rollkeeper.Engine) -> None:
    class Cancelling(Directory):
        def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
            if len(self.accounts) == 3:
                engine.cancel_run()
            return super().create(attributes, idempotency_key)

    target = Cancelling()
    ready(engine, target, users=20)
    assert engine.run().stopped
    assert 3 < len(target.accounts) < 20
    assert not engine.run().stopped
    assert len(target.accounts) == 20


def test_an_exception_of_progress_comes_out_and_false_stops(engine: rollkeeper.Engine) -> None:
    target = Directory()
    ready(engine, target, users=20)

    def throw(progress: rollkeeper.Progress) -> Optional[bool]:
        raise RuntimeError(f"after {type(progress).__name__}")

    with pytest.raises(RuntimeError, match="after Progress"):
        engine.run(progress=throw)
    assert len(target.accounts) < 20
    assert engine.run(progress=lambda progress: progress.completed < 5).stopped
    assert len(target.accounts) < 20
    seen: list[int] = []
    assert not engine.run(progress=lambda progress: seen.append(progress.open)).stopped
    assert seen[-1] == 0 and len(target.accounts) == 20


def test_an_exit_within_a_connector_ends_the_run(engine: rollkeeper.Engine) -> None:
    class Leaving(Directory):
        def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
            raise SystemExit(3)

    ready(engine, Leaving(), users=50)
    with pytest.raises(SystemExit) as caught:
        engine.run()
    assert caught.value.code == 3


def test_an_exit_within_a_callback_ends_the_verb() -> None:
    def leave(entry: rollkeeper.LogEntry) -> None:
        raise KeyboardInterrupt

    with rollkeeper.Engine.open(log=leave) as engine, pytest.raises(KeyboardInterrupt):
        engine.put_app({**APP, "connector": {"kind": "mock"}})


def test_a_connector_may_ask_the_engine_but_not_run_or_close_it(engine: rollkeeper.Engine) -> None:
    seen: list[Any] = []

    class Asking(Directory):
        def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
            seen.append(engine.user("u0")["username"])
            for verb in (engine.run, engine.close):
                with pytest.raises(rollkeeper.CallerError) as caught:
                    verb()
                seen.append(caught.value.code)
            return super().create(attributes, idempotency_key)

    target = Asking()
    ready(engine, target)
    engine.run()
    assert seen == ["name0", "reentrant_call", "reentrant_call"]
    assert len(target.accounts) == 1


def test_a_callback_must_not_call_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []

    def ask(*_: Any) -> None:
        with pytest.raises(rollkeeper.CallerError) as caught:
            engine.user("u0")
        codes.append(caught.value.code)

    thrown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: thrown.append(unraisable.exc_value))
    with rollkeeper.Engine.open(log=lambda entry: ask() if opened else None) as engine:
        opened: list[int] = []
        ready(engine, Directory())
        opened.append(1)
        engine.run(progress=ask)
    assert thrown == []
    assert len(codes) >= 2 and set(codes) == {"reentrant_call"}


def test_eight_threads_use_one_engine(tmp_path: Path) -> None:
    target, wrong = Directory(), []
    with rollkeeper.Engine.open(tmp_path / "state.db") as engine:
        ready(engine, target)

        def work(thread: int) -> None:
            try:
                for number in range(25):
                    engine.put_user(user(1000 * (thread + 1) + number))
                    list(engine.requests(limit=5))
                    if number % 5 == 0:
                        engine.step()
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        engine.run(workers=8)
        assert len(target.accounts) == 8 * 25 + 1
        assert {request.state for request in engine.requests()} == {"Completed"}


def test_three_threads_with_sixteen_workers_each_do_everything_once(tmp_path: Path) -> None:
    threads, workers, users = 3, 16, 300
    wrong: list[BaseException] = []
    calls: list[tuple[str, str]] = []

    class Counting(rollkeeper.Connector):
        """Its first calls wait until as many are inside as there are workers."""

        def __init__(self) -> None:
            self.came, self.all = threading.Semaphore(workers - 1), threading.Event()
            self.accounts: dict[str, dict[str, Any]] = {}

        def count(self, call: str, name: str, active: bool) -> dict[str, Any]:
            if not self.came.acquire(blocking=False):
                self.all.set()
            assert self.all.wait(60), "fewer calls at the same time than there are workers"
            calls.append((call, name))
            self.accounts[name] = {"external_id": name, "username": name, "active": active, "attributes": {"userName": name}}
            return self.accounts[name]

        def read(self, external_id: str) -> Optional[dict[str, Any]]:
            return self.accounts.get(external_id)

        def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
            return self.count("create", attributes["userName"], True)

        def deactivate(self, external_id: str) -> None:
            self.count("deactivate", external_id, False)

    with rollkeeper.Engine.open(tmp_path / "state.db") as engine:
        engine.register_connector("tickets", Counting())
        engine.put_app({**APP, "rate": {"concurrency": workers}})

        def put_and_run(share: int, active: bool) -> None:
            try:
                engine.put_users({**user(number), "active": active} for number in range(share, users, threads))
                engine.run(workers=workers)
            except BaseException as error:
                wrong.append(error)

        for active in (True, False):
            running = [threading.Thread(target=put_and_run, args=(share, active)) for share in range(threads)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
        assert wrong == []
        names = [f"name{number}" for number in range(users)]
        assert sorted(calls) == sorted((call, name) for call in ("create", "deactivate") for name in names)
        assert {request.state for request in engine.requests(limit=1000)} == {"Completed"}


def test_close_waits_for_a_run_in_another_thread() -> None:
    begun, closing = threading.Event(), threading.Event()
    done: list[rollkeeper.Progress] = []

    class Waiting(Directory):
        def create(self, attributes: dict[str, Any], idempotency_key: str) -> dict[str, Any]:
            begun.set()
            closing.wait()
            return super().create(attributes, idempotency_key)

    engine = rollkeeper.Engine.open()
    ready(engine, Waiting(), users=50)
    thread = threading.Thread(target=lambda: done.append(engine.run()))
    thread.start()
    begun.wait()
    closing.set()
    engine.close()
    assert engine.closed
    thread.join()
    assert done[0].stopped


def collected(make: Callable[[], tuple[rollkeeper.Engine, object]]) -> bool:
    """Whether an engine and what it refers to in a circle are collected."""
    engine, thing = make()
    seen = weakref.ref(thing)
    del engine, thing
    gc.collect()
    return seen() is None


class Holder(Directory):
    """A connector and callback that holds its engine."""

    engine: rollkeeper.Engine

    def tell(self, *_: Any) -> None:
        """A callback."""


def test_an_engine_and_its_connector_are_collected_as_garbage() -> None:
    def make() -> tuple[rollkeeper.Engine, object]:
        connector = Holder()
        connector.engine = rollkeeper.Engine.open()
        connector.engine.register_connector("tickets", connector)
        return connector.engine, connector

    assert collected(make)


@pytest.mark.parametrize("option", ["secrets", "log", "clock"])
def test_an_engine_and_its_callbacks_are_collected_as_garbage(option: str) -> None:
    def make() -> tuple[rollkeeper.Engine, object]:
        holder = Holder()
        now = rollkeeper.testing.VirtualClock("2026-01-01T00:00:00Z").now()
        callback = (lambda: (holder, now)[1]) if option == "clock" else holder.tell
        holder.engine = rollkeeper.Engine.open(**{option: callback})  # type: ignore[arg-type]
        return holder.engine, holder

    assert collected(make)


def test_a_registered_connector_is_kept_until_the_engine_is_closed() -> None:
    engine, connector = rollkeeper.Engine.open(), Directory()
    engine.register_connector("tickets", connector)
    seen = weakref.ref(connector)
    del connector
    gc.collect()
    assert seen() is not None
    engine.close()
    gc.collect()
    assert seen() is None


def test_many_threads_check_connectors_at_once() -> None:
    wrong: list[Any] = []

    def work() -> None:
        wrong.extend(check_connector(Directory()).failures)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
