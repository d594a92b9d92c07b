"""The scenes of the story in which the engine tells beforehand what a definition would do, and what came of it."""

import json
from pathlib import Path

import foretold
from targets import ENTERPRISE, answer, scim_users

HERE = Path(__file__).resolve().parent
WIDEST = 30
SCHEMA = f"{ENTERPRISE}:"


class Foresight:
    """What was told beforehand, kept until it can be compared. `tell` writes a line, `fail` ends the demo."""

    def __init__(self, engine, apps, targets, tell, fail):
        self._engine, self._apps, self._targets = engine, apps, targets
        self._tell, self._fail = tell, fail
        self._requests, self._impact, self._before, self._changed = {}, {}, {}, None
        self._by_hand = set()

    def preview(self, step):
        """One joiner under a definition that nobody has stored."""
        users = (json.loads(line) for line in (HERE / step["file"]).read_text("utf-8").splitlines())
        user = next(user for user in users if user["id"] == step["user"])
        preview = self._engine.preview(self._apps[step["app"]], user)
        for rule in preview.to_dict()["rules"]:
            read = ", ".join(f"{name}={_short(value)}" for name, value in rule.get("inputs", {}).items())
            result = f"skipped: {rule['skipped']}" if rule.get("skipped") else _short(rule.get("value"))
            self._tell(f"{_name(rule['target']):<36}{read:<44}{result}")
        request = preview.create.to_dict()["requests"][0]
        self._requests[step["app"], step["user"]] = request
        self._tell("what would be sent to create the account:")
        body = json.dumps(request["body"], ensure_ascii=False)
        self._tell(f"{request['method']} {request['path']} {body[:66]} … {len(body)} characters")

    def compare_preview(self, step):
        """The server holds what was foretold."""
        request = self._requests[step["app"], step["user"]]
        self._compare(
            foretold.of_preview(request, self._targets[step["app"]], step["user"]),
            f"{step['app']} holds what the preview of {step['user']} showed",
        )

    def discover(self, step):
        """What a server says of itself."""
        found = self._engine.discover(step["app"]).to_dict()
        can = [name for name, feature in found["features"].items() if feature["supported"]]
        self._compare(
            foretold.of_discovery(found["attributes"], self._targets[step["app"]]),
            f"{step['app']} has {len(found['attributes'])} attributes, and says it can: {', '.join(sorted(can))}",
        )

    def suggest(self, step):
        """Rules for a mapping, by what the people's records and the target have."""
        found = self._engine.suggest_mapping(step["app"])
        told = {}
        for one in found.suggestions:
            rule = found.mapping[one.rule]
            told[one.target] = rule.get("source")
            because = one.because.replace(SCHEMA, "")
            self._tell(f"{_name(one.target):<36}{rule.get('source'):<12}{one.confidence:<6}{because}")
        self._compare(foretold.of_suggestions(told, step["rules"]), "the proposals are what a person would choose")

    def by_hand(self, step):
        """Accounts that somebody made at the server before."""
        for entry in step["accounts"]:
            self._by_hand.add(answer(self._targets[step["app"]], "/Users", entry["resource"])["id"])
        self._tell(f"{step['app']} has {len(step['accounts'])} accounts that were made by hand")

    def expect_adopted(self, step):
        """Accounts that were there were linked, and none was made beside them."""
        accounts = self._engine.accounts(app=step["app"])
        adopted = {account.user for account in accounts if account.external_id in self._by_hand}
        self._compare(foretold.of_requests(step["users"], adopted), f"adopted: {', '.join(step['users'])}")

    def logins(self, step):
        """How people of one name are called at the server."""
        users = scim_users(self._targets[step["app"]])
        names = sorted(user["userName"] for user in users if user.get("externalId") in step["users"])
        self._tell(f"they are called {', '.join(names)}")

    def decide(self, step):
        """A person knows whose the account is, says so at the target, and lets the request be tried again."""
        target, mail = self._targets[step["app"]], self._engine.user(step["user"])["email"]
        account = next(user["id"] for user in scim_users(target) if user["userName"] == step["account"])
        operation = {"op": "replace", "path": "emails", "value": [{"type": "work", "value": mail}]}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        answer(target, f"/Users/{account}", body, method="PATCH")
        self._tell(f"a person writes {step['user']}'s mail address into the account `{step['account']}`, and retries")
        failed = next(iter(self._engine.requests(app=step["app"], user=step["user"], state="Failed")))
        self._engine.retry(failed.id, by="demo")

    def impact(self, step):
        """What another rule would change for everybody, before it is stored."""
        app = json.loads(json.dumps(self._apps[step["app"]]))
        for rule in app["mapping"]:
            if rule["target"] == step["target"]:
                rule["expression"] = step["expression"]
        impact = self._engine.impact(app, values=True)
        attributes, requests = {}, set()
        for user in impact:
            requests |= {(user.user, one.operation) for one in user.operations}
            attributes |= {(user.user, one.path): (one.before, one.after) for one in user.attributes}
        totals = impact.summary
        self._tell(f"{_name(step['target'])}: {step['expression']}")
        self._tell(
            f"of {totals.users} people {totals.affected} get a request, and for "
            f"{', '.join(f'{number} another {path}' for path, number in totals.attributes.items())} is wanted; "
            f"{totals.destructive} lose access"
        )
        self._changed, self._impact = app, (attributes, requests)

    def change_app(self, step):
        """Stores the definition whose impact is known; the requests are those that were foretold."""
        self._before = foretold.snapshot(self._targets[step["app"]])
        made = {(request.user, request.operation) for request in self._engine.put_app(self._changed, by="demo")}
        self._apps[step["app"]] = self._changed
        self._compare(
            foretold.of_requests(self._impact[1], made),
            f"stored; {len(made)} requests are made, those that were foretold",
        )

    def compare_impact(self, step):
        """The server changed as was foretold, and nowhere else."""
        after = foretold.snapshot(self._targets[step["app"]])
        self._compare(
            foretold.of_impact(self._impact[0], self._before, after),
            f"{len(self._impact[0])} attributes changed at {step['app']}, those that were foretold",
        )

    def _compare(self, differences, text):
        lines = list(differences)
        for line in lines:
            self._tell(line, mark="✗")
        if lines:
            raise self._fail("it did not come as it was told")
        self._tell(text, mark="✓")


def _name(path):
    """An attribute without the name of its schema."""
    return path.removeprefix(SCHEMA)


def _short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
