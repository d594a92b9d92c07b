#!/usr/bin/env python3
"""The oracle of memberships and the engine plan the same in random stories, item by item, and do the same.

    compare_memberships.py PROGRAM [--stories N] [--first SEED] [--most-people N] [--processes N]

PROGRAM is the binary `memberships` of `rollkeeper-tests`. Every difference is told with the seed that shows it again."""

import argparse
import collections
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).resolve().parent))

from memberships import SITUATIONS, planned  # noqa: E402
from stories import story  # noqa: E402

# What an item says of itself, in the engine's words.
WORDS = {
    "hidden": "the target does not show the group's members",
    "no_such_id": "the target has no group of that id",
    "no_such_name": "the target has no group of that name",
    "not_asked": "nobody asked for it",
    "not_asked_any_more": "it was given for a grant that the user no longer has",
    "left_alone": "the account is protected or ignored",
    "kept": "the app keeps it with the account",
    "gone_and_not_asked": "it was taken away at the target, and nobody asks for it",
    "faulty": "the record has faults, so that nothing can be concluded of what is wanted",
    "incomplete": "the listing is incomplete: nothing is taken away",
    "operation_off": "the app does not allow Update",
    "not_authoritative": "the group is not `authoritative`",
    "no_account": "the target shows no account of that id",
    "no_pilot": "the user does not take part in the pilot",
    "frozen": "a frozen user gets nothing new",
    "open": "the request … of the user is open",
    "first": "it was found for the first time: another reconciliation must find it again",
    "until_released": "the brake holds it until a second person releases the plan",
}
REQUEST = re.compile(r"the request \S+ (of the user|for the account) is open")


def said(why):
    return f"the target has {why.split()[1]} groups of that name" if why.startswith("several ") else WORDS.get(why, why)


def expected_item(one):
    """An item as the engine shows it."""
    path = f"groups[value eq {json.dumps(one['group'])}]"
    shown = {
        "group": one["group"], "account": one["account"], "user": one["user"], "situation": one["situation"],
        "reaction": one["reaction"], "state": one["state"], "why": [said(why) for why in one["why"]],
        "destructive": one["reaction"] == "remove", "drift": [], "changes": [], "before": {},
    }
    if one["three"] is not None:
        given, wanted, there = one["three"]
        verdict = "in_step" if wanted == there else "ours" if given == there else "theirs"
        shown["drift"] = [{"attribute": path, "last": given, "wanted": wanted, "actual": there, "verdict": verdict}]
    if one["reaction"] == "update":
        shown["changes"] = [{"op": "add", "path": "groups", "value": [{"value": one["group"]}]}]
    if one["reaction"] == "remove":
        shown["changes"], shown["before"] = [{"op": "remove", "path": path}], {path: {"value": one["group"]}}
    return shown


def found_item(one):
    """The same of an item of the engine."""
    shown = {key: one.get(key) for key in ("group", "account", "user", "situation", "reaction", "state", "destructive")}
    why = [REQUEST.sub("the request … of the user is open", text) for text in one.get("why", [])]
    return {**shown, "why": why, **{key: one.get(key, []) for key in ("drift", "changes")}, "before": one.get("before", {})}


def key_of(item):
    return item["group"], item["account"]


def group_of(size):
    return size["group"]


def differences(expected, found):
    """What differs in one reconciliation, in words."""
    told, row = [], found["found"]
    counts = {name: row["counts"].get(name, 0) for name in SITUATIONS}
    for name, ours, theirs in (
        ("verdict", expected["verdict"], row["verdict"]), ("counts", expected["counts"], counts),
        ("groups", sorted(expected["groups"], key=group_of), sorted(row.get("groups", []), key=group_of)),
        ("brake", expected["brake"], sorted((one["name"], one["count"]) for one in row.get("brake", []))),
    ):
        if ours != theirs:
            told.append(f"{name}: expected {ours}, found {theirs}")
    wanted = {key_of(one): expected_item(one) for one in expected["items"]}
    items = [found_item(one) for one in found["items"] if "group" in one]
    if len(items) != len({key_of(one) for one in items}):
        told.append("a membership has two items")
    for one in items:
        ours = wanted.pop(key_of(one), None)
        if ours is None:
            told.append(f"{key_of(one)}: not expected: {one}")
        elif ours != one:
            parts = [f"{key}: expected {ours[key]}, found {one[key]}" for key in ours if ours[key] != one[key]]
            told.append(f"{key_of(one)} {ours['situation']}: {'; '.join(parts)}")
    told += [f"{key}: not found: {one}" for key, one in wanted.items()]
    return told + (done_differences(expected, found) if "done" in expected else [])


