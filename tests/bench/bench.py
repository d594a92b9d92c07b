"""Measures rollkeeper beside its peers and beside the raw limits, and writes .build/bench.json.

    bench.py [--only P7,P11] [--rounds 5]

Every row runs its parties alternately, round by round, on the same machine in the same minute; what counts is the
median of the paired ratios (ours ÷ theirs). Absolute figures of a shared machine mean little. A peer that is missing
is reported as missing; a measurement of our own that fails makes the exit code 1.
Before it: tests/bench/install.sh, `cargo build --release -p rollkeeper-tests`, and the wheel in the interpreter that
ROLLKEEPER_PYTHON names (this one by default).
"""

import argparse
import json
import statistics
import sys

from parties import ROOT, Missing, Wrong
from rows import ROWS


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
