"""The judgement of the reconciliation that is killed must see each broken promise.

Run: python3 -m unittest discover -s tests/torture
"""

import sys
import unittest
from collections import Counter
from copy import deepcopy
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reconciliation import ABSENT, AFTER, DRIFTED, FOUND, LINKED, ORPHANED, PAGE, expected_items, findings  # noqa: E402

PAGES = list(range(0, len(AFTER) + 1, PAGE))
WRITES = {"drifted": ["change"], "orphan": ["deactivate"]}


def good():
    """What is shown when all is well."""
    items = [[situation, reaction, "done", user, account] for situation, reaction, user, account in expected_items()]
    requests = {"Create": ABSENT, "Update": DRIFTED, "Deactivate": ORPHANED}
    return {
        "reconciliations": [["Completed", len(PAGES), len(AFTER), "complete"]],
        "items": items,
        "requests": [[name, "Completed", None, True] for name, count in requests.items() for _ in range(count)],
        "done_twice": [],
        "done": len(items),
        "linked": [str(number) for number in range(LINKED + DRIFTED + FOUND + ABSENT)],
        "whole": True,
    }


def at_target():
    """The accounts when all is well."""
    seen = []
    for one in deepcopy(AFTER):
        kind = one["id"].rstrip("0123456789")
        one["attributes"]["title"] = "Nurse"
        seen.append(one | {"active": kind != "orphan", "writes": WRITES.get(kind, [])})
    made = [{"userName": f"absent{number}", "title": "Nurse"} for number in range(ABSENT)]
    return seen + [{"id": "1", "active": True, "attributes": one, "writes": ["create"]} for one in made]


class FindingsSeeWhatIsBroken(unittest.TestCase):
    def told(self, change, pages=PAGES, **killed):
        shown, seen = good(), at_target()
        change(shown, seen)
        return findings(shown, seen, pages, Counter(killed))

    def test_a_kept_promise_has_no_findings(self):
        self.assertEqual(self.told(lambda shown, seen: None), [])

    def test_each_broken_promise_has_one(self):
        broken = {
            "another reconciliation": lambda shown, seen: shown["reconciliations"].append(["Failed", 0, 0, None]),
            "a row is staged twice": lambda shown, seen: shown["reconciliations"][0].__setitem__(2, len(AFTER) + 1),
            "a lost item": lambda shown, seen: shown["items"].pop(),
            "an item twice": lambda shown, seen: shown["items"].append(shown["items"][0]),
            "a refused item": lambda shown, seen: shown["items"][0].__setitem__(2, "refused"),
            "an item that is done twice": lambda shown, seen: shown["done_twice"].append(3),
            "a request too many": lambda shown, seen: shown["requests"].append(shown["requests"][0]),
            "a request that is open": lambda shown, seen: shown["requests"][0].__setitem__(1, "Requested"),
            "a request of no item": lambda shown, seen: shown["requests"][0].__setitem__(3, False),
            "a lost link": lambda shown, seen: shown["linked"].pop(),
            "a broken log": lambda shown, seen: shown.update(whole=False),
            "two accounts of a user": lambda shown, seen: seen.append(seen[-1]),
            "a lost account": lambda shown, seen: seen.pop(),
            "a write to somebody else": lambda shown, seen: seen[0].update(writes=["deactivate"]),
            "a deactivation too many": lambda shown, seen: seen[-ABSENT - 1].update(writes=["deactivate"] * 2),
            "a lost deactivation": lambda shown, seen: seen[-ABSENT - 1].update(writes=[], active=True),
        }
        for name, change in broken.items():
            with self.subTest(name):
                self.assertNotEqual(self.told(change), [])

    def test_a_page_is_read_again_by_who_was_killed_alone(self):
        again = [*PAGES, PAGE]
        self.assertNotEqual(self.told(lambda shown, seen: None, again), [])
        self.assertEqual(self.told(lambda shown, seen: None, again, list=1), [])
        self.assertNotEqual(self.told(lambda shown, seen: None, PAGES[1:]), [])

    def test_a_write_comes_again_only_where_its_answer_was_not_heard(self):
        def twice(shown, seen):
            seen[-ABSENT - 1].update(writes=["deactivate"] * 2)

        self.assertEqual(self.told(twice, set_active=1), [])
        self.assertNotEqual(self.told(twice, list=1), [])


if __name__ == "__main__":
    unittest.main()
