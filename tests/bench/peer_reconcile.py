"""The peers: users, links and accounts reconciled; prints the time, the counts and the peak memory as one line of JSON.

    .build/bench/bin/python tests/bench/peer_reconcile.py PEER FOLDER

FOLDER is what `bench files` wrote. PEER is a tool and what it reads: `polars-csv`, `duckdb-pages`, … Each does what
somebody would write with that tool for these rules (`core/docs/reconciliation.md`): linked accounts are compared in ten
attributes; the others are matched by id, else by user name, else by address, without regard to letter case; who has several
matches, or shares one, is ambiguous.
"""

import argparse
import collections
import csv
import gc
import json
import resource
import time
from pathlib import Path

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
COMPARED = {
    "givenName": "firstName",
    "familyName": "lastName",
    "displayName": "displayName",
    "title": "title",
    "userType": "kind",
    "preferredLanguage": "language",
    "timezone": "zone",
    "phone": "phone",
    "department": "department",
    "costCenter": "costCenter",
}
KEYS = ["id", "externalId", "userName", "email"]


# Python and dictionaries


def by_dictionaries(users, links, accounts):
    """`users` and `accounts` as tuples: the keys first, then the ten attributes."""
    by_id, by_name, by_email = {}, collections.defaultdict(list), collections.defaultdict(list)
    for user in users:
        by_id[user[0]] = user
        by_name[user[1].lower()].append(user[0])
        by_email[user[2].lower()].append(user[0])
    links = dict(links)
    owned = set(links.values())
    counts, seen, choices, claims = collections.Counter(), set(), [], collections.Counter()
    for account in accounts:
        owner = links.get(account[0])
        if owner is not None:
            user = by_id.get(owner)
            seen.add(owner)
            if user is None:
                counts["source_gone"] += 1
            else:
                counts["confirmed" if user[3:] == account[4:] else "drifted"] += 1
            continue
        found = [account[1]] if account[1] in by_id else by_name.get(account[2].lower())
        found = found or (account[3] and by_email.get(account[3].lower())) or ()
        choices.append(found)
        claims.update(found)
    for found in choices:
        if not found:
            counts["orphaned"] += 1
        elif len(found) > 1:
            counts["ambiguous"] += 1
        elif found[0] in owned:
            counts["taken"] += 1
        else:
            counts["ambiguous" if claims[found[0]] > 1 else "found"] += 1
    for user in by_id:
        if user not in seen and user not in claims:
            counts["missing" if user in owned else "absent"] += 1
    return dict(counts)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        yield from map(tuple, lines)


def links_of(folder):
    return ((account, user) for user, account in rows(folder / "links.csv"))


def python_csv(folder):
    """csv and dictionaries."""
    return by_dictionaries(rows(folder / "users.csv"), links_of(folder), rows(folder / "accounts.csv"))


def orjson_pages(folder):
    """orjson and dictionaries."""
    import orjson

    def accounts():
        with open(folder / "pages.ndjson", "rb") as file:
            for page in file:
                for one in orjson.loads(page)["Resources"]:
                    name, work = one["name"], one[ENTERPRISE]
                    yield (
                        one["id"],
                        one.get("externalId"),
                        one["userName"],
                        one["emails"][0]["value"],
                        name["givenName"],
                        name["familyName"],
                        one["displayName"],
                        one["title"],
                        one["userType"],
                        one["preferredLanguage"],
                        one["timezone"],
                        one["phoneNumbers"][0]["value"],
                        work["department"],
                        work["costCenter"],
                    )

    return by_dictionaries(rows(folder / "users.csv"), links_of(folder), accounts())


def msgspec_pages(folder):
    """msgspec, typed, and dictionaries."""
    from peer_pages import decoder

    def accounts():
        decode = decoder()
        with open(folder / "pages.ndjson", "rb") as file:
            for page in file:
                for one in decode(page).Resources:
                    name, work = one.name, one.enterprise
                    yield (
                        one.id,
                        one.externalId,
                        one.userName,
                        one.emails[0].value,
                        name.givenName,
                        name.familyName,
                        one.displayName,
                        one.title,
                        one.userType,
                        one.preferredLanguage,
                        one.timezone,
                        one.phoneNumbers[0].value,
                        work.department,
                        work.costCenter,
                    )

    return by_dictionaries(rows(folder / "users.csv"), links_of(folder), accounts())


# SQL

