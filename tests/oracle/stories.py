"""Random stories of memberships for their oracle: people come and lose grants, a target refuses, groups are renamed, hidden or
gone, and somebody changes members by hand. The same seed gives the same story."""

import json
import random

GRANTS = ["permission_set", "permission_set", "permission_set_group", "profile"]
REACTIONS = {
    "membership_confirmed": ["none", "report"],
    "membership_missing": ["update", "update", "report", "review", "none"],
    "membership_absent": ["update", "update", "report", "review"],
    "membership_unqualified": ["remove", "remove", "remove", "report", "review"],
    "membership_unmanaged": ["remove", "remove", "remove", "report", "none"],
    "membership_unseen": ["none", "report"],
    "orphaned": ["report", "report", "ignore"],
    "drifted": ["report", "report", "ignore"],
}
DAYS = 2 * 86_400


class Chance(random.Random):
    def so_many(self, percent):
        return self.random() * 100 < percent

    def some(self, of, percent):
        return [one for one in of if self.so_many(percent)]


def groups_of(chance, size):
    """Groups by their ids; now and then two of one name, or of one name in two letter cases."""
    names = {}
    for number in range(size):
        name = f"Group {number}"
        if names and chance.so_many(12):
            name = chance.choice([str, str.upper])(chance.choice(list(names.values())))
        names[f"g{number}"] = name
    return names


def entitlements_of(chance, names):
    """Grants for most groups, for some of them two; by id, by name, in another letter case, and for groups that are not there."""
    found = []
    for key, name in names.items():
        for _ in range(chance.choice([0, 1, 1, 1, 2])):
            group = chance.choice([{"id": key}, {"display_name": name}, {"display_name": chance.choice([name.upper(), name.lower()])}])
            found.append(entitlement(chance, group))
    while chance.so_many(20):
        found.append(entitlement(chance, chance.choice([{"id": "g99"}, {"display_name": "Nobody"}])))
    chance.shuffle(found)
    return found


def entitlement(chance, group):
    grant = chance.choice(GRANTS)
    name = chance.choice(["Staff", "Guest"]) if grant == "profile" else f"{grant} {chance.randint(0, 5)}"
    found = {"grant": grant, "name": name, "group": group}
    return {**found, "authoritative": True} if chance.so_many(30) else found


def app_of(chance, names):
    app = {
        "id": "crm", "connector": {"kind": "custom", "name": "target"}, "create_without_match": False,
        "assigned_to": {"profiles": ["Staff"], "permission_sets": ["permission_set 0"]},
        "matching": [{"all": [{"user": "id", "account": "userName"}]}],
        "mapping": [{"target": "userName", "source": "id"}, {"target": "title", "source": "title"}],
        "entitlements": entitlements_of(chance, names), "authoritative": chance.so_many(50),
        "deprovision": {"memberships": chance.choice(["keep", "remove"])}, "retry": {"attempts": 1},
        "operations": {"update": True}, "protected": {"external_ids": []},
        "reconcile": {"reactions": {"found": "report", **{name: chance.choice(of) for name, of in REACTIONS.items()}}},
    }
    if chance.so_many(25):
        app["scope"] = "user.country == 'DE'"
    return app


def later(chance, app, names, people):
    """What becomes of the definition; the ledger is of the one before."""
    app = json.loads(json.dumps(app))
    kept = [one for one in app["entitlements"] if not chance.so_many(15)]
    if chance.so_many(30):
        kept += entitlements_of(chance, dict(chance.sample(sorted(names.items()), min(2, len(names)))))
    app["entitlements"] = kept
    app["protected"]["external_ids"] = chance.some([f"a{number}" for number in range(people + 6)], 4)
    if chance.so_many(15):
        app["pilot"] = {"users": chance.some([f"u{number}" for number in range(people)], 70)}
    app["operations"]["update"] = not chance.so_many(8)
    return app


def person(chance, number):
    user = {
        "id": f"u{number}", "profile": chance.choice(["Staff", "Staff", "Staff", "Staff", "Guest"]), "title": "Clerk", "country": "DE",
        "permission_sets": [f"permission_set {one}" for one in chance.sample(range(6), chance.randint(0, 3))],
        "permission_set_groups": [f"permission_set_group {one}" for one in chance.sample(range(6), chance.randint(0, 2))],
        "active": not chance.so_many(6),
    }
    if chance.so_many(4):
        user["frozen"] = True
    return user


def changed(chance, user):
    """A user's next record."""
    user = json.loads(json.dumps(user))
    for key in ("permission_sets", "permission_set_groups"):
        if chance.so_many(60):
            user[key] = person(chance, 0)[key]
    user["frozen"] = chance.so_many(8)
    if chance.so_many(12):
        user["profile"] = chance.choice(["Guest", "Other"])
    if chance.so_many(8):
        user["active"] = False
    if chance.so_many(6):
        del user["country"]
    elif chance.so_many(6):
        user["country"] = "FR"
    return user


