"""Counts what it costs the database to watch campaigns, to start many at once, and to be idle.

    scripts/trial watchers              # builds the programs, starts the servers, and runs this

One after the other: 20 processes watch one campaign whose consumers are frozen; a requester is
idle, without campaigns and with 50,000 that ended; 20 campaigns over all shops are started within
10 s; and a dry run over all shops. Counts the statements of the database by `pg_stat_statements`
(those of transactions, too), its time by the same, and the connections.
Passes if a watcher has one connection and sends at most 3 statements/s, an idle requester sends at
most 10 and takes at most 1 % of a core, and every campaign is stored.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers, of which PostgreSQL must have
loaded `pg_stat_statements`; `scripts/clients` brings the Python that runs this. Exit code 0 only if
it passed.
"""

import json
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import command_line
from deployment import Deployment, Failed

# For how many seconds is counted, and after how many what was started is steady: a watcher looks for
# damage once, after 10 s.
COUNTED, STEADY = 20, 20
# In how many seconds the campaigns are started, and how many their starts may take altogether.
WITHIN, STORED_WITHIN = 10, 900
PARTS = ["dry-run", "idle", "watch", "old", "start"]
MOST_OF_A_WATCHER, MOST_OF_A_REQUESTER, MOST_OF_A_CORE = 3, 10, 0.01

STATEMENTS = """
    SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_exec_time), 0)
    FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
    WHERE datname = current_database()"""
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend'"""
# As if they had ended long ago.
OLD = """
    INSERT INTO campaign
        (revision, id, nonce, kind, limited_to, reason, shops, created_at, timeout_ms, reply_lane,
         attempt, deadline, state, open, unreleased)
    SELECT 1000000 + n, gen_random_uuid(), n, 'rider_shortage', '3000m', '', 0, 0, 60000, 0, 1,
           60000, 'ended', 0, 0
    FROM generate_series(1, %s) AS n"""


@dataclass
class Cost:
    """What the database did in a second."""

    statements: float
    share: float