def done_differences(expected, found):
    """What differs in what was done: which items, in how many requests, and who is in which group then."""
    if "done" not in found:
        return ["nothing was committed"]
    told, requests = [], collections.defaultdict(set)
    done = [one for one in found["done"] if "group" in one and one["state"] == "done"]
    for one in done:
        requests[one["account"], one["reaction"]].add(one.get("request"))
    if sorted(map(key_of, done)) != expected["done"]:
        told.append(f"done: expected {expected['done']}, found {sorted(map(key_of, done))}")
    told += [f"{key} has the requests {ids}" for key, ids in requests.items() if len(ids) != 1 or None in ids]
    for group, members in expected["members"].items():
        if members != found["members"][group]:
            told.append(f"members of {group}: expected {members}, found {found['members'][group]}")
    return told


class Played:
    """What one process found of its share of the stories."""

    def __init__(self):
        self.wrong, self.seen, self.people, self.items, self.plans = [], collections.Counter(), 0, 0, 0

    def play(self, program, seeds, most):
        process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        for seed in seeds:
            given = story(seed, most)
            process.stdin.write(json.dumps(given) + "\n")
            process.stdin.flush()
            expected = planned(given)
            answer = process.stdout.readline()
            if not answer:
                self.wrong.append(f"seed {seed}: the engine's process ended")
                break
            self.compare(seed, expected, json.loads(answer))
            self.people += sum(len(step["users"]) for step in given["steps"][:3] if "users" in step)
        process.stdin.close()
        process.wait()
        return self

    def compare(self, seed, expected, found):
        for number, (ours, theirs) in enumerate(zip(expected, found)):
            self.plans += 1
            self.items += len(ours["items"])
            self.seen.update(ours["counts"])
            self.seen.update(f"{one['reaction']} {one['state']}" for one in ours["items"])
            self.seen.update(why for one in ours["items"] for why in one["why"] if why in WORDS)
            self.seen.update(name for name, _ in ours["brake"])
            self.seen["done"] += len(ours.get("done", []))
            told = differences(ours, theirs)
            self.wrong += [f"seed {seed}, plan {number}: {one}" for one in told]
            if told:
                # What follows from a difference says nothing new.
                return


# Without these a run has not tried what it is for.
MUST_BE_SEEN = [*SITUATIONS, *WORDS, "group_emptied", "group_removals", "suspect", "first_observation", "done"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--stories", type=int, default=250)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most-people", type=int, default=500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=20, help="how many differences are told")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.stories)
    with ThreadPoolExecutor(arguments.processes) as pool:
        shares = [seeds[number::arguments.processes] for number in range(arguments.processes)]
        played = list(pool.map(lambda share: Played().play(arguments.program, share, arguments.most_people), shares))
    wrong, seen = [one for part in played for one in part.wrong], sum((part.seen for part in played), collections.Counter())
    people, items, plans = (sum(getattr(part, name) for part in played) for name in ("people", "items", "plans"))
    print(f"{arguments.stories} stories, {people} users, {plans} plans, {items} items, {len(wrong)} differences")
    print(", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    print("\n".join(wrong[:arguments.most]))
    unseen = [name for name in MUST_BE_SEEN if not seen[name]]
    if unseen:
        print(f"no story showed: {', '.join(unseen)}")
    return 1 if wrong or unseen else 0


if __name__ == "__main__":
    sys.exit(main())
