"""Which users match an account, as `core/docs/matching.md` says. Written from that page, for the oracle alone."""

import unicodedata
from fractions import Fraction

from paths import Path, each

# White space by Unicode's property; `str.strip` also takes the four separators U+001C to U+001F, which are none.
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def normalized(text, steps):
    """A text after its normalisations, in the order written."""
    for step in steps:
        if step == "trim":
            text = text.strip(WHITE_SPACE)
        elif step == "casefold":
            decomposed = unicodedata.normalize("NFD", text)
            text = unicodedata.normalize("NFC", decomposed.casefold())
        elif step == "nfkc":
            text = unicodedata.normalize("NFKC", text)
        elif step == "digits":
            text = "".join(character for character in text if character in "0123456789")
        else:
            raise ValueError(step)
    return text


def texts(record, path, steps, exact):
    """The texts that a side of a pair offers. What is empty never matches, and neither does an object."""
    found = []
    for value in path.values(record, exact):
        for one in each(value):
            if isinstance(one, bool):
                one = "true" if one else "false"
            elif isinstance(one, (int, float)):
                one = str(one)
            if isinstance(one, str):
                text = normalized(one, steps)
                if text.strip(WHITE_SPACE):
                    found.append(text)
    return found


def thousandths(share):
    """A fraction in whole thousandths, half of one up."""
    return int(share * 1000 + Fraction(1, 2))


def distance(one, other):
    """How many characters must be added, dropped or replaced."""
    row = list(range(len(other) + 1))
    for count, character in enumerate(one, 1):
        above, row[0] = row[0], count
        for place, theirs in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (character != theirs))
    return row[-1]


def trigrams(text):
    """The groups of three characters, as PostgreSQL's `pg_trgm` counts them: of each word, in small letters, with two spaces
    before it and one behind it."""
    words = "".join(character if character.isalnum() else " " for character in text.lower()).split()
    return {f"  {word} "[place:place + 3] for word in words for place in range(len(word) + 1)}


def alike(one, other, similar):
    """How sure a similar pair is, in thousandths; `None` where it is not similar enough."""
    if one == other:
        return 1000
    if "levenshtein" in similar:
        apart = distance(one, other)
        return thousandths(Fraction(1, apart + 1)) if apart <= similar["levenshtein"] else None
    ours, theirs = trigrams(one), trigrams(other)
    if not ours | theirs:
        return None
    share = Fraction(len(ours & theirs), len(ours | theirs))
    return thousandths(share) if share >= Fraction(str(similar["trigram"])) else None


class Rule:
    def __init__(self, definition, number):
        self.number = number
        self.tier = definition.get("tier")
        self.confidence = thousandths(Fraction(str(definition.get("confidence", 1))))
        self.pairs = [
            (Path(pair["user"]), Path(pair["account"]), pair.get("normalize", []), pair.get("similar"))
            for pair in definition["all"]
        ]

    def sides(self, user):
        """The user's side, worked out once: the texts of each pair."""
        return [texts(user, path, steps, True) for path, _, steps, _ in self.pairs]

    def theirs(self, account):
        return [texts(account, path, steps, False) for _, path, steps, _ in self.pairs]

    def sure(self, ours, theirs):
        """How sure the rule is of this pair of records, in thousandths; `None` where it does not match."""
        total = self.confidence
        for (_, _, _, similar), users, accounts in zip(self.pairs, ours, theirs):
            if similar is None:
                if not any(text in accounts for text in users):
                    return None
                continue
            found = [alike(one, other, similar) for one in users for other in accounts]
            found = [one for one in found if one is not None]
            if not found:
                return None
            total = thousandths(Fraction(total * max(found), 1_000_000))
        return total or None


class Matching:
    def __init__(self, definition):
        if isinstance(definition, list):
            definition = {"rules": definition}
        self.rules = [Rule(rule, number) for number, rule in enumerate(definition.get("rules", []))]
        self.certain = thousandths(Fraction(str(definition.get("certain", 1))))
        self.candidate = thousandths(Fraction(str(definition.get("candidate", 0))))
        self.tiers = []
        for rule in self.rules:
            if rule.tier is not None and self.tiers and self.tiers[-1][0].tier == rule.tier:
                self.tiers[-1].append(rule)
            else:
                self.tiers.append([rule])

    def candidates(self, account, users):
        """Who matches: `(certain, [(user, confidence, rule)])`, by the first tier after which somebody is certain; where
        nobody is, all who reach the lower threshold after the last tier. The rule is the first of that tier that matches."""
        sums = {}
        for tier in self.tiers:
            rules = {}
            for rule in tier:
                theirs = rule.theirs(account)
                for key, sides in users.items():
                    sure = rule.sure(sides[rule.number], theirs)
                    if sure is not None:
                        sums[key] = min(sums.get(key, 0) + sure, 1000)
                        rules.setdefault(key, rule.number)
            certain = [key for key in sums if sums[key] >= self.certain]
            if certain:
                return True, [(key, sums[key], rules.get(key)) for key in certain]
        reached = [key for key in sums if sums[key] >= self.candidate]
        return False, [(key, sums[key], None) for key in reached]

    def sides(self, user):
        """The user's side of every rule."""
        return [rule.sides(user) for rule in self.rules]
