"""The HTTP clients of Python alone: reads of one small document. Prints the rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_client.py {requests,aiohttp} --url URL [--n 5000] [--tasks 8]
"""

import argparse
import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import requests

HEADERS = {"Accept": "application/scim+json"}


def by_requests(url, n, tasks):
    """Threads with a session each."""

    def work(_):
        with requests.Session() as session:
            for _ in range(n // tasks):
                answer = session.get(url, headers=HEADERS, timeout=30)
                answer.raise_for_status()
                assert answer.content

    with ThreadPoolExecutor(tasks) as pool:
        list(pool.map(work, range(tasks)))


def by_aiohttp(url, n, tasks):
    """Tasks that share a session of so many connections."""

    async def work(session):
        for _ in range(n // tasks):
            async with session.get(url, headers=HEADERS) as answer:
                answer.raise_for_status()
                assert await answer.read()

    async def run():
        connector = aiohttp.TCPConnector(limit=tasks)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(work(session) for _ in range(tasks)))

    asyncio.run(run())


def main():
    """Runs one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=["requests", "aiohttp"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--n", type=int, default=5_000)
    parser.add_argument("--tasks", type=int, default=8)
    given = parser.parse_args()
    url = f"{given.url}/ServiceProviderConfig"
    began = time.perf_counter()
    (by_requests if given.client == "requests" else by_aiohttp)(url, given.n, given.tasks)
    seconds = time.perf_counter() - began
    print(json.dumps({"name": given.client, "n": given.n, "seconds": seconds, "rate": given.n / seconds, "counts": None}))


if __name__ == "__main__":
    main()
