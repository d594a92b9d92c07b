"""The independent check must see what is wrong: real servers hold what the story asks for, then one thing is altered.

Run: .build/servers/bin/python -m unittest discover -s tests/demo
"""

import http.client
import json
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "servers")]

import company  # noqa: E402
import expected  # noqa: E402
from scim_server import ScimServer  # noqa: E402
from ticket_system import TicketSystem  # noqa: E402

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
NURSE, LEAVER, BROKEN, NAMESAKE, BY_HAND = "p012", "p095", "p187", "p203", "by hand: reception"
# Whom somebody renamed, disabled and deleted in the story, and whom somebody made: their accounts were put right.
RENAMED, DISABLED, DELETED, MADE = "p112", "p185", "p130", "by hand: m.brenner"


class Plain:
    """A SCIM server over plain HTTP, one connection."""

    def __init__(self, server):
        self._address = urllib.parse.urlsplit(server.base_url)
        self._headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"}
        self._connection = http.client.HTTPConnection(self._address.netloc)

    def call(self, method, path, body=None):
        self._connection.request(method, self._address.path + path, body and json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else None

    def alter(self, identity, path, value):
        """Replaces one attribute and gives the change that puts it back."""
        before = self.call("GET", f"/Users/{identity}").get(path)
        self.replace(identity, path, value)
        return lambda: self.replace(identity, path, before)

    def replace(self, identity, path, value):
        operation = {"op": "replace", "path": path, "value": value}
        message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        self.call("PATCH", f"/Users/{identity}", message)

    def close(self):
        self._connection.close()


def resource(identity, account, people=()):
    """The SCIM user that holds what is expected. `people` gives the server's ids, for the manager."""
    values = {name: value for name, value in account.attributes.items() if value is not None}
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE]}
    if not identity.startswith("by hand: "):
        user["externalId"] = identity
    user |= {"active": account.active, "name": {}, ENTERPRISE: {}}
    lists = {"workEmail": "emails", "workPhone": "phoneNumbers"}
    for name, value in values.items():
        if name in lists:
            user[lists[name]] = [{"type": "work", "value": value}]
        elif name in ("givenName", "familyName"):
            user["name"][name] = value
        elif name in ("department", "costCenter", "employeeNumber"):
            user[ENTERPRISE][name] = value
        elif name == "manager":
            if value in people:
                user[ENTERPRISE][name] = {"value": people[value]}
        elif isinstance(value, expected.OneOf):
            user[name] = value.names[value.place]
        else:
            user[name] = value
    return user


