"""The peers that deliver: a queue in SQLite, a POST for each user, and the id stored. Prints the rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_delivery.py {requests,aiohttp,expert} --url URL [--n 1000] [--tasks 8]

`requests` and `aiohttp` commit each step, as such scripts do; `expert` sends with several tasks and commits 128 at a time.
Commits wait for the disk (`synchronous=FULL`), as ours do.
"""

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock, local

import aiohttp
import orjson
import requests

BATCH = 128
HEADERS = {"Content-Type": "application/scim+json"}


def record(number):
    """What the queue holds of a person; the mapping is made when it is sent."""
    return {"id": f"e{number}", "username": f"user{number}@example.com", "first": f"Given{number}", "last": f"Family{number}"}


def body(payload):
    """The SCIM user of a record."""
    person = orjson.loads(payload)
    return orjson.dumps(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": person["username"],
            "externalId": person["id"],
            "active": True,
            "displayName": f"{person['first']} {person['last']}",
            "name": {"givenName": person["first"], "familyName": person["last"]},
            "emails": [{"value": person["username"], "type": "work"}],
        }
    )


def opened(folder, n):
    """A queue with so many users in it."""
    queue = sqlite3.connect(Path(folder) / "queue.db", isolation_level=None, check_same_thread=False)
    queue.execute("PRAGMA journal_mode = WAL")
    queue.execute("PRAGMA synchronous = FULL")
    queue.execute("CREATE TABLE queue (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, payload BLOB NOT NULL, remote TEXT)")
    queue.execute("CREATE INDEX waiting ON queue (id) WHERE state = 0")
    queue.execute("BEGIN")
    rows = [(orjson.dumps(record(number)),) for number in range(n)]
    queue.executemany("INSERT INTO queue (state, payload) VALUES (0, ?)", rows)
    queue.execute("COMMIT")
    return queue


CLAIM = "UPDATE queue SET state = 1 WHERE id IN (SELECT id FROM queue WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, payload"
COMPLETE = "UPDATE queue SET state = 2, remote = ? WHERE id = ?"


def by_requests(queue, url, tasks):
    """Threads that each claim one, send it and store its id."""
    lock, session = Lock(), local()

    def work(_):
        if not hasattr(session, "session"):
            session.session = requests.Session()
        while True:
            with lock:
                claimed = queue.execute(CLAIM, (1,)).fetchall()
            if not claimed:
                return
            answer = session.session.post(f"{url}/Users", data=body(claimed[0][1]), headers=HEADERS, timeout=30)
            answer.raise_for_status()
            with lock:
                queue.execute(COMPLETE, (answer.json()["id"], claimed[0][0]))

    with ThreadPoolExecutor(tasks) as pool:
        list(pool.map(work, range(tasks)))


async def by_aiohttp(queue, url, tasks, batch):
    """Tasks that send; each step is committed, or so many together."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=tasks)) as session:

        async def send(claimed):
            data = body(claimed[1])
            async with session.post(f"{url}/Users", data=data, headers=HEADERS) as answer:
                answer.raise_for_status()
                return orjson.loads(await answer.read())["id"], claimed[0]

        async def single():
            while claimed := queue.execute(CLAIM, (1,)).fetchall():
                queue.execute(COMPLETE, await send(claimed[0]))

        if batch == 1:
            await asyncio.gather(*(single() for _ in range(tasks)))
            return
        done = []
        while True:
            queue.execute("BEGIN IMMEDIATE")
            queue.executemany(COMPLETE, done)
            claimed = queue.execute(CLAIM, (batch,)).fetchall()
            queue.execute("COMMIT")
            if not claimed:
                return
            waiting = iter(claimed)

            async def some(waiting=waiting):
                return [await send(one) for one in waiting]

            done = [one for part in await asyncio.gather(*(some() for _ in range(tasks))) for one in part]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=("requests", "aiohttp", "expert"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--folder", default=None, help="where the queue's folder is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
        queue = opened(folder, arguments.n)
        started = time.perf_counter()
        if arguments.peer == "requests":
            by_requests(queue, arguments.url, arguments.tasks)
        else:
            batch = BATCH if arguments.peer == "expert" else 1
            asyncio.run(by_aiohttp(queue, arguments.url, arguments.tasks, batch))
        seconds = time.perf_counter() - started
        done = queue.execute("SELECT count(*) FROM queue WHERE state = 2 AND remote IS NOT NULL").fetchone()[0]
        queue.close()
    if done != arguments.n:
        raise SystemExit(f"{done} of {arguments.n} were delivered")
    print(json.dumps({"name": arguments.peer, "n": arguments.n, "seconds": seconds, "rate": arguments.n / seconds}))


if __name__ == "__main__":
    main()
