"""Measures rollkeeper beside its peers and beside the raw limits, and writes .build/bench.json.

    bench.py [--only P7,P11] [--rounds 5]

Every row runs its parties alternately, round by round, on the same machine in the same minute; what counts is the
median of the paired ratios (ours ÷ theirs). Absolute figures of a shared machine mean little. A peer that is missing
is reported as missing; a measurement of our own that fails makes the exit code 1.
Before it: tests/bench/install.sh, `cargo build --release -p rollkeeper-tests`, and the wheel in the interpreter that
ROLLKEEPER_PYTHON names (this one by default).
"""

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
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


@dataclass
class Row:
    """One line of the table: who is measured, and how."""

    id: str
    name: str
    unit: str
    better: str
    ours: callable
    peers: dict = field(default_factory=dict)
    limit: callable = None
    gate: str = ""
    notes: str = ""
    # Peers more than five times slower: run once, on a tenth of the size.
    slow: dict = field(default_factory=dict)
    # Fewer rounds than usual, where one takes long.
    rounds: int | None = None


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
    return Measured(line["rate"], line["peak_mib"], f"counts {line['counts']['counts']}")


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


ROWS = [
    Row("P11", "import rollkeeper", "ms", "lower", weight("import"), gate="≤ 25 ms"),
    Row("P11open", "open a file", "ms", "lower", weight("open"), gate="≤ 10 ms"),
    Row("P11size", "native library", "MB", "lower", weight("size"), gate="≤ 6 MB"),
    Row(
        "P1",
        "mapped users, ten rules, one core",
        "users/s",
        "higher",
        bench("map", n=200_000),
        peers={"orjson + Python": peer("orjson"), **{name: crate(name) for name in ("minijinja", "rhai", "cel")}},
        slow={
            "Jinja2": peer("jinja2", 20_000),
            "common-expression-language": peer("rust-cel", 20_000),
            "cel-python": peer("python-cel", 2_000),
        },
        limit=bench("map-by-hand", n=200_000),
        gate="≥ 2 × orjson + Python, ≥ 50 × Jinja2, ≥ 2 × best expression crate, ≥ 0.5 × limit",
        notes="users of 1.2 kB; limit: a Rust function written for these ten rules",
    ),
    Row(
        "P1lines",
        "the same, 1,000 users a call",
        "users/s",
        "higher",
        bench("map-lines", n=200_000),
        limit=bench("map-by-hand", n=200_000),
    ),
    Row(
        "P1rendered",
        "the same by `render`, record by record",
        "users/s",
        "higher",
        bench("map-rendered", n=50_000),
        limit=bench("map-by-hand", n=200_000),
    ),
    Row(
        "P2",
        "mapped users through the wheel",
        "users/s",
        "higher",
        wheel("bytes"),
        limit=in_c("render"),
        gate="≥ 0.77 × limit (time ≤ 1.3 ×)",
        notes="bytes in, bytes out, one user a call; limit: the C interface from C",
    ),
    Row(
        "P2lines",
        "the same, 1,000 users a call",
        "users/s",
        "higher",
        wheel("lines"),
        limit=in_c("render"),
        gate="≥ 0.77 × limit (time ≤ 1.3 ×)",
        notes="the interpreter lock is released; limit: the C interface from C, one user a call",
    ),
    Row(
        "P2c",
        "mapped users through the C interface",
        "users/s",
        "higher",
        in_c("render"),
        limit=bench("map", n=200_000),
        notes="limit: the same from Rust",
    ),
    Row("P2noop", "a call from C that does nothing", "ns", "lower", in_c("noop", 50_000_000), gate="≤ 5 ns"),
    Row(
        "P3",
        "reconciled from SCIM pages",
        "s",
        "lower",
        analysis("pages"),
        peers={
            "DuckDB": reconciling("duckdb-pages", "pages,csv"),
            "msgspec + Python": reconciling("msgspec-pages", "pages,csv"),
        },
        slow={
            "orjson + Python": reconciling_slowly("orjson-pages", "pages,csv"),
            "polars": reconciling_slowly("polars-pages", "pages,csv"),
        },
        limit=lambda: pages_by_hand(),
        gate="≤ 0.20 of the best peer, ≤ 3 × limit, ≤ 64 MiB",
        notes="limit: the pages alone, read from memory into a structure written for these fields",
    ),
    Row(
        "P3b",
        "the same from flat rows",
        "s",
        "lower",
        analysis("flat"),
        peers={tool: reconciling(f"{tool.lower()}-csv", "csv") for tool in ("polars", "DuckDB", "pandas")},
        slow={
            "Python": reconciling_slowly("python-csv", "csv"),
            "SQLite": reconciling_slowly("sqlite-csv", "csv"),
        },
        gate="≤ 0.40 of polars",
        notes="ours reads lines of JSON, the peers CSV, which is half as long",
    ),
    Row(
        "P4",
        "ten times as many people, time",
        "×",
        "lower",
        growth,
        gate="≤ 12 ×, ≤ 160 MiB",
        rounds=1,
    ),
    Row(
        "P4b",
        "second reconciliation, storing",
        "% of it",
        "lower",
        changed_target(stored_share),
        gate="≤ 10 %",
        notes="by the engine; storing: the time in which bare SQLite writes the same bytes",
    ),
    Row(
        "P5",
        "collected, analysed, planned",
        "users/s",
        "higher",
        changed_target(second),
        limit=changed_target(bare_loop),
        gate="≥ 0.6 × limit",
        notes="limit: a bare client that reads the same pages into a structure written for these fields",
    ),
    Row(
        "P5parse",
        "users read from SCIM pages",
        "users/s",
        "higher",
        reading(RELEASE / "bench", "read-pages", "--folder"),
        peers={"msgspec": reading(PEERS, HERE / "peer_pages.py", "msgspec")},
        slow={"scim2-models": lambda: reading(PEERS, HERE / "peer_pages.py", "scim2-models", n=max(PEOPLE // 100, 2000))()},
        limit=reading(RELEASE / "bench", "read-pages-by-hand", "--folder"),
        gate="≥ 2 × msgspec, ≥ 100 × scim2-models",
        notes="from memory; limit: serde into a structure written for these fields",
    ),
    Row(
        "P6enqueue",
        "enqueued requests, 1,000 a call",
        "requests/s",
        "higher",
        bench("enqueue", n=50_000, batch=1000),
        limit=bench("append", n=50_000, batch=1000),
        notes="limit: rows appended to a bare SQLite file, 1,000 a commit",
    ),
    Row(
        "P6",
        "enqueued requests, one a call",
        "requests/s",
        "higher",
        bench("enqueue", n=2_000, batch=1),
        limit=bench("append", n=2_000, batch=1),
        gate="≥ 0.75 × limit",
        notes="limit: rows appended to a bare SQLite file, one a commit",
    ),
    Row(
        "P6producers",
        "the same by 64 producers",
        "requests/s",
        "higher",
        bench("enqueue", n=5_000, batch=1, threads=64),
        limit=bench("append", n=1_000, batch=1),
        gate="≥ 8 × limit",
        notes="limit: rows appended to a bare SQLite file, one a commit",
    ),
    Row(
        "P6put",
        "enqueued requests, one a call, beside queues",
        "requests/s",
        "higher",
        bench("enqueue", n=1_000, batch=1),
        peers=queueing("put"),
    ),
    Row(
        "P6claim",
        "claimed and completed requests",
        "requests/s",
        "higher",
        bench("claim", n=20_000, threads=4),
        peers=queueing("take"),
        gate="≥ 20 × best packaged queue",
        notes="a whole step each: claimed, mapped, called at a target in memory, linked, logged",
    ),
    *(
        Row(
            f"P6{name}",
            f"steps of one request, {waiting:,} waiting",
            "steps/s",
            "higher",
            bench("step", n=waiting, steps=300),
            limit=bench("append", n=300, batch=1),
            notes="limit: rows appended to a bare SQLite file, one a commit",
            rounds=3,
        )
        for name, waiting in (("few", 1_000), ("many", 100_000))
    ),
    *(
        Row(
            name,
            f"delivered creates, durable, {workers} at a time",
            "requests/s",
            "higher",
            delivered(workers),
            peers=delivery_peers(),
            slow=slow_delivery_peers(),
            limit=against_stub(lambda url, workers=workers: bench("http", n=5_000, threads=workers, url=url)),
            gate="≥ 20 × requests + sqlite3, ≥ 4 × aiohttp in batches, ≥ 20 × scim2-client" if name == "P7" else "",
            notes="limit: ureq alone, nothing stored; scim2-client: one call at a time, nothing stored",
        )
        for name, workers in (("P7", 8), ("P7four", 4), ("P7one", 1))
    ),
    Row(
        "P8",
        "reads by the HTTP client alone, 8 at a time",
        "requests/s",
        "higher",
        against_stub(lambda url: bench("client", n=20_000, threads=8, url=url)),
        peers={
            "aiohttp": asking("aiohttp"),
            "requests": asking("requests"),
            "ureq as it comes": against_stub(lambda url: bench("client-ureq", n=20_000, threads=8, url=url)),
        },
        limit=against_stub(wrk),
        gate="≥ 5 × aiohttp",
        notes="limit: wrk, two threads and eight connections",
    ),
    Row(
        "P9",
        "creates at Slack's limits",
        "% of them",
        "higher",
        at_limits("share"),
        peers={"script": at_limits("share", "limited-script")},
        gate="≥ 97 %",
        notes="2,000 creates, 180 a minute and 20 together, on a clock of its own; script: waits 1, 2, 4 … s where it is refused",
        rounds=1,
    ),
    Row(
        "P9refused",
        "answered 429",
        "% of calls",
        "lower",
        at_limits("refused"),
        peers={"script": at_limits("refused", "limited-script")},
        gate="≤ 1 %",
        rounds=1,
    ),
    Row(
        "P9create",
        "calls for each create",
        "calls",
        "lower",
        at_limits("create"),
        peers={"script": at_limits("create", "limited-script")},
        gate="≤ 1.02",
        rounds=1,
    ),
    Row("P9update", "calls for each update", "calls", "lower", at_limits("update"), gate="≤ 1.02", rounds=1),
    Row("P9same", "calls for each who did not change", "calls", "lower", at_limits("same"), gate="0", rounds=1),
    Row(
        "P9listing",
        "calls for a listing, ÷ (pages + 1)",
        "×",
        "lower",
        at_limits("listing"),
        gate="≤ 1",
        notes="pages of 100",
        rounds=1,
    ),
    *(
        Row(
            name,
            f"99 of 100 leavers out, {calls} call{'s' if calls > 1 else ''} at a time",
            "s",
            "lower",
            confirmed(calls),
            gate="≤ 10 s" if name == "P12" else "",
            notes="among 10,000 updates, one after the other; calls take 100 ms, on a clock of its own",
            rounds=1,
        )
        for name, calls in (("P12", 1), ("P12four", 4), ("P12eight", 8))
    ),
    Row(
        "P12together",
        "the same, all leave at once, 4 calls",
        "s",
        "lower",
        confirmed(4, together=1),
        notes="a removal is two calls, since it is read back: 100 of them take 5 s at the least",
        rounds=1,
    ),
]


def measure(row, rounds):
    """The row's finished entry and what went wrong with it."""
    rounds = min(rounds, row.rounds or rounds)
    parties = {"ours": row.ours, **row.peers, **({"limit": row.limit} if row.limit else {}), **row.slow}
    figures, missing, wrong = {party: [] for party in parties}, {}, {}
    for turn in range(rounds):
        for party, run in parties.items():
            if party not in missing and not (party in row.slow and turn > 0):
                try:
                    figures[party].append(run())
                except Missing as reason:
                    missing[party] = str(reason)
                except Wrong as result:
                    # Parties that do not do the same work cannot be compared.
                    missing[party] = wrong[party] = f"it came to another result: {result}"
    if wrong:
        missing["ours"] = wrong.get("ours", "a peer came to another result")
    values = {party: [one.value for one in figures[party]] for party in parties if party not in missing}
    medians = {party: statistics.median(value) for party, value in values.items()}
    ratios = {}
    if "ours" in values:
        for party in values.keys() - {"ours"}:
            pairs = zip(values["ours"], values[party], strict=party not in row.slow)
            ratios[party] = statistics.median(ours / theirs for ours, theirs in pairs)
    peaks = [one.peak_mib for one in figures["ours"] if one.peak_mib is not None]
    notes = [row.notes] if row.notes else []
    notes += [f"gate {row.gate}"] if row.gate else []
    notes += [f"{party}: once, on a tenth of the size or less" for party in row.slow]
    notes += [f"{party} is missing: {reason}" for party, reason in missing.items()]
    notes += [figures["ours"][-1].note] if figures["ours"] and figures["ours"][-1].note else []
    held = {party: [one.peak_mib for one in figures[party] if one.peak_mib is not None] for party in parties}
    notes += [f"{party} held {max(mib):,.0f} MiB" for party, mib in held.items() if mib and party not in ("ours", "limit")]
    return {
        "id": row.id,
        "name": row.name,
        "unit": row.unit,
        "better": row.better,
        "ours": medians.get("ours"),
        "peers": {party: medians.get(party) for party in (*row.peers, *row.slow)},
        "limit": medians.get("limit"),
        "ratios": ratios,
        "peak_mib": max(peaks, default=None),
        "notes": "; ".join(notes),
    }


def shown(value):
    """A figure for the table."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def print_row(entry):
    """One entry as lines of the table."""
    print(f"{entry['id']:<11}{entry['name']:<36}{shown(entry['ours']):>12} {entry['unit']}")
    others = entry["peers"] | ({"limit": entry["limit"]} if entry["limit"] is not None else {})
    for party, value in others.items():
        ratio = entry["ratios"].get(party)
        beside = f"   ours ÷ it = {ratio:.2f}" if ratio is not None else ""
        print(f"{'':<11}  {party:<34}{shown(value):>12}{beside}")
    if entry["notes"]:
        print(f"{'':<11}  {entry['notes']}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="ids or beginnings of ids, with commas between")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    wanted = tuple(part for part in arguments.only.split(",") if part)
    rows = [row for row in ROWS if not wanted or belongs(row.id, wanted)]
    if not rows:
        parser.error(f"no row is called {arguments.only}")
    entries = []
    for row in rows:
        entries.append(measure(row, arguments.rounds))
        print_row(entries[-1])
    result = ROOT / ".build" / "bench.json"
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 1 if any(entry["ours"] is None for entry in entries) else 0


def belongs(identifier, wanted):
    """Whether a row is one of the wanted: P1 means P1 and P1map, and not P11."""
    return any(identifier == one or identifier.startswith(one) and identifier[len(one)].isalpha() for one in wanted)


if __name__ == "__main__":
    sys.exit(main())