class CheckSeesWhatIsWrong(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hospital = expected.after()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.targets, cls.plain, cls.ids = {}, {}, {}
        for app in ("crm", "care"):
            server = cls.enterClassContext(ScimServer())
            cls.targets[app] = {"base_url": server.base_url, "token": server.token}
            cls.plain[app] = Plain(server)
            cls.addClassCleanup(cls.plain[app].close)
            accounts, cls.ids[app] = dict(cls.hospital.accounts[app]), {}
            while accounts:  # whoever has no manager in the app first, then those whose manager is there
                for identity, account in list(accounts.items()):
                    if account.attributes.get("manager") not in accounts:
                        body = resource(identity, accounts.pop(identity), cls.ids[app])
                        cls.ids[app][identity] = cls.plain[app].call("POST", "/Users", body)["id"]
        path = Path(cls.folder) / "tickets.db"
        cls.targets["tickets"] = {"path": str(path)}
        cls.tickets = TicketSystem(path)
        cls.addClassCleanup(cls.tickets.close)
        for identity, account in cls.hospital.accounts["tickets"].items():
            columns = {key: value for key, value in account.attributes.items() if key != "fullName"}
            columns |= {"full_name": account.attributes["fullName"], "reference": identity}
            cls.tickets.add(columns | {"closed": not account.active, "suspended": account.frozen})

    def check(self, *arguments):
        """Runs the check as the demo does, in a process of its own."""
        return subprocess.run(
            [sys.executable, str(HERE / "check.py"), *arguments],
            input=json.dumps(self.targets),
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def assert_named(self, app, identity, what):
        """The check fails with exactly one difference: this app, this person, this matter."""
        done = self.check()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[1:], ["differences: 1"], done.stdout)
        self.assertTrue(lines[0].startswith(f"{app}: "), lines[0])
        self.assertIn(self.hospital.names.get(identity, identity), lines[0])
        self.assertIn(what, lines[0])

    def tearDown(self):
        done = self.check()
        self.assertEqual(done.returncode, 0, "the alteration was not undone: " + done.stdout)

    def test_what_the_story_asks_for_passes(self):
        done = self.check()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_one_altered_attribute_is_named(self):
        for app, path in (("care", "title"), ("care", "userType"), ("crm", "displayName")):
            identity = NURSE if app == "care" else LEAVER
            with self.subTest(app=app, path=path):
                undo = self.plain[app].alter(self.ids[app][identity], path, "Something Else")
                try:
                    self.assert_named(app, identity, path)
                finally:
                    undo()

    def test_another_manager_is_named(self):
        nurse, path = self.ids["care"][NURSE], f"{ENTERPRISE}:manager"
        self.plain["care"].replace(nurse, path, {"value": self.ids["care"]["p001"]})
        try:
            self.assert_named("care", NURSE, "manager is 'p001', should be 'p004'")
        finally:
            self.plain["care"].replace(nurse, path, {"value": self.ids["care"]["p004"]})

    def test_a_login_that_is_none_of_those_of_the_same_name_is_named(self):
        undo = self.plain["care"].alter(self.ids["care"][NAMESAKE], "userName", "anna.mueller5")
        try:
            self.assert_named("care", NAMESAKE, "userName is 'anna.mueller5', should be 'anna.mueller' or")
        finally:
            undo()

    def test_an_account_made_by_hand_that_was_touched_is_named(self):
        undo = self.plain["crm"].alter(self.ids["crm"][BY_HAND], "displayName", "Somebody")
        try:
            self.assert_named("crm", BY_HAND, "displayName")
        finally:
            undo()

    def test_an_account_that_was_put_right_and_altered_again_is_named(self):
        cases = (
            (RENAMED, "userName", "nsj"),
            (RENAMED, "displayName", "N. Smith-Jones"),
            (DISABLED, "active", False),
            (MADE, "active", False),
        )
        for identity, path, value in cases:
            with self.subTest(identity=identity, path=path):
                undo = self.plain["crm"].alter(self.ids["crm"][identity], path, value)
                try:
                    self.assert_named("crm", identity, f"{path} is {value!r}, should be")
                finally:
                    undo()

    def test_an_account_that_was_made_anew_and_is_gone_again_is_named(self):
        self.plain["crm"].call("DELETE", f"/Users/{self.ids['crm'][DELETED]}")
        try:
            self.assert_named("crm", DELETED, "has no account and should have one")
        finally:
            body = resource(DELETED, self.hospital.accounts["crm"][DELETED])
            self.ids["crm"][DELETED] = self.plain["crm"].call("POST", "/Users", body)["id"]

    def test_what_somebody_did_is_seen_by_the_story_before_and_after(self):
        """The model of the target follows the hand that changed it, until the plan is carried out."""
        steps = [step["do"] for step in json.loads(expected.STORY.read_text("utf-8"))["steps"]]
        done, carried_out = steps.index("behind") + 1, steps.index("commit") + 2
        before, between, after = (expected.after(count).accounts["crm"] for count in (done - 1, done, carried_out))
        self.assertEqual(between[RENAMED].attributes["userName"], "nsj")
        self.assertEqual((between[DISABLED].active, between[LEAVER].active), (False, True))
        self.assertEqual((DELETED in between, MADE in between), (False, True))
        for identity in (RENAMED, DISABLED, DELETED, LEAVER):
            self.assertEqual(after[identity], before[identity])
        self.assertTrue(after[MADE].active, "a stranger who was seen once is left alone")

    def test_a_leaver_who_is_still_active_is_named(self):
        for app in ("crm", "care"):
            with self.subTest(app=app):
                undo = self.plain[app].alter(self.ids[app][LEAVER], "active", True)
                try:
                    self.assert_named(app, LEAVER, "active is True, should be False")
                finally:
                    undo()

    def test_an_extra_account_is_named(self):
        stranger = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "mallory", "active": True}
        identity = self.plain["care"].call("POST", "/Users", stranger)["id"]
        try:
            self.assert_named("care", "mallory", "should have none")
        finally:
            self.plain["care"].call("DELETE", f"/Users/{identity}")

    def test_a_second_account_of_the_same_person_is_named(self):
        again = resource(NURSE, self.hospital.accounts["care"][NURSE]) | {"userName": "inigo.ivanova.2"}
        identity = self.plain["care"].call("POST", "/Users", again)["id"]
        try:
            done = self.check("--app", "care")
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{self.hospital.names[NURSE]} has 2 accounts", done.stdout)
        finally:
            self.plain["care"].call("DELETE", f"/Users/{identity}")

    def test_a_missing_account_is_named(self):
        app, account = "crm", self.hospital.accounts["crm"][LEAVER]
        self.plain[app].call("DELETE", f"/Users/{self.ids[app][LEAVER]}")
        try:
            self.assert_named(app, LEAVER, "has no account and should have one")
        finally:
            self.ids[app][LEAVER] = self.plain[app].call("POST", "/Users", resource(LEAVER, account))["id"]

    def test_the_person_with_the_broken_record_must_not_be_in_the_crm(self):
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "broken", "externalId": BROKEN}
        identity = self.plain["crm"].call("POST", "/Users", body)["id"]
        try:
            self.assert_named("crm", BROKEN, "should have none")
        finally:
            self.plain["crm"].call("DELETE", f"/Users/{identity}")

    def test_an_altered_agent_is_named(self):
        agent = self.tickets.agents(reference=LEAVER)[0]
        for column, value, what in (("closed", 0, "active"), ("suspended", 1, "frozen"), ("team", "Elsewhere", "team")):
            with self.subTest(column=column):
                self.tickets.change(agent["number"], {column: value})
                try:
                    self.assert_named("tickets", LEAVER, what)
                finally:
                    self.tickets.change(agent["number"], {column: agent[column]})

    def test_a_target_that_cannot_be_read_is_no_success(self):
        targets, self.targets = self.targets, self.targets | {"tickets": {"path": "/nonexistent/tickets.db"}}
        try:
            self.assertEqual(self.check().returncode, 2)
        finally:
            self.targets = targets


