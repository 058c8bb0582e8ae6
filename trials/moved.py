"""Moves a database with many shops to other topics with twice the partitions, and kills the move.

    scripts/trial moved                 # builds the programs, starts the servers, and runs this

Narrows all shops by a campaign, stops the services, and makes a copy of the database. On the copy,
`catchment topics move --lanes 24` runs to its end and is timed. Then

1. the command runs on the database and is killed by SIGKILL, several times, each time later; after
   each kill every table must be as it was,
2. the command runs on the database to its end,
3. the services start with the new topics, and `catchment audit` and a second campaign over all
   shops must find every shop as the first campaign left it.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers; `scripts/clients` brings the
Python that runs this. Exit code 0 only if it passed.
"""

import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

import command_line
from deployment import LANES, Deployment, Failed

MORE_LANES = 2 * LANES
# How many seconds a campaign may take until it is settled.
SETTLED_WITHIN = 900
MOVE = ("topics", "move", f"--lanes={MORE_LANES}")


class Move:
    def __init__(self, deployment, arguments):
        self.deployment = deployment
        self.shops = arguments.shops
        self.kills = arguments.kills
        self.figures = {}
        deployment.run("shops", "generate", "--count", str(self.shops), "--seed", "1")

    def play(self):
        self.narrow("applied")
        self.deployment.stop()
        taken = self.move_a_copy()
        self.figures["move (s)"] = taken
        self.kill_moves(taken)
        self.move(LANES)
        self.begin_in_other_topics()
        self.narrow("unchanged")
        self.check("at the end")
        self.deployment.stop()

    def narrow(self, outcome):
        """Starts a campaign over all shops, and expects this outcome of each."""
        words = ("campaign", "start", "--yes", "--all", "--kind", "rider_shortage")
        self.deployment.run(*words, "--timeout=1h")
        (campaign,) = self.deployment.run("campaign", "show", self.newest())
        if campaign["outcomes"] != {outcome: self.shops}:
            raise Failed(f"the campaign is settled with {campaign['outcomes']}")

    def newest(self):
        return str(max(campaign["campaign"] for campaign in self.deployment.campaigns()))

    def move(self, before):
        """Moves the database. Returns the seconds."""
        begun = time.monotonic()
        (moved,) = self.deployment.run(*MOVE)
        taken = round(time.monotonic() - begun, 1)
        lanes = {"before": before, "now": MORE_LANES}
        expected = {"dryRun": False, "lanes": lanes, "shops": self.shops, "campaigns": 1}
        if moved != expected:
            raise Failed(f"the move says {moved}, and not {expected}")
        return taken

    def move_a_copy(self):
        """Moves a copy of the database. Returns the seconds."""
        name = f"{self.deployment.name}_copy"
        url = self.deployment.url
        with psycopg.connect(self.deployment.server, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE {self.deployment.name}")
            copy = urlsplit(url)._replace(path=f"/{name}").geturl()
            self.deployment.environment["CATCHMENT__DATABASE__URL"] = copy
            try:
                return self.move(LANES)
            finally:
                self.deployment.environment["CATCHMENT__DATABASE__URL"] = url
                session.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def kill_moves(self, taken):
        before = self.content()
        self.figures["rows that must stay"] = sum(rows for rows, _ in before.values())
        for kill in range(self.kills):
            process = self.deployment.launch(*MOVE)
            time.sleep(taken * (kill + 1) / (self.kills + 1))
            process.kill()
            if process.wait() == 0:
                raise Failed(f"the move ended before kill {kill + 1}, in less than {taken} s")
            self.deployment.wait("the server has rolled the move back", self.is_idle)
            if self.content() != before:
                raise Failed(f"kill {kill + 1} left a part of the move")
        self.figures["kills that changed nothing"] = self.kills

    def is_idle(self):
        """Whether no session of the command is left."""
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        with self.deployment.connect() as session:
            (count,) = session.execute(query).fetchone()
        return count == 0

    def content(self):
        """The number of rows and a digest of each table."""
        with self.deployment.connect() as session:
            tables = session.execute(
                "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
            ).fetchall()
            digest = "SELECT count(*), sum(hashtextextended(row::text, 0)) FROM {} row"
            return {table: session.execute(digest.format(table)).fetchone() for (table,) in tables}

    def begin_in_other_topics(self):
        deployment = self.deployment
        deployment.environment |= {
            "CATCHMENT__DATABASE__LANES": str(MORE_LANES),
            "CATCHMENT__KAFKA__REQUESTS_TOPIC": f"{deployment.name}.moved.requests",
            "CATCHMENT__KAFKA__REPLIES_TOPIC": f"{deployment.name}.moved.replies",
        }
        deployment.run("topics", "create")
        self.check("after the move")
        for name in deployment.names:
            deployment.start(name)

    def check(self, when):
        audited = self.deployment.run("audit")[-1]
        self.figures[f"wrong outcomes {when}"] = audited["wrong"]
        if audited["wrong"] != 0:
            raise Failed(f"{when}: {audited}")
        with self.deployment.connect() as session:
            (other,) = session.execute(
                "SELECT count(*) FROM shop_state WHERE radius <> 3000"
            ).fetchone()
        self.figures[f"shops that are not narrowed {when}"] = other
        if other != 0:
            raise Failed(f"{when}: {other} shops are not narrowed")


def play(arguments):
    figures, problems = {}, []
    with tempfile.TemporaryDirectory(prefix="catchment-moved-") as folder:
        with Deployment("moved", arguments.binaries, Path(folder), arguments.consumers) as one:
            move = Move(one, arguments)
            figures = move.figures
            try:
                move.play()
            except Failed as problem:
                problems.append(str(problem))
    for what, value in figures.items():
        print(f"{what}: {value}", flush=True)
    return figures, problems


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=1_000_000, kills=6, consumers=2)
    command_line.run(options.parse_args(), play)
