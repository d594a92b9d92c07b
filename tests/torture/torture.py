"""Kills hosts with SIGKILL again and again in the middle of their work, then looks at what became of it.

    torture.py [--kills 300] [--hosts python,c,go] [--seed N]

The kills are shared out among the hosts (`life.py`). Each round starts a host on the same file, gives it new users and
one leaver, and kills it: at a random moment from its start on, or around a send and its settle. The target is another
process, survives, refuses no duplicate, and does late what it was asked by those who are dead (`target.py`). Last, a host
runs to completion undisturbed, and `judge.py` compares. It fails where the file does not open, something acknowledged was
lost, a user has two accounts, a leaver is active, a request did not end well, the log's chain is broken, or fewer than
one kill in ten fell between a send and its settle.

Then the control: the engine sends again without looking first, and it fails where that made no duplicate, since this test
would show nothing then.
"""

import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from judge import findings, landed_late, unsettled
from life import HERE, HOSTS, Host, TortureFailed, ask, ask_all
from target import LIFE, VISIBLE

KINDS = ["random", "before_send", "random", "on_its_way", "random", "after_send", "random", "before_settle"]
BATCH = 5
FINISH = 120
KILLS_PER_FILE = 500
KILLS_OF_CONTROL = 20
APP = {
    "id": "target",
    "connector": {"kind": "custom", "name": "target"},
    "assigned_to": {"profiles": ["Everyone"]},
    "mapping": [{"target": "userName", "source": "username", "required": True}],
    "matching": [{"all": [{"user": "username", "account": "userName"}]}],
    "retry": {"attempts": 100, "first": "PT0.02S", "cap": "PT0.1S"},
    "settle": {"life": f"PT{LIFE}S", "visible": f"PT{VISIBLE}S"},
}


@dataclass
class Figures:
    """What was seen, of one file or of many."""

    kinds: Counter = field(default_factory=Counter)
    between: int = 0
    late: int = 0
    users: int = 0
    entries: int = 0
    seconds: float = 0.0
    duplicates: list = field(default_factory=list)
    lost: list = field(default_factory=list)
    broken: list = field(default_factory=list)
    other: list = field(default_factory=list)

    def __add__(self, more):
        return Figures(*(getattr(self, name) + getattr(more, name) for name in self.__dataclass_fields__))

    @property
    def kills(self):
        return self.kinds.total()

    def lines(self):
        """The figures in words."""
        kinds = " · ".join(f"{number} {kind}" for kind, number in sorted(self.kinds.items()))
        yield f"{self.kills} kills in {self.seconds:.0f} s: {kinds}"
        yield f"{self.between} kills between a send and its settle, {self.late} writes done for the dead"
        yield f"{self.users} users acknowledged, {self.entries} entries of the log verified"
        yield (
            f"{len(self.duplicates)} users with two accounts, {len(self.lost)} lost, {len(self.broken)} broken chains, "
            f"{len(self.other)} other findings"
        )


class Torture:
    """The rounds on one file and what is known from outside: what was acknowledged, and when who died."""

    def __init__(self, command, state, port, look_up, chance):
        self._command, self._state, self._port, self._look_up, self._chance = command, state, port, look_up, chance
        self._numbers = itertools.count(1)
        self._lives = itertools.count(1)
        self._opened = []
        self._deaths = {}
        self._usual = 0.2
        self.acknowledged = {}
        self.kinds = Counter()

    def round(self, kind):
        """One life of the host, ended as `kind` says."""
        users = [record(next(self._numbers)) for _ in range(BATCH)] + self._leaver()
        die = None if kind == "random" else {"at": kind, "call": self._chance.randint(1, BATCH)}
        started = time.monotonic()
        life, host = self._begin(users=users, die=die, finish=0)
        if die is None:
            # From the start of the process on, so that some die while the file is opened.
            host.listen(until="idle", seconds=self._chance.uniform(0.0, 1.2 * self._usual))
        else:
            host.listen(until="idle")
        if "idle" in host.said:
            self._usual = 0.5 * self._usual + 0.5 * (time.monotonic() - started)
        code = host.kill()
        self._deaths[life] = time.time()
        if code != -9:
            raise TortureFailed(f"the host was not killed but ended with {code}")
        if "idle" not in host.said:
            self.kinds[kind] += 1
        self._note(life, host, users)

    def finish(self):
        """An undisturbed life, to the end of all work; then the figures."""
        # Without a look-up some work never ends; it is not waited for.
        life, host = self._begin(users=[], die=None, finish=FINISH if self._look_up else 5)
        host.listen()
        code = host.wait()
        if code != 0 or not host.said.keys() >= {"finished", "log"}:
            raise TortureFailed(f"the last run ended with {code} and said {sorted(host.said)}")
        self._note(life, host, [])
        log = host.said["log"]
        received = ask(self._port, {"do": "received"})["received"]
        duplicates, lost, other = findings(self.acknowledged, host.said["finished"], ask_all(self._port))
        return Figures(
            kinds=self.kinds,
            between=len(unsettled(received, self._opened)),
            late=landed_late(received, self._deaths),
            users=len(self.acknowledged),
            entries=log["entries"],
            duplicates=duplicates,
            lost=lost,
            broken=[] if log["whole"] else [f"the log's chain is broken at {log['broken_at']}"],
            other=other,
        )

    def _begin(self, **told):
        life = next(self._lives)
        return life, Host(self._command, self._state, self._port, app=APP, look_up=self._look_up, life=life, **told)

    def _leaver(self):
        """Somebody who has come and now leaves."""
        staying = [user for user in self.acknowledged.values() if user["active"]]
        return [self._chance.choice(staying) | {"active": False}] if len(staying) > BATCH else []

    def _note(self, life, host, users):
        if "opened" in host.said:
            self._opened.append((life, host.said["opened"]))
        if "acknowledged" in host.said:
            if host.said["acknowledged"]["faults"]:
                raise TortureFailed("a user was not taken")
            self.acknowledged |= {user["id"]: user for user in users}
        else:
            # Whether that transaction was committed nobody can know; a leaver in it may have left or not.
            for user in users:
                if user["id"] in self.acknowledged:
                    self.acknowledged[user["id"]] = user | {"active": None}