def account(number, login):
    return {"external_id": f"a{number}", "username": login, "attributes": {"userName": login, "title": "Clerk"}}


def target_of(chance, names, people):
    """Accounts for everybody, some of nobody, of which one may have somebody's login for its id."""
    accounts = [account(number, f"u{number}") for number in range(people)]
    accounts += [account(people + number, f"x{number}") for number in range(chance.randint(0, 4))]
    if chance.so_many(20):
        accounts.append({**account(0, "odd"), "external_id": f"u{chance.randrange(people)}"})
    members = {key: chance.some([one["external_id"] for one in accounts], 5) for key in names}
    return {"accounts": accounts, "groups": names, "members": members}


def by_hand(chance, names, people):
    """Members that come and go behind our back; some are groups, some nobody's, some no account at all."""
    steps = []
    anybody = [f"a{number}" for number in range(people + 4)] + ["nested", f"u{chance.randrange(people)}"]
    percent = chance.choice([1, 8, 20])
    for key in names:
        if chance.so_many(5):
            chosen, there = anybody, False
        else:
            chosen, there = chance.some(anybody, percent), None
        for one in chosen:
            steps.append({"do": "member", "group": key, "account": one, "there": chance.so_many(60) if there is None else there})
    return steps


def view(chance, names):
    """How the target shows its groups."""
    shown = {
        "names": {key: chance.choice([f"Was {name}", *names.values()]) for key, name in names.items() if chance.so_many(8)},
        "gone": chance.some(names, 5), "hidden": chance.some(names, 8), "halves": chance.some(names, 8),
        "logins": chance.so_many(15), "silent": chance.so_many(3), "partial": chance.so_many(8),
    }
    return {key: value for key, value in shown.items() if value}


def is_ordinary(user, app):
    """Whether a change of the user makes a request, whatever else there is."""
    is_in = user["id"] in app.get("pilot", {"users": [user["id"]]})["users"] and app["operations"]["update"]
    is_touched = f"a{user['id'][1:]}" not in app["protected"]["external_ids"]
    is_well = user["profile"] == "Staff" and user["active"] and not user.get("frozen") and user.get("country") == "DE"
    return is_in and is_touched and is_well


def story(seed, most=500):
    """A random story of 1 to 500 people, small ones more often."""
    chance = Chance(seed)
    sizes = [chance.randint(1, 4), chance.randint(4, 20), chance.randint(20, 80), chance.randint(80, 500)]
    people = min(chance.choices(sizes, [25, 60, 13, 2])[0], most)
    names = groups_of(chance, chance.choice([0, 1, 2, chance.randint(2, 8), chance.randint(2, 8), chance.randint(8, 30)]))
    app, users = app_of(chance, names), [person(chance, number) for number in range(people)]
    target = target_of(chance, names, people)
    steps = [{"do": "app", "app": app}, {"do": "discover"}, {"do": "users", "users": users}, {"do": "run"}]
    # What is decided next is refused, so that the ledger stays as it was.
    steps += [{"do": "show", "show": {"refuses": True}}]
    moved = [changed(chance, one) for one in users if chance.so_many(40)]
    if chance.so_many(60):
        app = later(chance, app, names, people)
        steps += [{"do": "app", "app": app}, {"do": "run"}]
    steps += [{"do": "users", "users": moved}, {"do": "run"}]
    users = {one["id"]: one for one in [*users, *moved]}
    left = chance.some(sorted(users), 4)
    steps += [{"do": "leave", "user": one} for one in left]
    steps += [{"do": "run"}, {"do": "pass", "seconds": DAYS}, {"do": "run"}]
    gone = chance.some(range(people), 3)
    steps += [{"do": "gone", "account": f"a{number}"} for number in gone]
    for number in chance.some(range(people), 5):
        if number not in gone:
            drifted = account(number, f"u{number}")
            drifted["attributes"]["title"] = "Chief"
            steps.append({"do": "account", "account": drifted})
    for number in range(3):
        steps += by_hand(chance, names, people)
        if number and chance.so_many(12):
            # So many accounts are gone that the listing is suspect.
            more = [one for one in chance.some(range(people), 30) if one not in gone]
            steps += [{"do": "gone", "account": f"a{one}"} for one in more]
            gone = gone + more
        shown = view(chance, names) if number == 0 or chance.so_many(40) else {}
        if not {"names", "gone"} & set(shown) and chance.so_many(40):
            # Their requests are open while the target is read. What they do goes by the names that were told before.
            late = [one for key, one in users.items() if key not in left and int(key[1:]) not in gone and is_ordinary(one, app)]
            steps.append({"do": "users", "users": [{**one, "title": f"Clerk {number}"} for one in chance.some(late, 10)]})
        steps.append({"do": "show", "show": shown})
        steps += [{"do": "reconcile", "commit": chance.so_many(85)}, {"do": "run"}, {"do": "pass", "seconds": chance.choice([660, 660, 660, 300, DAYS])}]
    return {"target": target, "steps": steps}
