"""Lets campaigns overlap, ends them, and measures what the database keeps of it.

    scripts/trial bloat                 # builds the programs, starts the servers, and runs this

Starts 20 campaigns over all shops one after the other, so that each shop has up to 20 causes, and
then ends them one after the other. After each step it measures table and indexes of shop_state
beside the bytes of their live rows, and what the step cost the database. Nobody vacuums but
autovacuum. Passes if after the campaigns and after the ends table and indexes have at most 3 times
the bytes of their live rows.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers; `scripts/clients` brings the
Python that runs this. Exit code 0 only if it passed.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import command_line
from deployment import Deployment, Failed

MOST_TIMES_LIVE = 3
# After so many seconds of rest the server has counted all that its sessions did. Only the first
# and the last campaign are measured so; between the others there is no rest in which it could
# vacuum.
COUNTED_AFTER = 11

# What grows with campaigns besides shop_state, and what makes it smaller again.
OTHERS = {
    "receipt": "each batch, after database.receipts_kept",
    "import_receipt": "each import, after database.receipts_kept",
    "campaign_list": "nothing",
    "campaign_chunk": "nothing",
}

# Bytes of the table with its TOAST, of its indexes, and of the live rows in both. A row of an
# index is a header of 8 bytes and its columns, aligned to 8.
SIZES = """
    SELECT pg_table_size('shop_state'), pg_indexes_size('shop_state'),
           (SELECT tuple_len FROM pgstattuple('shop_state')),
           (SELECT sum(8 + 8 * ceil((pg_column_size(lane) + pg_column_size(id)) / 8.0))::bigint
            FROM shop_state),
           (SELECT dead_tuple_count FROM pgstattuple('shop_state'))"""

COUNTERS = """
    SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, active_time, n_tup_upd, n_tup_hot_upd,
           autovacuum_count
    FROM pg_stat_database, pg_stat_user_tables
    WHERE datname = current_database() AND relname = 'shop_state'"""


@dataclass
class Sizes:
    table: int
    indexes: int
    live_rows: int
    live_index_rows: int
    dead_rows: int

    def times_live(self):
        return (self.table + self.indexes) / (self.live_rows + self.live_index_rows)


@dataclass
class Counters:
    wal_bytes: int
    database_ms: float
    updates: int
    hot_updates: int
    vacuums: int

    def since(self, before):
        return Counters(*(now - then for now, then in zip(vars(self).values(), vars(before).values())))


class Bloat:
    def __init__(self, deployment, arguments):
        self.deployment = deployment
        self.shops = arguments.shops
        self.campaigns = arguments.campaigns
        deployment.run("shops", "generate", "--count", str(self.shops), "--seed", "1")
        self.session = deployment.connect()
        self.session.execute("CREATE EXTENSION pgstattuple")
        self.figures, self.problems = {}, []

    def measure(self):
        print(HEAD, flush=True)
        empty = self.sizes()
        begun = self.counters()
        first = self.step("campaign 1", self.start, 1, rest=COUNTED_AFTER)
        for number in range(2, self.campaigns):
            self.step(f"campaign {number}", self.start, number)
        name = f"campaign {self.campaigns}"
        last = self.step(name, self.start, self.campaigns, rest=COUNTED_AFTER)
        full = self.judge("after the campaigns")
        for campaign in self.deployment.campaigns():
            self.step(f"end {campaign['campaign']}", self.end, campaign["campaign"])
        self.judge("after the ends")
        time.sleep(COUNTED_AFTER)
        whole = self.counters().since(begun)
        causes = self.campaigns * self.shops
        self.figures |= {
            "live bytes per cause": round((full.live_rows - empty.live_rows) / causes, 1),
            "HOT updates of all (%)": round(100 * whole.hot_updates / max(1, whole.updates), 1),
            "autovacuums": whole.vacuums,
            "WAL of the last campaign to the first": round(last.wal_bytes / first.wal_bytes, 2),
            "database time of the last campaign to the first": round(
                last.database_ms / first.database_ms, 2
            ),
        }
        for table, pruned_by in OTHERS.items():
            size = f"SELECT pg_total_relation_size('{table}')"
            self.figures[f"{table}: bytes"] = self.one(size)
            self.figures[f"{table}: pruned by"] = pruned_by

    def step(self, name, command, number, rest=0):
        """Runs a command to its end, and returns what it cost."""
        time.sleep(rest)
        before, begun = self.counters(), time.monotonic()
        command(number)
        seconds = time.monotonic() - begun
        time.sleep(rest)
        cost, sizes = self.counters().since(before), self.sizes()
        print(row(name, seconds, cost, sizes, self.shops), flush=True)
        return cost

    def start(self, number):
        """Each is narrower than the last one, so that it changes the radius of every shop."""
        words = ("campaign", "start", "--yes", "--all", "--kind", "rider_shortage")
        self.deployment.run(*words, f"--limit={3_000 - number}m")

    def end(self, campaign):
        self.deployment.run("campaign", "end", str(campaign))

    def judge(self, when):
        sizes = self.sizes()
        times = sizes.times_live()
        self.figures |= {
            f"{when}: table (bytes)": sizes.table,
            f"{when}: indexes (bytes)": sizes.indexes,
            f"{when}: live rows (bytes)": sizes.live_rows,
            f"{when}: live rows of indexes (bytes)": sizes.live_index_rows,
            f"{when}: dead rows": sizes.dead_rows,
            f"{when}: times the live bytes": round(times, 2),
        }
        if MOST_TIMES_LIVE < times:
            self.problems.append(f"{when} shop_state has {times:.1f} times its live bytes")
        return sizes

    def sizes(self):
        return Sizes(*self.session.execute(SIZES).fetchone())

    def counters(self):
        """What the database did so far."""
        wal_bytes, *others = self.session.execute(COUNTERS).fetchone()
        return Counters(int(wal_bytes), *others)

    def one(self, query):
        return self.session.execute(query).fetchone()[0]


HEAD = (
    "step           seconds  table MB  indexes MB  live MB  times live  dead rows"
    "  HOT %  WAL bytes/shop  database µs/shop  vacuums"
)


def row(name, seconds, cost, sizes, shops):
    live = sizes.live_rows + sizes.live_index_rows
    hot = 100 * cost.hot_updates / max(1, cost.updates)
    return (
        f"{name:13}{seconds:9.1f}{sizes.table / 1e6:10.1f}{sizes.indexes / 1e6:12.1f}"
        f"{live / 1e6:9.1f}{sizes.times_live():12.2f}{sizes.dead_rows:11,}{hot:7.1f}"
        f"{cost.wal_bytes / shops:16.0f}{1_000 * cost.database_ms / shops:18.0f}{cost.vacuums:9}"
    )


def play(arguments):
    with tempfile.TemporaryDirectory(prefix="catchment-bloat-") as folder:
        with Deployment("bloat", arguments.binaries, Path(folder), arguments.consumers) as one:
            bloat = Bloat(one, arguments)
            try:
                bloat.measure()
                one.stop()
            except Failed as problem:
                bloat.problems.append(str(problem))
    for what, value in bloat.figures.items():
        print(f"{what}: {value}", flush=True)
    return bloat.figures, bloat.problems


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=100_000, campaigns=20, consumers=2)
    command_line.run(options.parse_args(), play)
