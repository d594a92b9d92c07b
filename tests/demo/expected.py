"""What the three apps must hold after the story, worked out from its files alone.

This is a second, tiny model of what provisioning means. It shares nothing with the engine, reads neither its answers
nor the mappings of `apps.json`, and says in plain Python what each app should know about a person. `check.py` compares
it with the targets.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
STORY = HERE / "story.json"


@dataclass
class Account:
    """One person's account in one app, as it must be."""

    attributes: dict
    active: bool = True
    frozen: bool = False


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


class Hospital:
    """The people as their records stand, the clock, and what every app must hold."""

    def __init__(self, apps, start):
        self.grants = {app["id"]: app["assigned_to"] for app in apps}
        self.now = moment(start)
        self.people = {}
        self.names = {}
        self.down = set()
        self.accounts = {app: {} for app in self.grants}

    def put(self, person):
        """A record comes in, in the place of the one before."""
        self.people[person["id"]] = person
        self.names[person["id"]] = f"{person['firstName']} {person['lastName']} ({person['username']})"

    def settle(self):
        """Everything that can be delivered now has been."""
        for app in self.grants.keys() - self.down:
            for identity in self.people.keys() | self.accounts[app].keys():
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
            case "run":
                hospital.settle()
            case "say" | "check" | "explain" | "expect_failed" | "expect_waiting":
                pass
            case other:
                raise ValueError(f"the story has an unknown step `{other}`")
    return hospital


def moment(text):
    """A time in RFC 3339."""
    return datetime.fromisoformat(text)


def duration(text):
    """A duration in ISO 8601, as far as the story needs them: days, hours, minutes."""
    parts = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    days, hours, minutes = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)
