"""What the three apps must hold after the story, worked out from its files alone.

This is a second, tiny model of what provisioning means. It shares nothing with the engine, reads neither its answers
nor the mappings of `apps.json`, and says in plain Python what each app should know about a person. `check.py` compares
it with the targets.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from targets import flat, reference

HERE = Path(__file__).resolve().parent
STORY = HERE / "story.json"


@dataclass
class Account:
    """One person's account in one app, as it must be."""

    attributes: dict
    active: bool = True
    frozen: bool = False


@dataclass
class OneOf:
    """One of several names, each of which one person of many with the same name has."""

    names: tuple
    place: int

    def __eq__(self, other):
        return other in self.names

    def __repr__(self):
        return " or ".join(map(repr, self.names))


class NotEnough(Exception):
    """The person's record lacks what the app cannot do without."""


def crm(person):
    """What the CRM knows of a person."""
    if "email" not in person:
        raise NotEnough("email")
    return {
        "userName": person["username"],
        "givenName": person["firstName"],
        "familyName": person["lastName"],
        "displayName": f"{person['firstName']} {person['lastName']}",
        "workEmail": person["email"],
        "title": person["title"],
        "userType": "External" if person["profile"] == "Contractors" else "Employee",
        "preferredLanguage": person.get("language"),
        "department": person["department"],
        "costCenter": person["costCenter"],
    }


def care(person):
    """What the ward records know of a person."""
    roles = {"Nurses": "nurse", "Doctors": "physician"}
    return {
        "userName": person["username"],
        "givenName": person["firstName"],
        "familyName": person["lastName"],
        "displayName": f"{person['lastName']}, {person['firstName']}",
        "workEmail": person.get("email"),
        "workPhone": person.get("phone"),
        "title": person["title"],
        "userType": "charge_nurse" if person["title"] == "Charge Nurse" else roles.get(person["profile"], "staff"),
        "timezone": "Europe/Zurich",
        "department": person["department"],
        "employeeNumber": person["id"],
        "manager": person.get("manager"),
    }


def tickets(person):
    """What the ticket system knows of a person."""
    return {
        "login": person["username"],
        "fullName": f"{person['firstName']} {person['lastName']}",
        "mail": person.get("email"),
        "team": person["department"],
        "level": "coordinator" if "Ward Coordination" in person["permission_set_groups"] else "member",
    }


KNOWS = {"crm": crm, "care": care, "tickets": tickets}
ONLY_AT_FIRST = {"crm": {"preferredLanguage": "en"}}
CAN_FREEZE = {"tickets"}
# What is said or looked at in the story, and changes nothing.
TOLD = """say check explain preview put_apps discover suggest logins impact compare_preview compare_impact
expect_adopted expect_failed expect_waiting expect_differences refuse expect_expired
expect_alerts expect_reasons expect_gap expect_usable expect_order
make_group entitle join_by_hand expect_members expect_membership find_strangers""".split()
# What is inferred from a listing or from a list of all people has to be seen twice, so far apart.
APART = timedelta(minutes=10)