JOINS = """
CREATE TEMP TABLE linked AS
    SELECT l."user" AS owner, CASE WHEN u.id IS NULL THEN 'source_gone' WHEN {differs} THEN 'drifted' ELSE 'confirmed' END AS situation
    FROM links l JOIN accounts a ON a.id = l.account LEFT JOIN users u ON u.id = l."user";
CREATE TEMP TABLE free AS
    SELECT a.id, a.externalId, lower(a.userName) AS name, lower(a.email) AS email
    FROM accounts a LEFT JOIN links l ON l.account = a.id WHERE l.account IS NULL;
CREATE TEMP TABLE keyed AS SELECT id, lower(username) AS name, lower(email) AS email FROM users;
{indexes}
CREATE TEMP TABLE first AS SELECT f.id AS account, k.id AS owner FROM free f JOIN keyed k ON k.id = f.externalId;
CREATE TEMP TABLE second AS SELECT f.id AS account, k.id AS owner FROM free f JOIN keyed k ON k.name = f.name
    WHERE f.id NOT IN (SELECT account FROM first);
CREATE TEMP TABLE third AS SELECT f.id AS account, k.id AS owner FROM free f JOIN keyed k ON k.email = f.email
    WHERE f.id NOT IN (SELECT account FROM first) AND f.id NOT IN (SELECT account FROM second);
CREATE TEMP TABLE candidate AS
    SELECT * FROM first UNION ALL SELECT * FROM second UNION ALL SELECT * FROM third;
"""
COUNTS = """
WITH claims AS (SELECT owner, count(*) AS n FROM candidate GROUP BY owner),
choice AS (
    SELECT c.account, count(*) AS n, max(s.n) AS shared, max(CASE WHEN l."user" IS NULL THEN 0 ELSE 1 END) AS taken
    FROM candidate c JOIN claims s ON s.owner = c.owner LEFT JOIN links l ON l."user" = c.owner GROUP BY c.account
)
SELECT situation, count(*) FROM linked GROUP BY situation
UNION ALL
SELECT CASE WHEN n > 1 THEN 'ambiguous' WHEN taken = 1 THEN 'taken' WHEN shared > 1 THEN 'ambiguous' ELSE 'found' END, count(*)
    FROM choice GROUP BY 1
UNION ALL
SELECT 'orphaned', count(*) FROM free WHERE id NOT IN (SELECT account FROM candidate)
UNION ALL
SELECT CASE WHEN l."user" IS NULL THEN 'absent' ELSE 'missing' END, count(*)
    FROM users u LEFT JOIN links l ON l."user" = u.id
    WHERE u.id NOT IN (SELECT owner FROM linked) AND u.id NOT IN (SELECT owner FROM candidate) GROUP BY 1
"""


def differs(unequal):
    return " OR ".join(f'a."{there}" {unequal} u."{here}"' for there, here in COMPARED.items())


def counted(found):
    counts = collections.Counter()
    for situation, count in found:
        counts[situation] += count
    return {situation: count for situation, count in counts.items() if count}


def duckdb(folder, accounts):
    """DuckDB in memory."""
    import duckdb

    database = duckdb.connect()
    for table in ("users", "links"):
        database.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{folder}/{table}.csv', all_varchar = true)")
    database.execute(f"CREATE TABLE accounts AS {accounts}")
    for statement in JOINS.format(differs=differs("IS DISTINCT FROM"), indexes="").split(";")[:-1]:
        database.execute(statement)
    return counted(database.execute(COUNTS).fetchall())


def duckdb_csv(folder):
    return duckdb(folder, f"SELECT * FROM read_csv('{folder}/accounts.csv', all_varchar = true)")


def duckdb_pages(folder):
    shape = (
        "STRUCT(id VARCHAR, externalId VARCHAR, userName VARCHAR, name STRUCT(givenName VARCHAR, familyName VARCHAR), "
        "displayName VARCHAR, title VARCHAR, userType VARCHAR, preferredLanguage VARCHAR, timezone VARCHAR, "
        'emails STRUCT("value" VARCHAR)[], phoneNumbers STRUCT("value" VARCHAR)[], '
        f'"{ENTERPRISE}" STRUCT(department VARCHAR, costCenter VARCHAR))[]'
    )
    return duckdb(
        folder,
        "SELECT r.id, r.externalId, r.userName, r.emails[1].value AS email, r.name.givenName, r.name.familyName, "
        "r.displayName, r.title, r.userType, r.preferredLanguage, r.timezone, r.phoneNumbers[1].value AS phone, "
        f'r."{ENTERPRISE}".department AS department, r."{ENTERPRISE}".costCenter AS costCenter FROM (SELECT '
        f"unnest(Resources) AS r FROM read_ndjson('{folder}/pages.ndjson', columns = {{Resources: '{shape}'}}))",
    )


