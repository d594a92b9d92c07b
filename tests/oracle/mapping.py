"""What a mapping wants of an account, and how that differs from what is there, three ways. Written from
`core/docs/mapping.md` and `core/docs/reconciliation.md`, for the oracle alone: sources, constants, defaults, `on_null`,
`blank`, `apply`, `strength`; `multi` stays `replace`."""

from paths import Path, same, says_nothing


class Unrendered(Exception):
    """Nothing can be rendered of this user; `codes` tell why."""

    def __init__(self, codes):
        super().__init__(codes)
        self.codes = codes


def named(record, path, exact=False):
    """The value that a path names, `None` where there is none."""
    found = Path(path).values(record, exact)
    return found[0] if found else None


def wanted_of(rule, user):
    """What a rule wants on update: `("value", v)`, `("clear", None)` or `("skip", None)`."""
    if rule.get("apply", "always") == "create":
        return "skip", None
    value = rule["constant"] if "constant" in rule else raw(user, rule["source"])
    if value == "" and rule.get("blank", "value") == "null":
        value = None
    if value is None and "default" in rule:
        default = rule["default"]
        if default.get("when", "always") == "always" or rule.get("on_null") == "default":
            value = default["value"]
    if rule.get("required") and says_nothing(value):
        raise Unrendered(["missing_required"])
    if value is None:
        return ("clear", None) if rule.get("on_null") == "clear" else ("skip", None)
    return ("clear", None) if says_nothing(value) else ("value", value)


def raw(user, source):
    """A user's attribute. `[]` and `{}` are values here; only what is missing or null is none."""
    node = user
    for name in source.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def all_wanted(rules, user):
    """What every rule wants, or all that keeps it from being known."""
    wanted, codes = [], []
    for rule in rules:
        try:
            wanted.append(wanted_of(rule, user))
        except Unrendered as fault:
            codes += fault.codes
    if codes:
        raise Unrendered(codes)
    return wanted


def drift(rules, user, actual, last):
    """The attributes that differ, and those that converged."""
    found = []
    for rule, (kind, wanted) in zip(rules, all_wanted(rules, user)):
        if kind == "skip":
            continue
        target = rule["target"]
        there = named(actual, target)
        before = None if last is None else named(last, target)
        if rule.get("strength", "normal") == "weak" and not says_nothing(there):
            continue
        verdict = judge(last is not None, before, wanted, there)
        if verdict is not None:
            found.append({"attribute": target, "last": before, "wanted": wanted, "actual": there, "verdict": verdict})
    return found


def judge(is_known, last, wanted, actual):
    """Whose doing a difference is; `None` where there is nothing to tell."""
    if same(wanted, actual):
        return "in_step" if is_known and not same(wanted, last) else None
    if is_known and same(wanted, last):
        return "theirs"
    return "ours" if says_nothing(last) or same(last, actual) else "both"
