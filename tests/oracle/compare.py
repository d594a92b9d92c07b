#!/usr/bin/env python3
"""The oracle and the engine find the same in random directories, item by item.

    compare.py PROGRAM [--directories N] [--first SEED]

PROGRAM is the binary `analyze` of `rollkeeper-tests`. Every difference is told with the seed that shows it again."""

import argparse
import collections
import json
import subprocess
import sys
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).resolve().parent))

from directories import directory  # noqa: E402
from oracle import SITUATIONS, reconcile  # noqa: E402

DRIFT = ("attribute", "last", "wanted", "actual", "verdict")


class Engine:
    """The engine as a process that answers line by line."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def reconcile(self, given):
        self.process.stdin.write(json.dumps(given) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def comparable(found):
    """A finding without what may be left out, and in one order where none is promised."""
    drifts = [{key: one.get(key) for key in DRIFT} for one in found.get("drift", [])]
    candidates = [{key: one.get(key) for key in ("user", "account", "confidence")} for one in found.get("candidates", [])]
    faults = [one["code"] if isinstance(one, dict) else one for one in found.get("faults", [])]
    return {
        **{key: found.get(key) for key in ("situation", "user", "account", "rule")},
        "candidates": candidates, "drift": sorted(drifts, key=lambda one: one["attribute"]), "faults": sorted(faults),
    }


def differences(expected, found):
    """What differs, in words."""
    if "faults" in found and "counts" not in found:
        return [f"the engine refused the options: {found['faults']}"]
    told = []
    for key in ("repeated", "unreadable", "complete"):
        if expected[key] != found[key]:
            told.append(f"{key}: expected {expected[key]}, found {found[key]}")
    if "fault" in found:
        return [*told, f"the engine stopped: {found['fault']}"]
    if expected["counts"] != found["counts"]:
        counts = [f"{name} {expected['counts'][name]}/{found['counts'].get(name)}" for name in SITUATIONS
                  if expected["counts"][name] != found["counts"].get(name)]
        told.append(f"counts, expected/found: {', '.join(counts)}")
    return told + item_differences(expected["findings"], found["findings"])


def item_differences(expected, found):
    told, wanted = [], {}
    for one in map(comparable, expected):
        wanted.setdefault(key_of(one), []).append(one)
    for one in map(comparable, found):
        rest = wanted.get(key_of(one), [])
        if one in rest:
            rest.remove(one)
        elif rest:
            ours = rest.pop(0)
            parts = [f"{key}: expected {ours[key]}, found {one[key]}" for key in ours if ours[key] != one[key]]
            told.append(f"{key_of(one)} {ours['situation']}: {'; '.join(parts)}")
        else:
            told.append(f"{key_of(one)}: not expected: {one}")
    return told + [f"{key}: not found: {one}" for key, rest in wanted.items() for one in rest]


def key_of(one):
    """An account's finding has the account, whoever the user is."""
    if one["situation"] in ("missing", "absent", "unseen", "out_of_scope"):
        return "user", one["user"]
    return "account", one["account"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--directories", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=20, help="how many differences are told")
    arguments = parser.parse_args()
    engine, wrong, seen = Engine(arguments.program), [], collections.Counter()
    users = findings = 0
    for seed in range(arguments.first, arguments.first + arguments.directories):
        given = directory(seed)
        expected = reconcile(given)
        users, findings = users + len(given["users"]), findings + len(expected["findings"])
        seen.update(expected["counts"])
        seen.update(one["verdict"] for found in expected["findings"] for one in found["drift"])
        wrong += [f"seed {seed}: {one}" for one in differences(expected, engine.reconcile(given))]
    ended = engine.close()
    print(f"{arguments.directories} directories, {users} users, {findings} findings, {len(wrong)} differences")
    print(", ".join(f"{name} {count}" for name, count in seen.items()))
    print("\n".join(wrong[:arguments.most]))
    unseen = [name for name in [*SITUATIONS, "in_step", "ours", "theirs", "both"] if not seen[name]]
    if unseen:
        print(f"no directory showed: {', '.join(unseen)}")
    return 1 if wrong or unseen or ended else 0


if __name__ == "__main__":
    sys.exit(main())
