"""The wheel: N records mapped by the ten rules; prints the rate as one line of JSON.

    wheel_mapping.py bytes|lines FOLDER [--n 200000]

FOLDER is what `bench workload` wrote; `lines` maps all of it in a call. The interpreter that runs it must have the wheel.
"""

import argparse
import json
import time
from itertools import cycle, islice
from pathlib import Path

import rollkeeper


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=["bytes", "lines"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=200_000)
    arguments = parser.parse_args()
    mapping = rollkeeper.Mapping((arguments.folder / "mapping.json").read_bytes())
    text = (arguments.folder / "users.ndjson").read_bytes()
    accounts = (arguments.folder / "accounts.ndjson").read_bytes().splitlines()
    users = text.splitlines()
    wanted = [b'{"attributes":%b}' % account for account in accounts]
    if [mapping.render(user) for user in users] != accounts or mapping.render_lines(text).splitlines() != wanted:
        raise SystemExit("a user is mapped wrongly")
    render, render_lines = mapping.render, mapping.render_lines
    started = time.perf_counter()
    if arguments.way == "bytes":
        for user in islice(cycle(users), arguments.n):
            render(user)
    else:
        for _ in range(arguments.n // len(users)):
            render_lines(text)
    seconds = time.perf_counter() - started
    print(json.dumps({"name": arguments.way, "n": arguments.n, "rate": arguments.n / seconds}))


if __name__ == "__main__":
    main()
