"""Runs everything behind PgBouncer, in each of its modes, and freezes a consumer there.

    scripts/trial pooler                # builds the programs, starts the servers, and runs this

In session mode (with the usual settings, with those by which it drops what a session is started
with, and without the query that cleans a session) `catchment database check` must pass, and a
campaign must settle through a requester and two consumers. Then one of the consumers is frozen for
30 s inside a transaction: its lanes must go on elsewhere within 15 s, every shop must have an
outcome, and `catchment audit` must find nothing.
In the other modes, check, requester and consumer must each be refused by one line that names what
to change.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers; `scripts/clients` brings the
Python that runs this, `scripts/pgbouncer` brings PgBouncer. Exit code 0 only if it passed.
"""

import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import command_line
import psycopg
from deployment import Deployment, Failed
from pgbouncer import PgBouncer

# How many seconds a consumer is frozen, and after how many its lanes must go on.
FROZEN, GOES_ON = 30, 15
# How many seconds the consumer may take to run into the locked row.
TO_BLOCK = 30
# How many seconds a program may take to be refused.
TO_REFUSE = 30
CONSUMER = "consumer-1"


@dataclass
class Mode:
    settings: dict
    # Whether it can be used.
    is_good: bool


DROPPED = "options,extra_float_digits"
MODES = {
    "session": Mode({"pool_mode": "session"}, True),
    "session-dropping": Mode(
        {"pool_mode": "session", "ignore_startup_parameters": DROPPED}, True
    ),
    "session-unclean": Mode({"pool_mode": "session", "server_reset_query": ""}, True),
    "transaction": Mode({"pool_mode": "transaction"}, False),
    "transaction-dropping": Mode(
        {"pool_mode": "transaction", "ignore_startup_parameters": DROPPED}, False
    ),
    "transaction-one": Mode({"pool_mode": "transaction", "default_pool_size": 1}, False),
    "transaction-in-turn": Mode({"pool_mode": "transaction", "server_round_robin": 1}, False),
    "statement": Mode({"pool_mode": "statement"}, False),
}


class Pooled(Deployment):
    """Its programs reach the database through the pooler, the trial itself does not."""

    def __init__(self, pooler, *arguments):
        super().__init__(*arguments)
        self.environment["CATCHMENT__DATABASE__URL"] = pooler.url(self.name)

    def __enter__(self):
        with psycopg.connect(self.server, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {self.name}")
        return super().__enter__()


class Run:
    """What works behind the pooler."""

    def __init__(self, deployment, shops):
        self.deployment = deployment
        self.shops = shops
        self.figures, self.problems = {}, []

    def play(self):
        self.deployment.run("database", "check")
        self.deployment.run("shops", "generate", "--count", str(self.shops), "--seed", "1")
        begun = time.monotonic()
        self.deployment.run(*self.campaign(2_000))
        self.figures["campaign (s)"] = round(time.monotonic() - begun, 1)
        self.freeze()
        self.deployment.run("audit")

    def campaign(self, limit):
        words = ("campaign", "start", "--yes", "--all", "--kind", "rider_shortage")
        return (*words, f"--limit={limit}m")

    def freeze(self):
        """Freezes a consumer that waits for a row, so that its transaction lasts when it has it."""
        owners = self.deployment.owners()
        lane = min(lane for lane, owner in owners.items() if owner == CONSUMER)
        with self.deployment.connect() as session:
            with session.transaction():
                session.execute(
                    "SELECT id FROM shop_state WHERE lane = %s ORDER BY id LIMIT 1 FOR UPDATE",
                    [lane],
                )
                campaign = self.deployment.launch(*self.campaign(1_000))
                self.deployment.wait("the consumer waits", self.waits, TO_BLOCK)
                self.deployment.freeze(CONSUMER)
                frozen = time.monotonic()
            applied = self.applied(session, lane)
            self.deployment.wait("its transaction is idle", self.idles, TO_BLOCK)
            while self.applied(session, lane) == applied:
                if FROZEN < time.monotonic() - frozen:
                    self.problems.append(f"lane {lane} stood still while its consumer was frozen")
                    break
                time.sleep(0.1)
            seconds = round(time.monotonic() - frozen, 1)
            self.figures["frozen consumer: its lane goes on after (s)"] = seconds
            if GOES_ON < seconds:
                self.problems.append(f"lane {lane} went on after {seconds} s")
            time.sleep(max(0, FROZEN - (time.monotonic() - frozen)))
            self.deployment.thaw(CONSUMER)
        if campaign.wait(timeout=60) != 0:
            self.problems.append(f"the campaign ended with {campaign.returncode}")

    def waits(self):
        return self.has_session("wait_event_type = 'Lock'")

    def idles(self):
        return self.has_session("state = 'idle in transaction'")

    def has_session(self, condition):
        query = f"""
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"""
        with self.deployment.connect() as session:
            (count,) = session.execute(query).fetchone()
        return 0 < count

    def applied(self, session, lane):
        query = "SELECT applied_next FROM lane_state WHERE lane = %s"
        return session.execute(query, [lane]).fetchone()


def play_good(pooler, arguments, folder):
    with Pooled(pooler, "pooler", arguments.binaries, folder, 2) as one:
        run = Run(one, arguments.shops)
        try:
            run.play()
            one.stop()
        except Failed as problem:
            run.problems.append(str(problem))
    return run.figures, run.problems


def play_refused(pooler, arguments, folder):
    """Starts the check and both services on a database that is complete."""
    figures, problems = {}, []
    with Deployment("pooler", arguments.binaries, folder, 1) as direct:
        direct.stop()
        environment = direct.environment | {
            "CATCHMENT__DATABASE__URL": pooler.url(direct.name),
            "CATCHMENT__SHUTDOWN__WITH_STDIN": "false",
        }
        for name in (["catchment", "database", "check"], ["requester"], ["consumer"]):
            words = [arguments.binaries / name[0], *name[1:]]
            begun = time.monotonic()
            try:
                done = subprocess.run(
                    words, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                    text=True, timeout=TO_REFUSE,
                )
            except subprocess.TimeoutExpired:
                problems.append(f"{name[0]} was not refused within {TO_REFUSE} s")
                continue
            last = done.stderr.strip().splitlines()[-1:]
            figures[" ".join(name)] = f"{done.returncode}: {' '.join(last)}"
            figures[f"{name[0]} refused after (s)"] = round(time.monotonic() - begun, 1)
            if done.returncode == 0 or not any("pool mode" in line for line in last):
                problems.append(f"{name[0]} was not refused as it should: {last}")
    return figures, problems


def play(name, arguments):
    mode = MODES[name]
    print(f"{name}", flush=True)
    server = Deployment("pooler", arguments.binaries, Path(), 0).server
    with tempfile.TemporaryDirectory(prefix="catchment-pooler-") as folder:
        with PgBouncer(server, **mode.settings) as pooler:
            run = play_good if mode.is_good else play_refused
            figures, problems = run(pooler, arguments, Path(folder))
    for what, value in figures.items():
        print(f"  {what}: {value}", flush=True)
    return figures, [f"{name}: {problem}" for problem in problems]


def play_all(arguments):
    figures, problems = {}, []
    for name in arguments.mode or MODES:
        figures[name], new = play(name, arguments)
        problems += new
    return figures, problems


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=5_000)
    options.add_argument("--mode", action="append", choices=MODES, help="only this one")
    command_line.run(options.parse_args(), play_all)
