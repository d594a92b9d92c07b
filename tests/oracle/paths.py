"""Attribute paths of accounts and users, and what they name: `userName`, `name.familyName`, `emails[type eq "work"].value`,
`urn:…:User:department`. Written from `core/docs/mapping.md` and `core/docs/matching.md`, for the oracle alone."""

import json
import re
import unicodedata

STEP = re.compile(r'([A-Za-z0-9_$-]+)(?:\[([A-Za-z0-9_$]+) eq ("(?:[^"\\]|\\.)*"|true|false|[0-9]+)\])?')


class Path:
    """A path: the extension's name where there is one, and steps of a name and a filter."""

    def __init__(self, text):
        self.schema = None
        local = text
        plain = text.split("[")[0]
        if plain.lower().startswith("urn:"):
            colon = plain.rindex(":")
            self.schema, local = text[:colon], text[colon + 1:]
        self.steps = []
        place = 0
        while place < len(local):
            step = STEP.match(local, place)
            if step is None:
                raise ValueError(text)
            wanted = None if step[2] is None else (step[2], json.loads(step[3]))
            self.steps.append((step[1], wanted))
            place = step.end() + 1

    def values(self, record, exact=False):
        """Every value that the path names; of lists, each element on the way."""
        nodes = [record]
        if self.schema is not None:
            nodes = [member(record, self.schema)]
        for name, wanted in self.steps:
            reached = []
            for node in nodes:
                for element in node if isinstance(node, list) else [node]:
                    value = member(element, name, exact)
                    if wanted is not None:
                        value = [one for one in each(value) if meant(one, wanted)]
                    reached.append(value)
            nodes = reached
        return [node for node in nodes if not says_nothing(node)]


def each(value):
    """The elements of a list, and a single value as the only one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def member(node, name, exact=False):
    """A member by its name, in any letter case unless `exact`."""
    if not isinstance(node, dict):
        return None
    if name in node or exact:
        return node.get(name)
    for key, value in node.items():
        if key.lower() == name.lower():
            return value
    return None


def meant(element, wanted):
    """Whether a filter means an element."""
    value = member(element, wanted[0])
    if isinstance(value, str) and isinstance(wanted[1], str):
        return value.lower() == wanted[1].lower()
    return type(value) is type(wanted[1]) and value == wanted[1]


def says_nothing(value):
    """Absent, `null`, `[]` and `{}` are the same."""
    return value is None or value == [] or value == {}


def same(one, other):
    """When two values are the same at the target, without a schema."""
    if says_nothing(one) or says_nothing(other):
        return says_nothing(one) and says_nothing(other)
    if isinstance(one, list) and isinstance(other, list):
        return same_lists(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(value, member(other, name)) for name, value in one.items() if not says_nothing(value))
    if isinstance(one, dict) != isinstance(other, dict) and not isinstance(one, list) and not isinstance(other, list):
        if isinstance(one, dict):
            return list(one) == ["value"] and same(one["value"], other)
        return same(one, member(other, "value"))
    if isinstance(one, str) and isinstance(other, str):
        return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    numbers = (int, float)
    return isinstance(one, numbers) and isinstance(other, numbers) and one == other


def same_lists(wanted, actual):
    """Lists as sets: each element that is wanted has one of its own, and there are no others; neither order nor repetition
    matters."""
    return distinct_match(unique(wanted), unique(actual))


def unique(elements):
    kept = []
    for element in elements:
        if not says_nothing(element) and not any(identical(element, one) for one in kept):
            kept.append(element)
    return kept


def identical(one, other):
    return same(one, other) and same(other, one)


def distinct_match(wanted, actual):
    if len(wanted) != len(actual):
        return False
    if not wanted:
        return True
    first, rest = wanted[0], wanted[1:]
    for place, element in enumerate(actual):
        if same(first, element) and distinct_match(rest, actual[:place] + actual[place + 1:]):
            return True
    return False