def sqlite_csv(folder):
    """SQLite in memory, loaded from Python."""
    import sqlite3

    database = sqlite3.connect(":memory:")
    for table in ("users", "links", "accounts"):
        with open(folder / f"{table}.csv", encoding="utf-8", newline="") as file:
            lines = csv.reader(file)
            names = next(lines)
            key = ' PRIMARY KEY' if table != "links" else ""
            columns = ", ".join(f'"{name}" TEXT{key if place == 0 else ""}' for place, name in enumerate(names))
            database.execute(f"CREATE TABLE {table} ({columns})")
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", lines)
    database.execute("CREATE INDEX links_account ON links (account)")
    database.execute("CREATE INDEX links_user ON links (\"user\")")
    indexes = "CREATE INDEX keyed_id ON keyed (id); CREATE INDEX keyed_name ON keyed (name); CREATE INDEX keyed_email ON keyed (email);"
    database.executescript(JOINS.format(differs=differs("IS NOT"), indexes=indexes))
    return counted(database.execute(COUNTS))


# Data frames


def polars_of(folder, accounts):
    """polars, eagerly."""
    import polars as pl

    users = pl.read_csv(folder / "users.csv", infer_schema=False)
    links = pl.read_csv(folder / "links.csv", infer_schema=False)
    there = {here: f"u_{there}" for there, here in COMPARED.items()}
    pairs = links.join(accounts, left_on="account", right_on="id")
    pairs = pairs.join(users.rename({**there, "email": "u_email"}), left_on="user", right_on="id", how="left")
    drifted = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"u_{name}")) for name in COMPARED)
    gone = pl.col("username").is_null()
    gone_count, drifted_count = pairs.select(gone.sum().alias("gone"), (drifted & ~gone).sum().alias("drifted")).row(0)
    counts = {
        "source_gone": gone_count,
        "drifted": drifted_count,
        "confirmed": pairs.height - gone_count - drifted_count,
    }
    low = pl.col("userName").str.to_lowercase().alias("name"), pl.col("email").str.to_lowercase()
    free = accounts.join(links, left_on="id", right_on="account", how="anti").select("id", "externalId", *low)
    keyed = users.select(
        pl.col("id").alias("owner"),
        pl.col("username").str.to_lowercase().alias("name"),
        pl.col("email").str.to_lowercase(),
    )
    found, rest = [], free
    for left, right in (("externalId", "owner"), ("name", "name"), ("email", "email")):
        hits = rest.join(keyed, left_on=left, right_on=right, coalesce=False).select("id", "owner")
        rest = rest.join(hits, on="id", how="anti")
        found.append(hits)
    candidates = pl.concat(found)
    owned = links.select(pl.col("user").alias("owner"), pl.lit(True).alias("taken"))
    claims = candidates.group_by("owner").len("shared")
    choice = candidates.join(claims, on="owner").join(owned, on="owner", how="left").group_by("id")
    choice = choice.agg(pl.len().alias("n"), pl.col("shared").max(), pl.col("taken").any())
    several, taken, shared = pl.col("n") > 1, pl.col("taken").fill_null(False), pl.col("shared") > 1
    ambiguous = several | (~taken & shared)
    counts["ambiguous"], counts["taken"] = choice.select(
        ambiguous.sum().alias("ambiguous"), (taken & ~several).sum().alias("taken")
    ).row(0)
    counts["found"] = choice.height - counts["ambiguous"] - counts["taken"]
    counts["orphaned"] = rest.height
    alone = users.join(candidates, left_on="id", right_on="owner", how="anti")
    alone = alone.join(pairs, left_on="id", right_on="user", how="anti")
    counts["missing"] = alone.join(links, left_on="id", right_on="user", how="semi").height
    counts["absent"] = alone.height - counts["missing"]
    return {situation: count for situation, count in counts.items() if count}


def polars_csv(folder):
    import polars as pl

    return polars_of(folder, pl.read_csv(folder / "accounts.csv", infer_schema=False))


