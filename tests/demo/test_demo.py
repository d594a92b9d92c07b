"""The demo ends with success, tells what happened, leaves nothing running, and notices an engine that is wrong."""

import os
import subprocess
import unittest
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "tests" / "demo" / "demo.py"
PYTHON = ROOT / ".build" / "python" / "bin" / "python"

LYING = """
import json, runpy, sys, types
from rollkeeper import Engine
discover, suggest_mapping, preview, impact = Engine.discover, Engine.suggest_mapping, Engine.preview, Engine.impact
accounts, plan, put_users, open_metrics = Engine.accounts, Engine.plan, Engine.put_users, Engine.open_metrics
explain = Engine.explain

class Fewer:
    def __init__(self, impact):
        self._users, self.summary = list(impact)[1:], impact.summary
    def __iter__(self):
        return iter(self._users)

def found(engine, app):
    found = discover(engine, app).to_dict()
    return types.SimpleNamespace(to_dict=lambda: found | {"attributes": found["attributes"][1:]})

def proposed(engine, app):
    proposal = suggest_mapping(engine, app)
    return types.SimpleNamespace(mapping=proposal.mapping, suggestions=proposal.suggestions[1:])

def other(engine, app, values):
    return impact(engine, json.loads(json.dumps(app).replace("'Contractor'", "'Consultant'")), values=values)

def careless(engine, users, snapshot=False, by=None):
    if not snapshot:
        return put_users(engine, users, by=by)
    for user in list(engine.users()):
        if user["id"] not in {one["id"] for one in users}:
            engine.delete_user(user["id"], by=by)
    engine.run()
    return put_users(engine, users, snapshot=True, by=by)

def forgetful(engine, user, by, reason):
    return types.SimpleNamespace(user=user, by=by, reason=reason)

def well_meaning(engine, app, user):
    told = explain(engine, app, user)
    lie = [types.SimpleNamespace(reference=one.reference, wanted=one.wanted, why=("so it is",)) for one in told.memberships]
    return types.SimpleNamespace(memberships=lie)

LIES = {
    "an attribute is left out": ("discover", found),
    "a proposal is left out": ("suggest_mapping", proposed),
    "another title is foretold": ("preview", lambda engine, app, user: preview(engine, app, user | {"title": "Guest"})),
    "nobody was adopted": ("accounts", lambda engine, **filters: []),
    "a person is left out": ("impact", lambda engine, app, values: Fewer(impact(engine, app, values=values))),
    "another value is foretold": ("impact", other),
    "a finding is left out": ("plan", lambda engine, id: list(plan(engine, id))[1:]),
    "whom a cut list lacks leaves": ("put_users", careless),
    "whom somebody holds is not held": ("hold", forgetful),
    "a place in a group is taken for wanted": ("explain", well_meaning),
    "an open removal is not counted": ("open_metrics", lambda engine: open_metrics(engine).replace("} 1", "} 0")),
}
setattr(Engine, *LIES[sys.argv[2]])
runpy.run_path(sys.argv[1], run_name="__main__")
"""
# Each with the last thing that is told before the demo ends.
NOTICED = {
    "an attribute is left out": "the server describes and not discovered: userName",
    "a proposal is left out": "a person would choose and not proposed: ('userName', 'username')",
    "another title is foretold": "title: foretold 'Guest', held 'Nurse'",
    "nobody was adopted": "told and not there: p094",
    "a person is left out": "there and not told: ",
    "another value is foretold": "'Consultant'",
    "a finding is left out": "should be {",
    "whom a cut list lacks leaves": "is        {'noted': 0",
    "whom somebody holds is not held": "should be {'p011': ['Update', 'hold']}",
    "a place in a group is taken for wanted": "should be [['night-ward', True, ['permission set `Night Ward`']]]",
    "an open removal is not counted": """should be ['rollkeeper_removals_open{app="care"} 1']""",
}
ENDED = "FAILED: (it did not come as it was told|it is not what somebody did|delivery is not as people were told|who belongs into a group is not in it, or somebody else is)"


def processes_with(mark):
    """Every process that has the mark in its environment, whatever group or session it put itself into."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder.name, (folder / "cmdline").read_bytes()))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


class Demo(unittest.TestCase):
    def test_it_succeeds_and_leaves_nothing_running(self):
        mark = f"demo-{uuid.uuid4()}"
        done = subprocess.run(
            [PYTHON, DEMO],
            env=os.environ | {"ROLLKEEPER_DEMO_MARK": mark},
            start_new_session=True,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("from the leaver event to confirmed deactivation", done.stdout)
        self.assertEqual(done.stdout.count("wanted: "), 2, "two people are explained")
        self.assertIn("they are called anna.mueller, anna.mueller2, anna.mueller3, anna.mueller4", done.stdout)
        self.assertIn("skipped: reference", done.stdout)
        self.assertIn('userName: "nsj" → "nguyet.smithjones", theirs', done.stdout)
        self.assertIn("hr asks for it to go through: four_eyes", done.stdout)
        self.assertIn("Deactivate waits for maintenance", done.stdout)
        self.assertIn("membership_unmanaged: Chloé 王: given no, wanted no, there yes; nobody asked for it", done.stdout)
        self.assertEqual(processes_with(mark), [])

    def test_an_engine_that_tells_what_is_not_so_is_noticed(self):
        for lie, line in NOTICED.items():
            with self.subTest(lie):
                done = subprocess.run(
                    [PYTHON, "-c", LYING, DEMO, lie], capture_output=True, encoding="utf-8", timeout=300, check=False
                )
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(line, done.stdout + done.stderr)
                self.assertRegex(done.stdout, ENDED)

    def test_a_process_that_is_left_is_seen(self):
        mark = f"demo-{uuid.uuid4()}"
        left = subprocess.Popen(["sleep", "60"], env=os.environ | {"MARK": mark}, start_new_session=True)
        try:
            self.assertEqual([int(process) for process, _ in processes_with(mark)], [left.pid])
        finally:
            left.kill()
            left.wait()


if __name__ == "__main__":
    unittest.main()