class Watchers:
    def __init__(self, deployment, arguments):
        self.deployment = deployment
        self.arguments = arguments
        self.session = deployment.connect()
        self.session.execute("CREATE EXTENSION pg_stat_statements")
        self.figures, self.problems = {}, []

    def measure(self):
        shops = str(self.arguments.shops)
        self.deployment.run("shops", "generate", "--count", shops, "--seed", "1")
        parts = {
            "dry-run": self.dry_run, "idle": self.idle, "watch": self.watch, "old": self.idle_of_old,
            "start": self.start,
        }
        for part in self.arguments.part or PARTS:
            parts[part]()

    def dry_run(self):
        seconds = []
        for _ in range(3):
            begun = time.monotonic()
            words = ("--kind", "rider_shortage", "--limit", "2km", "--all", "--dry-run")
            self.deployment.run("campaign", "start", *words)
            seconds.append(round(time.monotonic() - begun, 1))
        self.figures["dry run (s)"] = " ".join(map(str, seconds))

    def idle_of_old(self):
        self.session.execute(OLD, [self.arguments.old])
        self.session.execute("ANALYZE campaign")
        self.idle(f"idle requester, {self.arguments.old:,} old campaigns")

    def idle(self, name="idle requester"):
        consumers = [name for name in self.deployment.names if name != "requester"]
        for consumer in consumers:
            self.deployment.freeze(consumer)
        cost = self.count()
        for consumer in consumers:
            self.deployment.thaw(consumer)
        self.figures[f"{name}: statements/s"] = round(cost.statements, 1)
        self.figures[f"{name}: share of a core (%)"] = round(100 * cost.share, 2)
        if MOST_OF_A_REQUESTER < cost.statements:
            self.problems.append(f"{name}: {cost.statements:.1f} statements/s")
        if MOST_OF_A_CORE < cost.share:
            self.problems.append(f"{name}: {100 * cost.share:.1f} % of a core")

    def watch(self):
        """Many watch one campaign that stands still."""
        deployment = self.deployment
        consumers = [name for name in deployment.names if name != "requester"]
        for name in consumers:
            deployment.freeze(name)
        starting = deployment.launch(*self.campaign(3_000, "--region=Gangnam-gu"))
        deployment.wait("the campaign is stored", lambda: len(deployment.campaigns()) == 1)
        (campaign,) = deployment.campaigns()
        starting.kill()
        starting.wait()
        time.sleep(STEADY)
        alone, had = self.count(), self.connections()
        watching = [
            deployment.launch("campaign", "watch", str(campaign["campaign"]))
            for _ in range(self.arguments.watchers)
        ]
        time.sleep(STEADY)
        cost, have = self.count(), self.connections()
        for process in watching:
            process.kill()
            process.wait()
        for name in consumers:
            deployment.thaw(name)
        deployment.run("campaign", "watch", str(campaign["campaign"]))
        deployment.run("campaign", "end", str(campaign["campaign"]))
        watchers = len(watching)
        each = (cost.statements - alone.statements) / watchers
        self.figures[f"{watchers} watchers: statements/s"] = round(each * watchers, 1)
        self.figures[f"{watchers} watchers: connections"] = have - had
        self.figures[f"{watchers} watchers: share of a core (%)"] = round(
            100 * (cost.share - alone.share), 2
        )
        if MOST_OF_A_WATCHER < each:
            self.problems.append(f"each watcher sends {each:.1f} statements/s")
        if watchers < have - had:
            self.problems.append(f"{watchers} watchers have {have - had} connections")

    def start(self):
        """Starts many campaigns over all shops, and counts those that were not stored. The services
        work on them meanwhile, and are killed with what is left."""
        begun = time.monotonic()
        starting = []
        for number in range(self.arguments.starts):
            starting.append(self.begin(number))
            time.sleep(WITHIN / self.arguments.starts)
        failed = 0
        for process in starting:
            left = max(1, begun + STORED_WITHIN - time.monotonic())
            try:
                # What is stored is announced in the first line; then it would only wait.
                line = self.first_line(process, left)
            finally:
                process.kill()
                _, words = process.communicate()
            if not line:
                failed += 1
                self.problems.append(f"a campaign was not stored: {words.strip()}")
        self.figures[f"{len(starting)} starts: not stored"] = failed
        self.figures[f"{len(starting)} starts: stored after (s)"] = round(
            time.monotonic() - begun, 1
        )

    def begin(self, number):
        command = self.deployment.command(*self.campaign(2_900 - number, "--all"))
        process = subprocess.Popen(
            command, env=self.deployment.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.deployment.commands.append(process)
        return process

    def first_line(self, process, seconds):
        """The first line that a process prints; none where it ends, or takes too long."""
        if not select.select([process.stdout], [], [], seconds)[0]:
            return None
        line = process.stdout.readline()
        return json.loads(line) if line.startswith("{") else None

    def campaign(self, limit, scope):
        words = ("campaign", "start", "--yes", "--kind", "rider_shortage", "--timeout", "1h")
        return (*words, scope, f"--limit={limit}m")

    def count(self):
        before, begun = self.so_far(), time.monotonic()
        time.sleep(COUNTED)
        after, seconds = self.so_far(), time.monotonic() - begun
        # One statement is ours.
        statements = after[0] - before[0] - 1
        return Cost(statements / seconds, (after[1] - before[1]) / 1_000 / seconds)

    def so_far(self):
        return self.session.execute(STATEMENTS).fetchone()

    def connections(self):
        (count,) = self.session.execute(CONNECTIONS).fetchone()
        return count


def play(arguments):
    with tempfile.TemporaryDirectory(prefix="catchment-watchers-") as folder:
        with Deployment("watchers", arguments.binaries, Path(folder), 2) as one:
            watchers = Watchers(one, arguments)
            try:
                watchers.measure()
            except Failed as problem:
                watchers.problems.append(str(problem))
    for what, value in watchers.figures.items():
        print(f"{what}: {value}", flush=True)
    return watchers.figures, watchers.problems


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=1_000_000, watchers=20, starts=20, old=50_000)
    options.add_argument("--part", action="append", choices=PARTS, help="only this one")
    command_line.run(options.parse_args(), play)
