"""The oracle of memberships: a slow and plain program that says what a reconciliation plans about who is in which group, and
what becomes of it, written from `core/docs/reconciliation.md` and `core/docs/entitlements.md` and not from the engine.
Standard library only.

A story is `{"target": {…}, "steps": [{"do": …}, …]}` as `tests/src/bin/memberships.rs` plays it; `stories.py` makes them at
random. `planned(story)` gives what every reconciliation of it must tell: the situations counted, the groups with their sizes,
the items, why the brake holds something, and, where it was committed, who is in which group then."""

import collections
import json
import sys
from datetime import timedelta
from pathlib import Path as File

sys.path.insert(0, str(File(__file__).resolve().parent))

from oracle import moment, reconcile, standing  # noqa: E402

SITUATIONS = tuple(f"membership_{name}" for name in "confirmed missing absent unqualified unmanaged unseen".split())
DEFAULTS = {name: "report" for name in SITUATIONS} | {
    "membership_confirmed": "none", "membership_missing": "update", "membership_unseen": "none"}
GRANTS = {"profile": "profile", "permission_set": "permission set", "permission_set_group": "permission set group"}
DAY, APART = timedelta(days=1), timedelta(minutes=10)
BEGIN = moment("2026-03-01T08:00:00Z")


def has_grant(record, entitlement):
    if entitlement["grant"] == "profile":
        return record.get("profile") == entitlement["name"]
    return entitlement["name"] in record.get(entitlement["grant"] + "s", [])


def resolve(reference, names):
    """The id of the group that an entitlement names, or why there is none."""
    if "id" in reference:
        return (reference["id"], None) if reference["id"] in names else (None, "no_such_id")
    wanted = reference["display_name"]
    found = [key for key, name in names.items() if name == wanted]
    found = found or [key for key, name in names.items() if name.lower() == wanted.lower()]
    if len(found) == 1:
        return found[0], None
    return None, f"several {len(found)}" if found else "no_such_name"