class Hospital:
    """The people as their records stand, the clock, and what every app must hold."""

    def __init__(self, apps, start):
        self.grants = {app["id"]: app["assigned_to"] for app in apps}
        self.now = moment(start)
        self.people = {}
        self.names = {}
        self.down, self.held = set(), set()
        self.accounts = {app: {} for app in self.grants}
        self.by_hand = {app: {} for app in self.grants}
        self.words = {app: {} for app in self.grants}
        self.behind = {app: [] for app in self.grants}
        self.observed, self.ignored, self.absent = {}, set(), {}
        self.planned, self.disabled = None, []

    def put(self, person):
        """A record comes in, in the place of the one before."""
        self.people[person["id"]] = person
        self.names[person["id"]] = f"{person['firstName']} {person['lastName']} ({person['username']})"

    def found(self, app, accounts):
        """These accounts were made by hand before: each somebody's, certainly or perhaps, or nobody's."""
        for entry in accounts:
            account = Account(flat(entry["resource"], {}), entry["resource"]["active"])
            self.by_hand[app][reference(entry["resource"])] = (entry["of"], entry["certain"], account)

    def decide(self, app, person, login):
        """A person says whose the account is."""
        key = f"by hand: {login}"
        self.by_hand[app][key] = (person, True, self.by_hand[app][key][2])

    def happened(self, app, changes):
        """Somebody changed these accounts at the target; nothing follows until a plan is carried out."""
        self.found(app, [{"of": None, "certain": False, "resource": c["make"]} for c in changes if "make" in c])
        self.behind[app] += [change for change in changes if "make" not in change]

    def observe(self, app):
        """The target is read: accounts of nobody are noted, and are to be disabled where they were noted before."""
        strangers = {key: entry[2] for key, entry in self.by_hand[app].items() if entry[0] is None and entry[2].active}
        for key in strangers:
            self.observed.setdefault(key, self.now)
        confirmed = [key for key in strangers if self.now - self.observed[key] >= APART]
        self.planned = (app, [strangers[key] for key in confirmed if key not in self.ignored])

    def carry_out(self):
        """The plan is carried out: from here on the accounts that somebody changed are put right as any other."""
        app, strangers = self.planned
        if app is None:
            for account in strangers:
                account.active = True
            return
        self._apply(app)
        self.behind[app].clear()
        for account in strangers:
            account.active = False
        self.disabled = strangers

    def put_back(self):
        """What the last plan did to accounts of nobody is planned to be undone."""
        self.planned = (None, self.disabled)

    def _apply(self, app):
        for change in self.behind[app]:
            if change.get("delete"):
                self.accounts[app].pop(change["of"], None)
                continue
            account, values = self.accounts[app][change["of"]], dict(change["set"])
            account.active = values.pop("active", account.active)
            account.attributes |= values

    def listed(self, ids):
        """These are all people there are: who is absent from two lists has left, unless the list shrank by a tenth."""
        self.absent = {key: self.absent.get(key, self.now) for key in self.people.keys() - set(ids)}
        if len(ids) * 10 < len(self.people) * 9:
            return
        for key, since in self.absent.items():
            if self.now - since >= APART:
                self.people.pop(key)

    def finish(self):
        """The accounts as a target should show them."""
        for app in self.grants:
            self._apply(app)
        for app, entries in self.by_hand.items():
            self.names |= {key: key for key in entries}
            self.accounts[app] |= {key: account for key, (_, _, account) in entries.items()}
        people = defaultdict(list)
        for account in self.accounts["care"].values():
            people[account.attributes["userName"]].append(account)
        for name, accounts in people.items():
            names = (name, *(f"{name}{number}" for number in range(2, len(accounts) + 1)))
            for place, account in enumerate(accounts if len(accounts) > 1 else ()):
                account.attributes["userName"] = OneOf(names, place)
        return self

    def settle(self):
        """Everything that can be delivered now has been; twice, for managers whose account came later."""
        for app in sorted(self.grants.keys() - self.down) * 2:
            for identity in (self.people.keys() | self.accounts[app].keys()) - self.held:
                self._settle(app, identity)

    def _settle(self, app, identity):
        person = self.people.get(identity)
        account = self.accounts[app].get(identity)
        if person is None or not self._may_use(app, person):
            if account is not None:
                account.active = False
            return
        try:
            wanted = KNOWS[app](person)
        except NotEnough:
            return
        if wanted.get("manager") not in self.accounts[app]:
            wanted.pop("manager", None)
        wanted = {key: self.words[app].get((key, value), value) for key, value in wanted.items()}
        by_hand = [(key, *entry[1:]) for key, entry in self.by_hand[app].items() if entry[0] == identity]
        if account is None and by_hand:
            key, certain, adopted = by_hand[0]
            if not certain:
                return
            del self.by_hand[app][key]
            account = self.accounts[app][identity] = adopted
        if account is None:
            at_first = ONLY_AT_FIRST.get(app, {})
            wanted = {key: at_first.get(key) if value is None else value for key, value in wanted.items()}
            account = self.accounts[app][identity] = Account(wanted)
        else:
            account.attributes |= {key: value for key, value in wanted.items() if value is not None}
        account.frozen = app in CAN_FREEZE and person.get("frozen", False)
        account.active = account.frozen or not person.get("frozen", False)

    def _may_use(self, app, person):
        granted = (
            person["profile"] in self.grants[app].get("profiles", ())
            or set(person["permission_sets"]) & set(self.grants[app].get("permission_sets", ()))
            or set(person["permission_set_groups"]) & set(self.grants[app].get("permission_set_groups", ()))
        )
        begun = "valid_from" not in person or moment(person["valid_from"]) <= self.now
        ended = "valid_until" in person and moment(person["valid_until"]) <= self.now
        return bool(granted) and person.get("active", True) and begun and not ended


def after(steps=None, story=STORY):
    """The hospital after the first `steps` steps of the story, or after all of them."""
    told = json.loads(Path(story).read_text("utf-8"))
    folder = Path(story).parent
    hospital = Hospital(json.loads((folder / told["apps"]).read_text("utf-8")), told["start"])
    for step in told["steps"][:steps]:
        match step["do"]:
            case "put_users":
                for line in (folder / step["file"]).read_text("utf-8").splitlines():
                    hospital.put(json.loads(line))
            case "put_user":
                hospital.put(step["user"])
            case "delete_user":
                hospital.people.pop(step["user"])
            case "advance":
                hospital.now += duration(step["by"])
            case "down":
                hospital.down.add(step["app"])
            case "up":
                hospital.down.discard(step["app"])
            case "maintenance":
                (hospital.down.add if step["on"] else hospital.down.discard)(step["app"])
            case "hold":
                hospital.held.add(step["user"])
            case "resume":
                hospital.held.discard(step["user"])
            case "run":
                hospital.settle()
            case "by_hand":
                hospital.found(step["app"], step["accounts"])
            case "decide":
                hospital.decide(step["app"], step["user"], step["account"])
            case "change_app":
                hospital.words[step["app"]] |= {(step["target"], old): new for old, new in step["words"].items()}
            case "behind":
                hospital.happened(step["app"], step["changes"])
            case "reconcile":
                hospital.observe(step["app"])
            case "review":
                hospital.ignored.add(step["of"])
            case "commit":
                hospital.carry_out()
            case "undo":
                hospital.put_back()
            case "put_list":
                ids = list(hospital.people)[: step.get("first")]
                hospital.listed([key for key in ids if key not in step.get("without", ())])
            case word if word in TOLD:
                pass
            case other:
                raise ValueError(f"the story has an unknown step `{other}`")
    return hospital.finish()


def moment(text):
    """A time in RFC 3339."""
    return datetime.fromisoformat(text)


def duration(text):
    """A duration in ISO 8601, as far as the story needs them: days, hours, minutes."""
    parts = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    days, hours, minutes = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)
