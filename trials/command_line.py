"""The command line of a trial that measures: its options, and how it ends."""

import argparse
import json
import signal
import sys
from pathlib import Path


def parser(description, **numbers):
    """Returns a parser of the common options, and of one for each number, with its default."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    for name, usual in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--binaries", type=Path, required=True, help="the folder of the programs")
    parser.add_argument("--json", action="store_true", help="the last line is for programs")
    return parser


def run(arguments, measure):
    """Runs a trial, which returns figures and problems, and ends the process."""
    # SIGTERM ends this process like an error: what it started is ended and removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    figures, problems = measure(arguments)
    if arguments.json:
        print(json.dumps(figures))
    if problems:
        sys.exit("\n".join(problems))