class TheStoryIsTold(unittest.TestCase):
    def test_the_company_file_is_what_its_program_makes(self):
        made = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in company.people())
        self.assertEqual(made, (HERE / "company.ndjson").read_text("utf-8"))

    def test_logins_are_unique_and_in_latin_letters(self):
        logins = [record["username"] for record in company.people()]
        self.assertEqual(len(set(logins)), len(logins))
        self.assertTrue(all(login.isascii() for login in logins))

    def test_every_step_changes_what_it_is_about(self):
        """Were the model blind to a step, the check could not see that step go wrong."""
        steps = json.loads((HERE / "story.json").read_text("utf-8"))["steps"]
        before, sections = {}, 0
        for number, step in enumerate(steps):
            # Who is in a group is asked of the server itself, right after.
            of_groups = any(following["do"] == "expect_members" for following in steps[number + 1 : number + 2])
            if step["do"] == "run" and not of_groups and not self._waits(steps[:number]):
                now = json.dumps(expected.after(number + 1).accounts, default=vars)
                self.assertNotEqual(now, before, f"step {number} changes nothing")
                before, sections = now, sections + 1
        self.assertGreaterEqual(sections, 9)

    @staticmethod
    def _waits(steps):
        """Whether nothing should change: the server is still down, or what would change is held."""
        scene = next(step["text"] for step in reversed(steps) if step["do"] == "say")
        return "still down" in scene or "a tenth of its people" in scene


if __name__ == "__main__":
    unittest.main()
