"""A process that forks: the child may not use its parent's engine, and harms nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .test_host import program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")

PARENT = """
    import rollkeeper
    engine = rollkeeper.Engine.open({path!r})
    engine.put_app({{"id": "crm", "connector": {{"kind": "mock"}}, "assigned_to": {{"profiles": ["Employees"]}},
        "create_without_match": True, "mapping": [{{"target": "userName", "source": "username"}}]}})
    user = {{"id": "u1", "username": "ann", "profile": "Employees"}}

    def refused(work):
        try:
            work()
        except rollkeeper.Error as error:
            return error.code
        return "done"
"""


def test_a_child_that_was_forked_is_refused_by_every_verb_and_its_parent_goes_on(tmp_path: Path) -> None:
    ended = program(
        PARENT.format(path=str(tmp_path / "state.db"))
        + """
    child = os.fork()
    if child == 0:
        verbs = [engine.run, engine.step, engine.metrics, engine.apps, engine.verify_log]
        verbs += [lambda: engine.put_user(user), lambda: engine.delete_user("u1"), lambda: list(engine.requests())]
        codes = {refused(verb) for verb in verbs}
        codes.add(refused(lambda: rollkeeper.Engine.open(PATH)))
        engine.close()
        rollkeeper.Engine.open().close()
        print(sorted(codes), flush=True)
        raise SystemExit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    engine.put_user(user)
    print(engine.run().completed, engine.verify_log().whole)
    engine.close()
    """.replace("PATH", repr(str(tmp_path / "state.db")))
    )
    assert ended.stdout.split("\n") == ["['forked']", "7", "1 True", ""], ended.stderr


def test_a_child_that_was_forked_while_a_run_was_under_way_ends(tmp_path: Path) -> None:
    ended = program(
        PARENT.format(path=str(tmp_path / "state.db"))
        + """
    engine.mock_target("crm").script([{"on": "create", "fault": "rate_limited", "retry_after": "PT1H"}])
    engine.put_user(user)
    engine.run()
    running = threading.Thread(target=lambda: engine.run(timeout=3600))
    running.start()
    child = os.fork()
    if child == 0:
        print(refused(engine.run), flush=True)
        engine.close()
        raise SystemExit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    engine.close()
    running.join()
    """
    )
    assert ended.stdout.split("\n") == ["forked", "7", ""], ended.stderr
