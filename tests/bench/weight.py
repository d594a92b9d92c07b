"""What the wheel weighs, as one line of JSON: weight.py import | open | size

The interpreter that runs it must have the wheel.
"""

import json
import sys
import tempfile
import time
from pathlib import Path


def main():
    what = sys.argv[1]
    started = time.perf_counter()
    import rollkeeper

    imported = time.perf_counter() - started
    if what == "import":
        value = imported * 1000
    elif what == "open":
        with tempfile.TemporaryDirectory(prefix="rollkeeper-bench-") as folder:
            path = Path(folder) / "state.db"
            with rollkeeper.Engine.open(path):
                pass
            started = time.perf_counter()
            with rollkeeper.Engine.open(path):
                value = (time.perf_counter() - started) * 1000
    else:
        package = Path(rollkeeper.__file__).parent
        libraries = (file for file in package.rglob("*") if file.suffix in (".so", ".pyd", ".dylib"))
        value = sum(library.stat().st_size for library in libraries) / 1e6
    print(json.dumps({"name": what, "value": value}))


if __name__ == "__main__":
    main()
