"""Plays a hospital's joiners, movers and leavers, and what somebody does by hand, against real targets; tells what happened.

    .build/python/bin/python tests/demo/demo.py      (`make demo` installs and runs it)

The story is data (`story.json`), the CRM and the ward records are two scim2-server processes, the ticket system is a
file kept by `ticket_system.py`. Time in the story is a virtual clock; what it prints in ms and s was measured.
Exit: 0 where every check of the story passed, 1 otherwise. Nothing is left running.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "servers")]

import rollkeeper  # noqa: E402
import rollkeeper.testing  # noqa: E402
from belonging import Belonging  # noqa: E402
from expected import duration, moment  # noqa: E402
from foresight import Foresight  # noqa: E402
from hindsight import Hindsight  # noqa: E402
from oversight import Oversight  # noqa: E402
from scim_server import ScimServer  # noqa: E402
from ticket_connector import TicketConnector  # noqa: E402
from ticket_system import TicketSystem  # noqa: E402

STORY = HERE / "story.json"
CRM_TOKEN = "ROLLKEEPER_DEMO_CRM_TOKEN"
BY = "demo"
DONE = {
    "Create": "created",
    "Update": "updated",
    "Deactivate": "disabled",
    "Activate": "enabled",
    "Freeze": "frozen",
    "Unfreeze": "unfrozen",
    "Delete": "deleted",
}


class DemoFailed(Exception):
    """Something is not as the story says."""


class Play:
    """One performance of the story."""

    def __init__(self, story, engine, alerts, apps, clock, servers, targets):
        self._apps = {app["id"]: app for app in apps}
        self._foresight = Foresight(engine, self._apps, targets, tell, DemoFailed)
        self._story, self._engine, self._clock = story, engine, clock
        self._servers, self._targets = servers, targets
        self._people, self._names, self._told, self._scene = {}, {}, {}, 0
        self._hindsight = Hindsight(engine, self._people, self._names, targets, tell, DemoFailed)
        self._belonging = Belonging(engine, self._apps, self._names, targets, tell, DemoFailed)
        self._oversight = Oversight(engine, alerts, self._names, targets, tell, DemoFailed)
        self._leaver = None
        self._now = moment(story["start"])

    def perform(self):
        """Plays every step; raises DemoFailed at the first that does not come out as it must."""
        for number, step in enumerate(self._story["steps"], start=1):
            rooms = (self._foresight, self._hindsight, self._oversight, self._belonging)
            scenes = [getattr(room, step["do"]) for room in rooms if hasattr(room, step["do"])]
            scene = scenes[0] if scenes else getattr(self, f"_{step['do']}")
            scene(step | {"number": number})

    def _say(self, step):
        self._scene += 1
        print(f"\n{self._scene:>2}  {step['text']:<58}{self._now:%a %d %b %H:%M}")

    def _put_apps(self, _step):
        for app in self._apps.values():
            self._engine.put_app(app, by=BY)
        tell(f"{len(self._apps)} definitions are stored")

    def _put_users(self, step):
        users = [json.loads(line) for line in (HERE / step["file"]).read_text("utf-8").splitlines()]
        for user in users:
            self._remember(user)
        self._engine.put_users(users, by=BY)
        tell(f"{len(users)} people come in from {step['file']}")

    def _put_user(self, step):
        self._remember(step["user"])
        tell(f"{self._names[step['user']['id']]}: {step['note']}")
        self._leaver = (step["user"]["id"], time.perf_counter()) if step.get("measure") else None
        self._engine.put_user(step["user"], by=BY)

    def _delete_user(self, step):
        tell(f"{self._names[step['user']]}: {step['note']}")
        self._people.pop(step["user"])
        self._engine.delete_user(step["user"], by=BY)

    def _advance(self, step):
        by = duration(step["by"])
        self._clock.advance(by)
        self._now += by
        tell(f"the clock moves on to {self._now:%a %d %b %H:%M}")

    def _down(self, step):
        self._servers[step["app"]].down()
        tell(f"{step['app']} refuses connections")

    def _up(self, step):
        self._servers[step["app"]].up()
        tell(f"{step['app']} answers again")

    def _run(self, _step):
        started = time.perf_counter()
        self._engine.run(workers=4)
        ended = time.perf_counter()
        tell(f"{self._what_happened()}  ({readable(ended - started)})")
        if self._leaver is not None:
            identity, since = self._leaver
            self._leaver = None
            states = {
                request.app: request.state
                for request in self._engine.requests(user=identity)
                if request.operation == "Deactivate"
            }
            if set(states.values()) != {"Completed"}:
                raise DemoFailed(f"deactivations of {identity}: {states}")
            tell(f"from the leaver event to confirmed deactivation in {len(states)} apps: {readable(ended - since)}")

    def _what_happened(self):
        """What became of requests since the last time, app by app."""
        finished, waiting = Counter(), Counter()
        for request in self._engine.requests():
            if request.operation not in DONE:
                continue  # a reconciliation tells of itself
            if request.state == "Completed" and self._told.get(request.id) != "Completed":
                finished[request.app, DONE[request.operation]] += 1
            elif request.state in ("New", "Requested") and request.waiting_for is not None:
                waiting[request.app] += 1
            self._told[request.id] = request.state
        parts = []
        for app in self._targets:
            done = [f"{number} {word}" for (of, word), number in finished.items() if of == app]
            done += [f"{waiting[app]} waiting"] if waiting[app] else []
            parts += [f"{app} {', '.join(done)}"] if done else []
        return " · ".join(parts) or "nothing to do"

    def _expect_failed(self, step):
        failed = list(self._engine.requests(state="Failed"))
        places = {(request.app, request.user, request.faults[0].code) for request in failed}
        if places != {(step["app"], user, code) for user, code in step["failed"].items()}:
            raise DemoFailed(f"failed: {sorted(map(str, places))}, should be {step['failed']} in {step['app']} alone")
        for request in failed:
            fault = request.faults[0]
            tell(f"{self._names[request.user]}: {request.app} failed alone, {fault.code}: {fault.message}")

    def _expect_waiting(self, step):
        waiting = {request.user for request in self._engine.requests(app=step["app"], state="Requested")}
        if waiting != set(step["users"]):
            raise DemoFailed(f"waiting for {step['app']}: {sorted(waiting)}, should be {step['users']}")
        if waiting:
            tell(f"{len(waiting)} people wait for {step['app']}, their other apps are done")
        else:
            tell(f"nobody waits for {step['app']} any more")

    def _check(self, step):
        """The independent check, in a process of its own, compares the targets with the story up to here."""
        done = self._checked(step["number"], step.get("apps", ()))
        for line in done.stdout.splitlines() + done.stderr.splitlines():
            tell(line, mark="✓" if done.returncode == 0 else "✗")
        if done.returncode != 0:
            raise DemoFailed("the targets are not as they should be")

    def _expect_differences(self, step):
        """The independent check sees what was done at a target since the step before last."""
        lines = self._checked(step["number"] - 2, [step["app"]]).stdout.splitlines()
        if lines[-1:] != [f"differences: {step['count']}"]:
            raise DemoFailed(f"the check should see {step['count']} differences: {lines}")
        tell(f"the check, which knows nothing of it, sees {step['count']} differences", mark="✓")

    def _checked(self, steps, apps):
        command = [sys.executable, str(HERE / "check.py"), "--steps", str(steps)]
        command += [word for app in apps for word in ("--app", app)]
        return subprocess.run(
            command, input=json.dumps(self._targets), capture_output=True, encoding="utf-8", timeout=120, check=False
        )

    def _explain(self, step):
        explanation = self._engine.explain(step["app"], step["user"])
        print(f"\n    why: {self._names[step['user']]} {explanation.summary.split(';')[0]}")
        print(f"         wanted: {explanation.wanted}")
        for reason in explanation.because:
            print(f"        because: {reason}")
        for request in explanation.requests:
            for fault in request.faults:
                print(f"        {request.operation} {request.state}: {fault.code}: {fault.message}")

    def _remember(self, user):
        self._people[user["id"]] = user
        self._names[user["id"]] = f"{user['firstName']} {user['lastName']}"


def tell(text, mark=" "):
    """One line of the account."""
    print(f"  {mark}   {text}", flush=True)


def readable(seconds):
    """A measured time for people."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main():
    story = json.loads(STORY.read_text("utf-8"))
    apps = json.loads((HERE / story["apps"]).read_text("utf-8"))
    started = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rollkeeper-demo-")))
        servers = {app: stack.enter_context(ScimServer(relay=True)) for app in ("crm", "care")}
        system = TicketSystem(folder / "tickets.db")
        stack.callback(system.close)
        os.environ[CRM_TOKEN] = servers["crm"].token
        secrets = {"care-token": servers["care"].token}
        # The check reads past the relay: it must see a server's data also where clients are kept out.
        targets = {app: {"base_url": server.direct_url, "token": server.token} for app, server in servers.items()}
        targets["tickets"] = {"path": str(folder / "tickets.db")}

        clock = rollkeeper.testing.VirtualClock(moment(story["start"]))
        alerts = []
        engine = rollkeeper.Engine.open(folder / "state.db", clock=clock, secrets=secrets.get, alerts=alerts.append)
        stack.enter_context(engine)
        engine.register_connector("tickets", TicketConnector(system))
        for app in apps:
            if app["connector"]["kind"] == "scim":
                app["connector"]["base_url"] = servers[app["id"]].base_url

        print(f"{story['title']}: three apps, two of them real SCIM servers")
        for app in apps:
            place = app["connector"].get("base_url", "a Python connector over the product's own file")
            print(f"      {app['id']:<9}{app['label']:<16}{place}")
        try:
            Play(story, engine, alerts, apps, clock, servers, targets).perform()
        except DemoFailed as failure:
            print(f"\nFAILED: {failure}")
            return 1
    print(f"\nThe targets hold exactly what the story asks for. {readable(time.perf_counter() - started)} in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
