"""The parties of the benchmarks: how ours, a peer or a raw limit is run once, and which figure comes of it."""

import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PEERS = ROOT / ".build" / "bench" / "bin" / "python"
WHEEL = os.environ.get("ROLLKEEPER_PYTHON", sys.executable)
CRATES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "bench-crates" / "release" / "bench-crates"
LIMIT = 600
# How many people are reconciled; the other sizes follow from it.
PEOPLE = int(os.environ.get("ROLLKEEPER_BENCH_PEOPLE", "1000000"))


class Missing(Exception):
    """A measurement could not be made."""


class Wrong(Exception):
    """A party came to another result than it must."""


@dataclass
class Measured:
    """One party's figure of one round."""

    value: float
    peak_mib: float | None = None
    note: str = ""


def line_of(command):
    """Runs a program that prints its measurement as the last line, a line of JSON."""
    try:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, encoding="utf-8", timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.strip().splitlines()
        raise Missing(said[-1] if said else f"exit code {done.returncode}")
    return json.loads(lines[-1])


def rate(*command):
    """A party whose figure is a rate."""

    def measure():
        line = line_of(command)
        return Measured(line["rate"], line.get("peak_mib"))

    return measure


def bench(name, **arguments):
    """A measurement of the Rust program, in a folder of its own on the disk where the repository is."""

    def measure():
        (ROOT / ".build").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".build") as folder:
            words = [word for key, value in arguments.items() for word in (f"--{key}", value)]
            return rate(RELEASE / "bench", name, "--folder", folder, *words)()

    return measure


@functools.cache
def workload():
    """The folder with the users, mapping and accounts that other programs work on."""
    folder = ROOT / ".build" / "bench-workload"
    done = subprocess.run([RELEASE / "bench", "workload", "--folder", folder], check=False)
    if done.returncode != 0:
        raise Missing("the workload could not be written")
    return folder


def on_workload(*command, n):
    """A party that is given the folder of the workload, and how many users to map."""
    return lambda: rate(*command, workload(), *n)()


def peer(name, n=200_000):
    """A mapper in Python."""
    return on_workload(PEERS, HERE / "peer_mapping.py", name, n=("--n", n))


def crate(name, n=200_000):
    """A mapper with an expression crate."""
    return on_workload(CRATES, name, n=(n,))


def wheel(way):
    """The wheel's compiled mapping."""
    return on_workload(WHEEL, HERE / "wheel_mapping.py", way, n=("--n", 200_000))


def in_c(what, n=200_000):
    """A program in C."""
    return on_workload(RELEASE / "mapping-c", what, n=(n,))


@functools.cache
def people(n, *kinds):
    """The folder with the directory and the target of so many people."""
    folder = ROOT / ".build" / "bench-workload" / f"people-{n}"
    command = [RELEASE / "bench", "files", "--folder", folder, "--n", str(n), "--kinds", ",".join(kinds)]
    if subprocess.run(command, check=False).returncode != 0:
        raise Missing("the files could not be written")
    return folder


def reconciled(command, kind, n=None, times=1):
    """A party that reconciles the files of so many people; `times` as many are what is meant. Its counts must be right."""

    def measure():
        folder = people(n or PEOPLE, *kind.split(","))
        line = line_of([*command, folder] if command[0] == PEERS else [*command, "--folder", folder])
        expected = json.loads((folder / "expected.json").read_text("utf-8"))
        if line["counts"] != expected:
            raise Wrong(f"{line['counts']} instead of {expected}")
        return Measured(line["seconds"] * times, line["peak_mib"])

    return measure


def reconciling(peer, kind):
    """A peer on the files."""
    return reconciled([PEERS, HERE / "peer_reconcile.py", peer], kind)


