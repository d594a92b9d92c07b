"""The scenes of the story in which somebody works behind the engine's back, and what is found and done about it."""

import json

import rollkeeper
from targets import answer, reference, scim_users

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
WIDEST = 30


class Hindsight:
    """What was found, kept until it is carried out. `people` has the records as they came, `names` also who left."""

    def __init__(self, engine, people, names, targets, tell, fail):
        self._engine, self._people, self._names, self._targets = engine, people, names, targets
        self._tell, self._fail = tell, fail
        self._found, self._done, self._list = None, None, None  # the last plan, commit and list

    def behind(self, step):
        """Somebody changes accounts at the server by its own interface; the engine is not told."""
        target = self._targets[step["app"]]
        ids = {reference(user): user["id"] for user in scim_users(target)}
        for change in step["changes"]:
            if "make" in change:
                answer(target, "/Users", change["make"])
            elif change.get("delete"):
                answer(target, f"/Users/{ids[change['of']]}", method="DELETE")
            else:
                operations = [{"op": "replace", "path": path, "value": value} for path, value in change["set"].items()]
                body = {"schemas": [PATCH], "Operations": operations}
                answer(target, f"/Users/{ids[change['of']]}", body, method="PATCH")
            self._tell(f"{self._who(change['of'])}: {change['note']}")

    def reconcile(self, step):
        """The whole target is read and compared; what was found is what somebody did."""
        found = self._found = self._engine.reconcile(step["app"], by=step["by"])
        self._tell(f"{found.collected} accounts are read: {found.verdict}")
        told = {}
        for who, item in self._items(step["app"]):
            told[who] = item.situation
            self._tell_item(item, who)
        for reason in found.brake:
            self._tell(f"the brake holds {found.items['held']} of them: {reason.name}")
        self._compare(step["found"], told, f"{len(told)} things are found, and nothing else")

    def review(self, step):
        """A person decides about one item of the plan."""
        item = dict(self._items(step["app"]))[step["of"]]
        self._found = self._engine.review(self._found.id, item.number, step["reaction"], by=step["by"])
        self._tell(f"{step['by']} decides about {self._who(step['of'])}: {step['reaction']}. {step['note']}")

    def commit(self, step):
        """Exactly that plan is carried out."""
        done = self._done = self._engine.commit(self._found.id, self._found.digest, by=step["by"])
        counted = {state: number for state, number in done.items.items() if number}
        told = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
        self._compare(step["items"], counted, f"{step['by']} commits the plan {self._found.digest[:8]}…: {told}")

    def undo(self, step):
        """What the last plan changed is planned to be put back."""
        found = self._found = self._engine.undo(self._done.id, by=step["by"])
        for note in found.notes:
            self._tell(note)
        told = {}
        for who, item in self._items(step["app"]):
            told[who] = item.reaction
            self._tell_item(item, who)
        self._compare(step["planned"], told, "the plan puts back what was done, and nothing else")

    def put_list(self, step):
        """The source sends a list and says that these are all people there are."""
        ids = list(self._people)[: step["first"]] if "first" in step else list(self._people)
        listed = [self._people[identity] for identity in ids if identity not in step.get("without", ())]
        came = self._list = self._engine.put_users(listed, snapshot=True, by=step["by"]).snapshot
        self._tell(f"a list of {len(listed)} people comes, of {len(self._people)} who are known: {came.verdict}")
        for why in came.why:
            self._tell(f"  {why}")
        told = {name: getattr(came, name) for name in ("noted", "held", "leavers")}
        spoken = f"absent {came.noted}, held {came.held}, leave {came.leavers}"
        self._compare(step["comes_to"], told, spoken)
        for identity in step.get("leave", ()):
            self._people.pop(identity)

    def refuse(self, step):
        """Whoever sent the list cannot let through what it would do."""
        held = self._engine.reconciliation(self._list.reconciliation)
        for reason in held.brake:
            self._tell(f"held: {reason.name}: {reason.message}")
        try:
            self._engine.release(held.id, held.digest, by=step["by"])
        except rollkeeper.Error as error:
            self._compare(step["code"], error.code, f"{step['by']} asks for it to go through: {error.code}")
            self._tell(step["note"])
            return
        raise self._fail(f"{step['by']} let the leavers of an own list go")

    def expect_expired(self, _step):
        """A right list took the place of what was held."""
        held = next(iter(self._engine.reconciliations(kind="source")))
        states = {item.state for item in self._engine.plan(held.id)}
        self._compare(["expired"], sorted(states), f"what was held of the cut list is {', '.join(sorted(states))}")

    def _items(self, app):
        """The items of the plan, each with the person or the login; by what was found."""
        logins = {user["id"]: reference(user) for user in scim_users(self._targets[app])}
        items = [(item.user or logins[item.account], item) for item in self._engine.plan(self._found.id)]
        return sorted(items, key=lambda one: (one[1].situation, one[0]))

    def _tell_item(self, item, who):
        self._tell(f"{item.situation:<12}{self._who(who):<30}{item.reaction}, {item.state}")
        doing = {drift.attribute: f", {drift.verdict}" for drift in item.drift}
        for change in item.changes:
            path = change["path"]
            before, after = _short(item.before.get(path)), _short(change.get("value"))
            self._tell(f"{'':<12}{path}: {before} → {after}{doing.get(path, '')}")
        if item.explicit:
            self._tell(f"{'':<12}the person's own record says that they left: nothing holds it")
        for why in (*item.why, *(fault.message for fault in item.faults)):
            self._tell(f"{'':<12}{why}")

    def _who(self, key):
        return self._names.get(key, key.replace("by hand: ", "the account "))

    def _compare(self, expected, told, text):
        if told != expected:
            self._tell(f"should be {expected}", mark="✗")
            self._tell(f"is        {told}", mark="✗")
            raise self._fail("it is not what somebody did")
        self._tell(text, mark="✓")


def _short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