def record(number):
    """A new user."""
    return {"id": f"u{number}", "username": f"user{number}", "profile": "Everyone", "active": True}


def one_file(command, kills, look_up, chance):
    """So many kills on one file, and what became of it."""
    started = time.monotonic()
    program = [sys.executable, str(HERE / "target.py"), "--slow"]
    # It ends when its standard input is closed, which leaving the block does, and which is waited for.
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as target:
        port = int(target.stdout.readline())
        with tempfile.TemporaryDirectory(prefix="rollkeeper-torture-") as folder:
            torture = Torture(command, Path(folder) / "state.db", port, look_up, chance)
            kinds = itertools.cycle(KINDS)
            while torture.kinds.total() < kills:
                torture.round(next(kinds))
            figures = torture.finish()
    figures.seconds = time.monotonic() - started
    return figures


def many_files(language, kills, chance):
    """The figures of so many kills of a language's host, on as many files as that needs."""
    figures = Figures()
    while figures.kills < kills:
        figures += one_file(HOSTS[language], min(KILLS_PER_FILE, kills - figures.kills), True, chance)
        print(f"{language}: {figures.kills} of {kills} kills in {figures.seconds:.0f} s", flush=True)
    return figures


def verdict(figures):
    """In words what is wrong with the figures, or nothing."""
    if figures.duplicates or figures.lost or figures.broken or figures.other:
        return "a promise was broken"
    if figures.between < figures.kills // 10:
        return "too few kills fell between a send and its settle"
    return None


def report(name, figures):
    for line in figures.lines():
        print(f"{name}: {line}")
    for line in (figures.duplicates + figures.lost + figures.broken + figures.other)[:20]:
        print(f"  {line}")
    sys.stdout.flush()


def available(languages):
    """The languages whose hosts are there; each that is not is told in a line."""
    for language in languages:
        if Path(HOSTS[language][0]).exists():
            yield language
        else:
            print(f"{language}: not run, there is no {Path(HOSTS[language][0]).name} (see tests/torture/build.sh)")


def trial(language, kills, chance):
    """The figures of a language's host, and in words what is wrong with them or with the control."""
    figures = many_files(language, kills, chance)
    report(language, figures)
    control = one_file(HOSTS[language], KILLS_OF_CONTROL, False, chance)
    seen = f"{len(control.duplicates)} users with two accounts after {control.kills} kills"
    print(f"{language}, without a look-up: {seen}", flush=True)
    faults = [verdict(figures)] if verdict(figures) else []
    if not control.duplicates:
        faults.append("without a look-up there should be duplicates, or this test shows nothing")
    return figures, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--hosts", type=lambda text: text.split(","), default=list(HOSTS))
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; chosen and printed by default")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    languages = list(available(arguments.hosts))
    total, wrong = Figures(), [] if languages else ["there is no host"]
    for place, language in enumerate(languages):
        try:
            figures, faults = trial(language, (arguments.kills + place) // len(languages), chance)
        except TortureFailed as failure:
            figures, faults = Figures(), [str(failure)]
        total += figures
        wrong += [f"{language}: {fault}" for fault in faults]
    if len(languages) > 1:
        report("all", total)
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
