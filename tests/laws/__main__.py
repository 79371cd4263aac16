"""`python -m tests.laws [SUBJECT…] [--events N]`: feed models N inputs of ever new names.

Says whether their memory stays bounded; with `--digests` it only prints a fingerprint of each
subject, by which two processes are compared. `--of` names another registry of subjects.
"""

import argparse
import importlib
import json
import sys
import time

from tests.laws.laws import digest, memory_is_bounded


def main(arguments: list[str]) -> int:
    """Run what is named, or all; 0: bounded, 1: at least one goes on growing."""
    parser = argparse.ArgumentParser(prog="python -m tests.laws")
    parser.add_argument("names", nargs="*", metavar="SUBJECT")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--digests", action="store_true")
    parser.add_argument("--of", default="tests.laws.subjects", metavar="MODULE")
    asked = parser.parse_args(arguments)
    subjects = importlib.import_module(asked.of).SUBJECTS
    unknown = sorted(set(asked.names) - subjects.keys())
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(subjects)}")
    names = asked.names or list(subjects)
    if asked.digests:
        print(json.dumps({name: digest(subjects[name]) for name in names}))
        return 0
    grows = False
    for name in names:
        exempt = subjects[name].exempt.get("memory_is_bounded")
        if exempt:
            print(f"{name}: exempt, {exempt}")
            continue
        began_s = time.perf_counter()
        try:
            memory_is_bounded(subjects[name], asked.events)
            said = "bounded"
        except AssertionError as grown:
            said, grows = f"NOT BOUNDED, {grown}", True
        took_s = time.perf_counter() - began_s
        print(f"{name}: {said} ({asked.events:,} inputs, {took_s:.0f} s)", flush=True)
    return int(grows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