def polars_pages(folder):
    import polars as pl

    text, value = pl.String, pl.List(pl.Struct({"value": pl.String}))
    plain = ("id", "externalId", "userName", "displayName", "title", "userType", "preferredLanguage", "timezone")
    shape = {
        **dict.fromkeys(plain, text),
        "name": pl.Struct({"givenName": text, "familyName": text}),
        "emails": value,
        "phoneNumbers": value,
        ENTERPRISE: pl.Struct({"department": text, "costCenter": text}),
    }
    pages = pl.read_ndjson(folder / "pages.ndjson", schema={"Resources": pl.List(pl.Struct(shape))})
    rows = pages.explode("Resources").unnest("Resources")
    first = pl.element().struct.field("value")
    accounts = rows.select(
        *plain[:3],
        pl.col("emails").list.eval(first).list.first().alias("email"),
        pl.col("name").struct.field("givenName"),
        pl.col("name").struct.field("familyName"),
        *plain[3:],
        pl.col("phoneNumbers").list.eval(first).list.first().alias("phone"),
        pl.col(ENTERPRISE).struct.field("department"),
        pl.col(ENTERPRISE).struct.field("costCenter"),
    )
    return polars_of(folder, accounts)


def pandas_csv(folder):
    """pandas."""
    import pandas as pd

    users, links, accounts = (
        pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False, na_values=[""])
        for table in ("users", "links", "accounts")
    )
    there = {here: f"u_{there}" for there, here in COMPARED.items()}
    pairs = links.merge(accounts, left_on="account", right_on="id").drop(columns=["id", "email"])
    pairs = pairs.merge(users.rename(columns=there), left_on="user", right_on="id", how="left")
    gone = pairs["id"].isna()
    drifted = pd.Series(False, index=pairs.index)
    for name in COMPARED:
        here, other = pairs[name], pairs[f"u_{name}"]
        drifted |= (here != other) & ~(here.isna() & other.isna())
    counts = {"source_gone": gone.sum(), "drifted": (drifted & ~gone).sum()}
    counts["confirmed"] = len(pairs) - counts["source_gone"] - counts["drifted"]
    rest = accounts.loc[~accounts["id"].isin(links["account"]), KEYS].copy()
    rest["name"], rest["email"] = rest["userName"].str.lower(), rest["email"].str.lower()
    keyed = pd.DataFrame(
        {"owner": users["id"], "name": users["username"].str.lower(), "email": users["email"].str.lower()}
    )
    found = []
    for left, right in (("externalId", "owner"), ("name", "name"), ("email", "email")):
        keys = rest.loc[rest[left].notna(), ["id", left]].rename(columns={left: "key"})
        hits = keys.merge(keyed[["owner"]].assign(key=keyed[right]), on="key")[["id", "owner"]]
        rest = rest[~rest["id"].isin(hits["id"])]
        found.append(hits)
    candidates = pd.concat(found)
    candidates["shared"] = candidates.groupby("owner")["id"].transform("size")
    candidates["taken"] = candidates["owner"].isin(links["user"])
    choice = candidates.groupby("id").agg(n=("owner", "size"), shared=("shared", "max"), taken=("taken", "any"))
    several = choice["n"] > 1
    counts["ambiguous"] = (several | (~choice["taken"] & (choice["shared"] > 1))).sum()
    counts["taken"] = (choice["taken"] & ~several).sum()
    counts["found"] = len(choice) - counts["ambiguous"] - counts["taken"]
    counts["orphaned"] = len(rest)
    alone = users.loc[~users["id"].isin(candidates["owner"]) & ~users["id"].isin(pairs["user"]), "id"]
    counts["missing"] = alone.isin(links["user"]).sum()
    counts["absent"] = len(alone) - counts["missing"]
    return {situation: int(count) for situation, count in counts.items() if count}


PEERS = {
    "polars-csv": polars_csv,
    "polars-pages": polars_pages,
    "duckdb-csv": duckdb_csv,
    "duckdb-pages": duckdb_pages,
    "pandas-csv": pandas_csv,
    "python-csv": python_csv,
    "orjson-pages": orjson_pages,
    "msgspec-pages": msgspec_pages,
    "sqlite-csv": sqlite_csv,
}
# Loaded before the clock starts: starting up is nobody's work here.
MODULES = {"polars": "polars", "duckdb": "duckdb", "pandas": "pandas", "orjson": "orjson", "msgspec": "peer_pages"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    tool = arguments.peer.split("-")[0]
    if tool in MODULES:
        __import__(MODULES[tool])
    # Millions of objects that all stay: the collector only costs time, as everybody who tunes such a script finds.
    gc.disable()
    started = time.perf_counter()
    counts = PEERS[arguments.peer](arguments.folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"name": arguments.peer, "seconds": seconds, "counts": counts, "peak_mib": peak}))


if __name__ == "__main__":
    main()
