"""The scenes of the story about groups: a grant is a membership, and whoever was put into a group by hand is found."""

from targets import GROUP, answer, reference, scim_users

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class Belonging:
    """Who belongs into which group of a SCIM server. `names` has the people's names."""

    def __init__(self, engine, apps, names, targets, tell, fail):
        self._engine, self._apps, self._names, self._targets = engine, apps, names, targets
        self._tell, self._fail = tell, fail

    def make_group(self, step):
        """Somebody makes a group at the server by its own interface."""
        body = {"schemas": [GROUP], "displayName": step["group"]}
        answer(self._targets[step["app"]], "/Groups", body)
        self._tell(f"{step['app']} has the group {step['group']} from now on")

    def entitle(self, step):
        """The app's definition says which grant stands for which group."""
        app = self._apps[step["app"]] | step["keys"]
        self._engine.put_app(app, by=step["by"])
        for one in step["keys"]["entitlements"]:
            self._tell(f"{one['grant']} {one['name']} stands for the group {one['group']['display_name']}")

    def join_by_hand(self, step):
        """Somebody puts a person into a group by the server's own interface; the engine is not told."""
        target = self._targets[step["app"]]
        ids = {reference(user): user["id"] for user in scim_users(target)}
        operations = [{"op": "add", "path": "members", "value": [{"value": ids[step["of"]]}]}]
        group = self._group(step)
        answer(target, f"/Groups/{group['id']}", {"schemas": [PATCH], "Operations": operations}, method="PATCH")
        self._tell(f"{self._names[step['of']]}: {step['note']}")

    def expect_members(self, step):
        """Asked over plain HTTP, the server says who is in the group."""
        people = {user["id"]: reference(user) for user in scim_users(self._targets[step["app"]])}
        told = sorted(people[member["value"]] for member in self._group(step).get("members", []))
        spoken = ", ".join(self._names[who] for who in told) or "nobody"
        self._compare(step["users"], told, f"in {step['group']}, says the server: {spoken}")

    def expect_membership(self, step):
        """The engine says why somebody is in a group, or is no more."""
        explained = self._engine.explain(step["app"], step["user"]).memberships
        told = [[one.reference["display_name"], one.wanted, list(one.why)] for one in explained]
        spoken = "; ".join(f"{group}: {', '.join(why)}" for group, _, why in told) or "asked for no group"
        self._compare(step["told"], told, f"{self._names[step['user']]}: {spoken}")

    def find_strangers(self, step):
        """The groups are read and compared; whoever is in one and should not be is found, with the reason."""
        found = self._engine.reconcile(step["app"], by="nightly")
        items = [item for item in self._engine.plan(found.id) if item.group]
        for item in items:
            three = item.drift[0]
            ways = f"given {_spoken(three.last)}, wanted {_spoken(three.wanted)}, there {_spoken(three.actual)}"
            self._tell(f"{item.situation}: {self._names[item.user]}: {ways}; {', '.join(item.why)}")
        told = {item.user: item.situation for item in items}
        self._compare(step["found"], told, f"{len(told)} memberships are found, and nothing else")
        for item in items:
            found = self._engine.review(found.id, item.number, "remove", by=step["by"])
            self._tell(f"{step['by']} decides about {self._names[item.user]}: remove")
        done = self._engine.commit(found.id, found.digest, by=step["by"])
        self._compare(len(items), done.items.get("done", 0), f"{step['by']} commits the plan {found.digest[:8]}…")

    def _group(self, step):
        listed = answer(self._targets[step["app"]], "/Groups")["Resources"]
        return next(group for group in listed if group["displayName"] == step["group"])

    def _compare(self, expected, told, text):
        if told != expected:
            self._tell(f"should be {expected}", mark="✗")
            self._tell(f"is        {told}", mark="✗")
            raise self._fail("who belongs into a group is not in it, or somebody else is")
        self._tell(text, mark="✓")


def _spoken(value):
    return {True: "yes", False: "no"}.get(value, "unknown")