def reconciling_slowly(peer, kind):
    """A slow peer, on a tenth."""
    return lambda: reconciled([PEERS, HERE / "peer_reconcile.py", peer], kind, n=PEOPLE // 10, times=10)()


def analysis(form, n=None):
    """Ours on the files."""
    return reconciled([RELEASE / "bench", "analyze", "--form", form], "pages,lines" if form == "pages" else "lines", n)


def pages_by_hand():
    """The time in which the pages alone can be read."""
    folder = people(PEOPLE, "pages")
    line = line_of([RELEASE / "bench", "read-pages-by-hand", "--folder", folder])
    return Measured(line["seconds"])


def reading(*command, n=None):
    """A party that reads pages, users a second."""
    return lambda: rate(*command, people(n or PEOPLE // 4, "pages"))()


def growth():
    """How much longer ten times as many people take: the largest size once, the others as the median of three."""
    seconds, notes, peak = {}, [], None
    for power, times in ((4, 3), (5, 3), (6, 3), (7, 1)):
        n = 10**power * PEOPLE // 1_000_000
        runs = [analysis("flat", n)() for _ in range(times)]
        seconds[power] = statistics.median(run.value for run in runs)
        peak = max(run.peak_mib for run in runs)
        notes.append(f"{n:,}: {seconds[power]:.2f} s, {peak:.0f} MiB")
    return Measured(seconds[7] / seconds[6], peak, "; ".join(notes))


@functools.cache
def linked():
    """A file of the engine with as many people as are collected, each linked to the account at the target."""
    folder = people(PEOPLE // 4, "lines", "states")
    (folder / "linked.db").unlink(missing_ok=True)
    with stub("--pages", folder / "before.ndjson", "--page", "500") as url:
        command = [RELEASE / "bench", "prepare", "--folder", folder, "--to", folder / "linked.db", "--url", url]
        done = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise Missing(f"the engine's file could not be made: {done.stderr.strip()}")
    return folder


def changed_target(party):
    """Gives the party the URL of a target of which one account in fifty changed since."""

    def measure():
        folder = linked()
        with stub("--pages", folder / "after.ndjson", "--page", "500") as url:
            return party(folder, url)

    return measure


def in_place(folder, url):
    """One reconciliation by the engine, on a copy of the file, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".build") as copy:
        words = ["--folder", copy, "--from", folder / "linked.db", "--url", url]
        pointed = subprocess.run([str(word) for word in (RELEASE / "bench", "point", *words)], check=False)
        if pointed.returncode != 0:
            raise Missing("the engine's file could not be pointed at the target")
        return line_of([RELEASE / "bench", "reconcile", "--folder", copy])


def second(folder, url):
    """A second reconciliation, users a second."""
    line = in_place(folder, url)
    told = line["counts"]
    note = f"counts {told['counts']}; of processor time {told['whole']['processor']:.2f} s"
    return Measured(line["rate"], line["peak_mib"], note)


def collecting(folder, url):
    """The same until its last page is staged, users a second."""
    line = in_place(folder, url)
    told = line["counts"]
    took, pages = told["collecting"], told["storing"]["pages"]
    note = (
        f"of processor time {took['processor']:.2f} s; bare SQLite writes the {pages['bytes'] >> 20} MiB that were staged "
        f"in {pages['seconds']:.2f} s"
    )
    return Measured(line["n"] / took["seconds"], line["peak_mib"], note)


def stored_share(folder, url):
    """Which share of a second reconciliation bare SQLite would need for the rows that were stored."""
    line = in_place(folder, url)
    told = line["counts"]
    storing = told["storing"]
    written = {table: rows - told["before"][table] for table, rows in told["after"].items()}
    seconds = {what: storing[what]["seconds"] for what in ("pages", "items")}
    share = 100 * sum(seconds.values()) / line["seconds"]
    note = f"rows written {written}; of {line['seconds']:.2f} s staged pages {seconds['pages']:.2f} s, items {seconds['items']:.2f} s"
    return Measured(share, line["peak_mib"], note)


def bare_loop(_, url):
    """A bare paging loop, users a second."""
    return rate(RELEASE / "bench", "bare-loop", "--url", url)()


def against_stub(party):
    """Gives the party the URL of a fresh stub."""

    def measure():
        with stub() as url:
            return party(url)()

    return measure


def delivering(name, n):
    """A peer that delivers, its queue on the same disk as ours."""
    command = (PEERS, HERE / "peer_delivery.py", name, "--folder", ROOT / ".build", "--n", n)
    return against_stub(lambda url: rate(*command, "--url", url))


def asking(name):
    """A peer that only reads."""
    return against_stub(lambda url: rate(PEERS, HERE / "peer_client.py", name, "--url", url))


def made_and_listed(*command):
    """A party that makes 500 accounts at a stub that has 4,500, and lists the 5,000; seconds."""

    def measure():
        with stub("--generated", 4_500) as url:
            line = line_of([*command, "--url", url, "--n", 500, "--listed", 4_500, "--page", 500])
        return Measured(line["seconds"], line["peak_mib"])

    return measure


def wrk(url):
    """The load generator, where it is installed."""

    def measure():
        command = ["wrk", "-t2", "-c8", "-d2s", f"{url}/ServiceProviderConfig"]
        try:
            told = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LIMIT, check=True).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise Missing(str(error)) from error
        return Measured(float(told.split("Requests/sec:")[1].split()[0]))

    return measure


def delivered(workers):
    """Ours, with so many workers."""
    return against_stub(lambda url: bench("deliver", n=5_000, threads=workers, url=url))


def delivery_peers():
    """Who delivers beside ours."""
    return {
        "aiohttp + sqlite3, batches of 128": delivering("expert", 5_000),
        "scim2-client": against_stub(lambda url: rate(PEERS, HERE / "peer_scim2_client.py", "--url", url, "--n", 500)),
    }


def slow_delivery_peers():
    """Who commits each step."""
    return {"requests + sqlite3": delivering("requests", 500), "aiohttp + sqlite3": delivering("aiohttp", 500)}


def queueing(what):
    """The packaged queues, on the same disk as ours."""
    command = (PEERS, HERE / "peer_queue.py")
    return {
        name: rate(*command, name, what, "--folder", ROOT / ".build", "--n", 500) for name in ("persist-queue", "huey")
    }


def confirmed(calls, together=0):
    """The time until 99 of 100 leavers are out, on the engine's clock."""

    def measure():
        line = line_of([RELEASE / "bench", "leavers", "--n", 10_000, "--threads", calls, "--together", together])
        return Measured(line["seconds"], line["peak_mib"], f"the last after {line['counts']['last']:.2f} s")

    return measure


@functools.cache
def limited(party):
    """What 2,000 creates and what follows cost at a target with Slack's limits. Its clock is its own, so that once is enough."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".build") as folder:
        return line_of([RELEASE / "bench", party, "--n", 2_000, "--folder", folder])["counts"]


def at_limits(figure, party="limited"):
    """One figure of that."""
    return lambda: Measured(limited(party)[figure])


@contextlib.contextmanager
def stub(*arguments):
    """A fast SCIM server of our own, in a process of its own."""
    try:
        command = [RELEASE / "stub", *arguments]
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        raise Missing(str(error)) from error
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def weight(what):
    """A figure of the wheel."""
    return lambda: Measured(line_of([WHEEL, HERE / "weight.py", what])["value"])