class Company:
    """The users, the target, and what the engine did so far."""

    def __init__(self, target):
        self.now = BEGIN
        self.app = None
        self.records, self.pending = {}, []
        self.left = set()
        self.accounts = {one["external_id"]: one for one in target["accounts"]}
        self.groups = target["groups"]
        self.members = {key: set(target.get("members", {}).get(key, [])) for key in self.groups}
        self.shown = {}
        self.view = {}
        # Whose account is linked or ignored, the accounts that are known, and what was given under which name.
        self.links, self.ignored, self.known, self.ledger = {}, {}, {}, {}
        self.former = set()
        self.observed, self.removed, self.accepted = {}, [], None
        # What a definition would have taken away, and waits for a second person.
        self.held = set()

    # What the users' records, the app and the target say.

    def standing(self, user):
        """Whether a user is entitled and active, and whether that cannot be known."""
        if user in self.left:
            return False, False
        entitled, faults = standing(self.records[user], self.app, self.now)
        return entitled, bool(faults)

    def is_frozen(self, user):
        return user not in self.left and self.records[user].get("frozen", False)

    def in_pilot(self, user):
        return "pilot" not in self.app or user in self.app["pilot"]["users"]

    def asking(self, user, reference):
        """The grants of a user that stand for a group by this name."""
        if user in self.left:
            return []
        return [one for one in self.app["entitlements"] if one["group"] == reference and has_grant(self.records[user], one)]

    def references(self, user):
        found = []
        for one in self.app["entitlements"]:
            if one["group"] not in found and self.asking(user, one["group"]):
                found.append(one["group"])
        return found

    def names(self):
        """The groups that the target shows, by their ids, with their names."""
        named = {**self.groups, **self.view.get("names", {})}
        return {key: named[key] for key in self.groups if key not in self.view.get("gone", [])}

    def listed(self):
        """Who is in each of them, as the target shows it; none where it does not."""
        hidden = self.view.get("hidden", [])
        return {key: None if key in hidden else self.meant(map(self.shown_as, self.members[key])) for key in self.names()}

    def shown_as(self, account):
        login = self.accounts.get(account, {}).get("username")
        return login if self.view.get("logins") and login else account

    def meant(self, shown):
        """The accounts that are in a group: a login stands for the only one that has it, unless it is an account's id as well."""
        holders = {}
        for account, login in self.known.items():
            holders.setdefault(login, []).append(account)
        return {holders[one][0] if one not in self.known and len(holders.get(one, [])) == 1 else one for one in shown}

    # What happens.

    def play(self, step):
        kind = step["do"]
        if kind == "app":
            self.define(step["app"])
        elif kind == "discover":
            pass
        elif kind == "users":
            for record in step["users"]:
                self.records[record["id"]] = record
                self.pending.append(record["id"])
        elif kind == "leave":
            self.left.add(step["user"])
            self.pending.append(step["user"])
        elif kind == "run":
            self.run()
        elif kind == "pass":
            self.now += timedelta(seconds=step["seconds"])
        elif kind == "member":
            (set.add if step["there"] else set.discard)(self.members[step["group"]], step["account"])
        elif kind == "account":
            self.accounts[step["account"]["external_id"]] = step["account"]
        elif kind == "gone":
            del self.accounts[step["account"]]
        elif kind == "show":
            self.view = step["show"]
        else:
            return self.reconcile(step["commit"])
        return None

    def run(self):
        """What the engine owes by the records is delivered, unless the target refuses it."""
        for user in self.pending:
            entitled, faulty = self.standing(user)
            account = next((key for key, owner in {**self.links, **self.ignored}.items() if owner == user), None)
            if account is None and entitled and not faulty and self.in_pilot(user) and not self.is_frozen(user):
                account = next(key for key, one in self.accounts.items() if one["username"] == user)
                if account not in self.app["protected"]["external_ids"]:
                    self.links[account] = user
                    self.known[account] = user
            if account not in self.links or faulty:
                continue
            if account in self.accounts:
                self.accounts[account].update(active=entitled, frozen=self.is_frozen(user))
                self.accounts[account]["attributes"]["title"] = self.records[user]["title"]
            if not self.view.get("refuses"):
                self.deliver(user, account, entitled)
        self.pending = []

    def deliver(self, user, account, entitled):
        """What differs is given and taken away, but for what the brake holds."""
        given, taken = self.difference(user, account, entitled)
        for group, reference in given:
            self.give(group, account, reference)
        for group in taken:
            if (group, account) not in self.held:
                self.take(group, account)

    def difference(self, user, account, entitled):
        """What is wanted compared with the ledger; members are not read for that."""
        if not entitled and self.app["deprovision"]["memberships"] == "keep":
            return [], []
        references = self.references(user) if entitled else []
        mine = {group: name for (group, one), name in self.ledger.items() if one == account}
        kept, given = {group for group, name in mine.items() if name in references}, {}
        for reference in references:
            group, _ = resolve(reference, self.names())
            if group is not None:
                kept.add(group)
                if reference not in mine.values() and group not in mine and not self.is_frozen(user):
                    given.setdefault(group, reference)
        return list(given.items()), [group for group in mine if group not in kept]

    def define(self, app):
        """A definition takes its place. What it would take away is held, all of it, where it is too much of one group."""
        self.app, self.held = app, set()
        takings, comes = [], collections.Counter()
        for account, user in self.links.items():
            entitled, faulty = self.standing(user)
            if self.leaves(user) or faulty or account in app["protected"]["external_ids"]:
                continue
            given, taken = self.difference(user, account, entitled)
            comes.update(group for group, _ in given)
            takings += [(group, account) for group in taken]
        leave, ours = (collections.Counter(group for group, _ in of) for of in (takings, self.ledger))
        if any(not comes[group] and count == ours[group] or count >= 10 and count * 100 > ours[group] * 30
               for group, count in leave.items()):
            self.held = set(takings)
        self.pending += list(self.records)

    def leaves(self, user):
        """Whether the source itself says that the user left."""
        return user in self.left or not self.records[user].get("active", True)

    def give(self, group, account, reference):
        self.ledger[group, account] = reference
        self.members[group].add(account)

    def take(self, group, account):
        self.ledger.pop((group, account), None)
        self.members[group].discard(account)

    # What a reconciliation finds.

    def verdict(self):
        if self.view.get("partial"):
            return "incomplete"
        smaller = self.accepted is not None and len(self.accounts) * 100 < self.accepted * 90
        return "suspect" if smaller or not self.accounts else "complete"

    def reconcile(self, commit):
        verdict = self.verdict()
        self.shown = self.listed()
        found = None if self.view.get("silent") else self.compare()
        items = [self.item(one, verdict) for one in found or [] if self.reaction(one["situation"]) != "none"]
        brake = self.brake(items, verdict)
        told = {
            "verdict": verdict, "items": items, "brake": brake,
            "counts": {name: sum(one["situation"] == name for one in found or []) for name in SITUATIONS},
            "groups": self.sizes(found) if found is not None else [],
        }
        if commit:
            told["done"] = self.commit(items, verdict)
            told["members"] = {key: sorted(members) for key, members in self.members.items()}
        return told

    def compare(self):
        """Every membership that is wanted, given or there."""
        resolved = [(one, *resolve(one["group"], self.names())) for one in self.app["entitlements"]]
        found = []
        for key, members in self.shown.items():
            named = [one for one, target, _ in resolved if target == key]
            given = {account: name for (one, account), name in self.ledger.items() if one == key}
            wanting = {account for account in self.links if self.grants(account, named)}
            if members is None:
                found += [self.unseen(key, account, "hidden") for account in wanting]
                continue
            people = set(given) | (wanting | members if named else set())
            found += [self.judge(key, account, members, given, named) for account in people]
        unknown = {(str(one["group"]), why): one["group"] for one, target, why in resolved if target is None}
        for (_, why), reference in unknown.items():
            named = [one for one in self.app["entitlements"] if one["group"] == reference]
            key = reference.get("id", reference.get("display_name"))
            found += [self.unseen(key, account, why) for account in self.links if self.grants(account, named)]
        return found

    def grants(self, account, named):
        """Which of these entitlements ask for a membership of the account."""
        user = self.links.get(account)
        if user is None or not self.standing(user)[0]:
            return []
        return [one for one in named if has_grant(self.records[user], one)]

    def unseen(self, group, account, why):
        return {"group": group, "account": account, "user": self.links[account], "situation": "membership_unseen",
                "three": None, "authoritative": False, "why": [why]}

    def judge(self, group, account, members, given, named):
        user = self.links.get(account)
        asking = self.grants(account, named)
        as_given = given.get(account)
        kept_name = as_given is not None and user is not None and self.standing(user)[0] and self.asking(user, as_given)
        wanted, was_given, there = bool(asking or kept_name), account in given, account in members
        situation = self.table(wanted, was_given, there, account)
        left_alone = self.is_left_alone(account)
        why = {
            "membership_unqualified": ["not_asked_any_more"],
            "membership_unmanaged": ["left_alone" if left_alone else "not_asked"],
        }.get(situation)
        if why is None and wanted:
            why = sorted({f"{GRANTS[one['grant']]} `{one['name']}`" for one in asking})
        elif why is None:
            why = ["kept" if self.keeps(account) else "gone_and_not_asked"]
        return {
            "group": group, "account": account, "user": user, "situation": situation, "three": (was_given, wanted, there),
            "authoritative": any(self.app["authoritative"] or one.get("authoritative", False) for one in named), "why": why,
        }

    def is_left_alone(self, account):
        return account in self.app["protected"]["external_ids"] or account in self.ignored

    def keeps(self, account):
        """Whether the account's user may not have it, and the app lets it keep what it has."""
        user = self.links.get(account)
        return user is not None and not self.standing(user)[0] and self.app["deprovision"]["memberships"] == "keep"

    def table(self, wanted, given, there, account):
        if self.is_left_alone(account):
            return "membership_confirmed" if wanted == there else "membership_unmanaged"
        if wanted:
            return "membership_confirmed" if there else "membership_missing" if given else "membership_absent"
        if not there or given and self.keeps(account):
            return "membership_confirmed"
        return "membership_unqualified" if given else "membership_unmanaged"

    def sizes(self, found):
        """Each group that is named or in which somebody is whom we put there: how many it has, lacks, and has too many."""
        names, sizes = self.names(), []
        named = {resolve(one["group"], names)[0] for one in self.app["entitlements"]}
        for key, members in self.shown.items():
            if key not in named and not any(one == key for one, _ in self.ledger):
                continue
            mine = [one for one in found if one["group"] == key and not self.is_left_alone(one["account"])]
            lacks = sum(one["situation"] in ("membership_missing", "membership_absent") for one in mine)
            surplus = sum(one["situation"] in ("membership_unqualified", "membership_unmanaged") for one in mine)
            size = {"group": key, "display_name": names[key], "lacks": lacks, "surplus": surplus}
            sizes.append(size if members is None else {**size, "members": len(members)})
        return sizes

    # What follows.

    def reaction(self, situation):
        return self.app["reconcile"]["reactions"].get(situation, DEFAULTS[situation])

    def item(self, found, verdict):
        reaction, why = self.reaction(found["situation"]), list(found["why"])
        against = self.against(found, reaction, verdict)
        if against is not None:
            reaction = "report"
            why += [] if against in why else [against]
        state = {"report": "reported", "review": "review"}.get(reaction, "planned")
        return {**found, "reaction": reaction, "state": state, "why": why}

    def against(self, found, reaction, verdict):
        """Why what the settings say does not follow."""
        user, account = found["user"], found["account"]
        if reaction not in ("update", "remove"):
            return None
        if user is not None and self.standing(user)[1]:
            return "faulty"
        if reaction == "remove" and verdict == "incomplete":
            return "incomplete"
        if self.is_left_alone(account):
            return "left_alone"
        if not self.app["operations"]["update"]:
            return "operation_off"
        if reaction == "remove" and found["situation"] == "membership_unmanaged" and not found["authoritative"]:
            return "not_authoritative"
        if reaction == "remove" and user is None and account not in {*self.accounts, *self.known, *self.former}:
            return "no_account"
        if reaction == "update" and verdict != "incomplete" and account not in self.accounts:
            return "no_account"
        if reaction == "update" and not self.in_pilot(user):
            return "no_pilot"
        if reaction == "update" and self.is_frozen(user):
            return "frozen"
        return "open" if user in self.pending else None

    def brake(self, items, verdict):
        """Notes what is found, holds what must wait, and tells why."""
        removals = [one for one in items if one["state"] == "planned" and one["reaction"] == "remove"]
        if verdict != "incomplete":
            for one in removals:
                key = one["group"], one["account"]
                before = self.observed.get(key)
                first = before[1] if before and before[0] == one["situation"] else self.now
                self.observed[key] = one["situation"], first, self.now
            self.observed = {key: one for key, one in self.observed.items() if one[2] == self.now}
        reasons = [reason for group in {one["group"] for one in removals} for reason in self.group_reasons(group, items)]
        if verdict == "suspect" and removals:
            reasons.append(("suspect", len(removals)))
        first = 0
        for one in removals:
            is_confirmed = self.now >= self.observed[one["group"], one["account"]][1] + APART
            first += not is_confirmed
            if reasons or not is_confirmed:
                one["state"] = "held"
                one["why"] = one["why"] + ["until_released" if is_confirmed else "first"]
        return sorted(reasons + ([("first_observation", first)] if first else []))

    def group_reasons(self, group, items):
        mine = [one for one in items if one["group"] == group and one["state"] == "planned"]
        removed = sum(one["reaction"] == "remove" for one in mine)
        comes = sum(one["reaction"] == "update" for one in mine)
        before = sum(one == group and self.now - when < DAY for one, when in self.removed)
        members = len(self.shown[group])
        if not comes and removed >= members:
            return [("group_emptied", removed + before)]
        if removed + before >= 10 and (removed + before) * 100 > (members + before) * 30:
            return [("group_removals", removed + before)]
        return []

    def commit(self, items, verdict):
        """What is planned is done, and no more; what the listing shows is taken over."""
        self.take_over(verdict)
        done = [one for one in items if one["state"] == "planned" and not self.is_refused(one)]
        for one in done:
            if one["reaction"] == "remove":
                self.take(one["group"], one["account"])
                self.removed.append((one["group"], self.now))
            elif one["account"] in self.accounts:
                self.give(one["group"], one["account"], self.reference_for(one))
        if verdict == "complete" or verdict == "suspect" and all(one["state"] != "held" for one in items):
            self.accepted = len(self.accounts)
        self.run()
        return sorted((one["group"], one["account"]) for one in done)

    def is_refused(self, item):
        """Whether the account was ignored by this very plan, or the brake holds by another plan what would be taken away."""
        key, user = (item["group"], item["account"]), item["user"]
        is_held = item["reaction"] == "remove" and key in self.held and not self.leaves(user)
        return is_held or item["account"] in self.ignored

    def reference_for(self, item):
        """The name under which a plan gives: that under which it was given, else by which it is asked for, best to the letter."""
        key = item["group"], item["account"]
        asked = [one for one in self.references(item["user"]) if resolve(one, self.names())[0] == item["group"]]
        asked.sort(key=lambda one: "id" not in one and one["display_name"] != self.names()[item["group"]])
        return self.ledger.get(key, asked[0] if asked else {"id": item["group"]})

    def take_over(self, verdict):
        for one in self.situations(verdict):
            account, situation = one["account"], one["situation"]
            reaction = self.app["reconcile"]["reactions"].get(situation, "report")
            if reaction == "ignore" and not one["faults"] and one["user"] not in self.pending:
                self.ignored[account] = self.links.pop(account, None)
            elif situation == "missing" and verdict == "complete" and not self.standing(one["user"])[0]:
                self.links.pop(account, None)
                self.known.pop(account, None)
                self.former.add(account)
                self.ledger = {key: name for key, name in self.ledger.items() if key[1] != account}
            if situation in ("orphaned", "found", "ambiguous", "taken"):
                self.known[account] = self.accounts[account]["username"]

    def situations(self, verdict):
        """What the other oracle finds of the accounts."""
        links = [{"user": user, "account": account} for account, user in self.links.items()]
        links += [{"user": user, "account": account, "state": "Ignored"} for account, user in self.ignored.items()]
        users = [one for key, one in self.records.items() if key not in self.left]
        options = {
            "now": self.now.isoformat(), "complete": verdict != "incomplete", "assigned_to": self.app["assigned_to"],
            "mapping": self.app["mapping"], "matching": self.app["matching"], "protected": self.app["protected"],
        } | ({"scope": self.app["scope"]} if "scope" in self.app else {})
        lines = {"users": users, "accounts": list(self.accounts.values()), "links": links}
        lines = {name: [json.dumps(record) for record in records] for name, records in lines.items()}
        return reconcile({**lines, "options": options})["findings"]


def planned(story):
    """What every reconciliation of a story must tell."""
    company = Company(story["target"])
    return [told for told in map(company.play, story["steps"]) if told is not None]
