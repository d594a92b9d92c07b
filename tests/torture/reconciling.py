"""A Python host that is killed while it reconciles. One JSON line in, JSON lines out.

    reconciling.py STATE PORT < {"at": time, "die": {"at": boundary, "do": question, "call": n} or null, "task": task}

Tasks: `first` fills the file and reconciles once; `observe` reconciles again and leaves the plan; `work` goes on with the
newest reconciliation, wherever it stands, until nothing is left to do; `cancel` takes it back. Boundaries are those of
`host.py` around the n-th question of that kind to the target, or `log`: when the engine has told its n-th log entry. The
clock stands, and is moved on to whatever is due.
"""

import json
import sys
from collections import Counter

import rollkeeper
from host import Target, account_of, die_if, say
from rollkeeper.testing import VirtualClock

PAGE = 25
OPEN = ("New", "Requested")
APP = {
    "id": "target",
    "connector": {"kind": "custom", "name": "target"},
    "assigned_to": {"profiles": ["Everyone"]},
    "mapping": [
        {"target": "userName", "source": "username", "required": True},
        {"target": "title", "source": "title", "strength": "strong"},
    ],
    "matching": [{"all": [{"user": "username", "account": "userName"}]}],
    "retry": {"attempts": 100, "first": "PT0.05S", "cap": "PT0.2S"},
    "reconcile": {
        "reactions": {"found": "link", "absent": "create", "drifted": "update", "orphaned": "deactivate"},
    },
}


class Listed(Target):
    """The connector with a listing, and with boundaries around every question."""

    def __init__(self, port, die):
        super().__init__(port, None)
        self._dies = die or {}
        self.asked = Counter()

    def list(self, cursor, filter):
        start = int(cursor or 0)
        rows = self.ask({"do": "list", "from": start, "size": PAGE})
        whole = len(rows) < PAGE
        return {
            "accounts": [account_of(row) for row in rows],
            "next": None if whole else str(start + PAGE),
            "complete": whole,
        }

    def ask(self, question, boundary=None):
        do = question["do"]
        self.asked[do] += 1
        dies = (self._dies.get("do"), self._dies.get("call")) == (do, self.asked[do])
        return super().ask(question, self._dies["at"] if dies else None)


class Life:
    """One life of the process: an engine, its clock, its target."""

    def __init__(self, state, port, told):
        self.clock = VirtualClock(told["at"])
        self.die = told["die"] or {}
        self.target = Listed(port, told["die"])
        self.entries = 0
        self.engine = rollkeeper.Engine.open(state, clock=self.clock, seed=1, log=self.hear)
        self.engine.register_connector("target", self.target)

    def hear(self, _):
        self.entries += 1
        die_if(self.die.get("at") == "log" and self.entries == self.die["call"])

    def newest(self):
        """The newest reconciliation; there is always one, but in the first life."""
        *_, last = self.engine.reconciliations(app="target")
        return last

    def first(self, users):
        """Users who get no account yet, and the links of those who have one."""
        self.engine.put_app(APP | {"operations": {"create": False}})
        self.engine.put_users(users)
        found = self.engine.reconcile("target", by="ann")
        self.engine.commit(found.id, found.digest, by="ann")
        self.engine.put_app(APP)
        for request in self.engine.requests():
            if request.operation != "Reconcile" and request.state in OPEN:
                self.engine.cancel(request.id)

    def work(self, observed):
        """Goes on wherever the newest reconciliation stands."""
        found = self.newest()
        if found.id == observed or found.state not in ("Analyzed", "Committing", "Completed"):
            found = self.engine.reconcile("target", by="ann")
        if found.state in ("Analyzed", "Committing"):
            self.engine.commit(found.id, found.digest, by="ann")
        while any(request.operation != "Reconcile" for state in OPEN for request in self.engine.requests(state=state)):
            due = self.engine.run().next_due
            self.clock.set(max(self.clock.now(), due) if due else self.clock.now())

    def shown(self, observed):
        """What is in the file when everything is done."""
        made = [one for one in self.engine.reconciliations(app="target") if one.id > observed]
        items = [item for one in made for item in self.engine.plan(one.id)]
        log = [entry for one in made for entry in self.engine.log(request=one.id)]
        requests = [one for one in self.engine.requests() if one.id > observed and one.operation != "Reconcile"]
        by_items = {item.request for item in items}
        done = Counter(entry.details["item"] for entry in log if entry.kind == "reconciled")
        return {
            "reconciliations": [[one.state, one.pages, one.collected, one.verdict] for one in made],
            "items": [[item.situation, item.reaction, item.state, item.user, item.account] for item in items],
            "requests": [[one.operation, one.state, one.user, one.id in by_items] for one in requests],
            "done_twice": [number for number, count in done.items() if count > 1],
            "done": len(done),
            "linked": sorted(one.external_id for one in self.engine.accounts(link_state="Linked") if one.user),
            "whole": self.engine.verify_log().whole,
            "asked": self.target.asked,
            "entries": self.entries,
        }


def main():
    state, port = sys.argv[1], int(sys.argv[2])
    told = json.loads(sys.stdin.readline())
    life = Life(state, port, told)
    with life.engine as engine:
        say(opened=True)
        match told["task"]:
            case "first":
                life.first(told["users"])
            case "observe":
                say(observed=engine.reconcile("target", by="ann").id)
            case "work":
                life.work(told["observed"])
                say(finished=life.shown(told["observed"]))
            case "cancel":
                before = [list(map(str, (one.external_id, one.user, one.status))) for one in engine.accounts()]
                newest = life.newest()
                if newest.id != told["observed"]:
                    engine.cancel(newest.id, by="bob")
                after = [list(map(str, (one.external_id, one.user, one.status))) for one in engine.accounts()]
                say(cancelled=life.newest().state, same=before == after, **{"shown": life.shown(told["observed"])})


if __name__ == "__main__":
    main()
