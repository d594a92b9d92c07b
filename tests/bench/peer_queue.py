"""The peers that queue: persist-queue and huey on SQLite, as they come. Prints the rate as one line of JSON.

    .build/bench/bin/python tests/bench/peer_queue.py {persist-queue,huey} {put,take} [--n 2000]

`put` puts one after the other; `take` takes one after the other and says that it is done.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path


def persist_queue(folder):
    """What puts and what takes."""
    import persistqueue

    queue = persistqueue.SQLiteAckQueue(folder, auto_commit=True)
    return queue.put, lambda: queue.ack(queue.get(block=False))


def huey(folder):
    """What puts and what takes."""
    from huey import SqliteHuey

    tasks = SqliteHuey(filename=str(Path(folder) / "huey.db"), results=False, fsync=True)

    @tasks.task()
    def deliver(_):
        return None

    return deliver, lambda: tasks.execute(tasks.dequeue())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=("persist-queue", "huey"))
    parser.add_argument("what", choices=("put", "take"))
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--folder", default=None, help="where the queue's folder is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.folder) as folder:
        put, take = (persist_queue if arguments.peer == "persist-queue" else huey)(folder)
        payloads = [{"id": f"e{number}", "text": "x" * 500} for number in range(arguments.n)]
        started = time.perf_counter()
        for payload in payloads:
            put(payload)
        if arguments.what == "take":
            started = time.perf_counter()
            for _ in payloads:
                take()
        seconds = time.perf_counter() - started
    print(json.dumps({"name": arguments.peer, "n": arguments.n, "seconds": seconds, "rate": arguments.n / seconds}))


if __name__ == "__main__":
    main()
