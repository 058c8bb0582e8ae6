"""Breaks one lane, or one consumer, and measures what the other lanes lose by it.

    scripts/trial standstill            # builds the programs, starts the servers, and runs this

Each fault has a run of its own, with topics and a database of its own. A run starts campaigns over
all shops, and calls single shops all the time. It measures 20 s, causes the fault, measures until
the fault is over, and waits until every campaign is settled. A fault passes if the other lanes
keep at least 80 % of their rate, and if the p99 of calls in them stays below 3 times the p99 of the
20 s before. The lanes of a faulted consumer count as other lanes once its session has ended. A run
without a fault shows how far rates differ by themselves.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers; `scripts/clients` brings the
Python that runs this. Exit code 0 only if every fault passed.
"""

import contextlib
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import command_line
from calls import Calls, caller, percentile
from deployment import LANES, Deployment, Failed
from progress import Progress

LEAST_RATE_KEPT = 0.8
MOST_P99_TIMES = 3
CALLS_PER_SECOND = 100
# The lane whose rows are locked, or that has the odd row or record.
LANE = 5
# The consumer that is frozen or killed.
CONSUMER = "consumer-1"
# After how many seconds without a sign of life a consumer's lanes must work elsewhere: its session
# is 8 s long, and the others hear of its end within 3 s.
SESSION = 11
# How many seconds a lane that is struck stands still, at the least.
LEAST_STANDSTILL = 3
# Seconds: until the load is steady, before the fault, and after it.
WARM_UP, BEFORE, AFTER = 20, 20, 10
# How many seconds campaigns may take to settle after the fault.
SETTLED_WITHIN = 300


@dataclass
class Struck:
    """The lanes that a fault strikes, and after how many seconds they must work again."""

    lanes: set
    seconds: float = math.inf
    # Whether these lanes stand still before that.
    stand_still: bool = True


@dataclass
class Fault:
    # How long it lasts, or for how long its effect is measured.
    seconds: int
    # A context: the fault is there inside it.
    cause: Callable


@contextlib.contextmanager
def nothing(_run):
    yield Struck(set())


@contextlib.contextmanager
def locked(run, rows):
    """Another program locks rows of a lane, and does nothing."""
    with run.deployment.connect() as session, session.transaction():
        session.execute(f"{rows} FOR UPDATE", [LANE])
        yield Struck({LANE})


def locked_rows(run):
    return locked(run, "SELECT id FROM shop_state WHERE lane = %s ORDER BY id")


def locked_lane(run):
    return locked(run, "SELECT lane FROM lane_state WHERE lane = %s")


@contextlib.contextmanager
def away(run, leave, come_back):
    """A consumer is away, and its lanes stand still until its session is over."""
    lanes = run.lanes_of(CONSUMER)
    leave(CONSUMER)
    yield Struck(lanes, SESSION)
    come_back(CONSUMER)


def frozen_consumer(run):
    return away(run, run.deployment.freeze, run.deployment.thaw)


def killed_consumer(run):
    return away(run, run.deployment.kill, run.deployment.start)


@contextlib.contextmanager
def zstd_record(run):
    """A client compresses its request with zstd. It has to be answered like any other."""
    producer = caller({"bootstrap.servers": run.deployment.kafka, "compression.type": "zstd"})
    shop = run.shops_of(LANE)[0]
    request = run.calls.call(LANE, shop, producer)
    producer.flush(10)
    yield Struck(set())
    status = run.calls.made[request].status
    if status not in ("applied", "unchanged"):
        run.problems.append(f"the request that was compressed with zstd was answered: {status}")


@contextlib.contextmanager
def corrupt_row(run):
    """The causes of one shop cannot be decoded for a while."""
    row = [LANE, run.shops_of(LANE)[0]]
    of_row = "WHERE lane = %s AND id = %s"
    with run.deployment.connect() as session:
        with session.transaction():
            causes = session.execute(f"SELECT causes FROM shop_state {of_row} FOR UPDATE", row)
            (causes,) = causes.fetchone()
            session.execute(f"UPDATE shop_state SET causes = '\\xff' {of_row}", row)
        yield Struck({LANE}, stand_still=False)
        session.execute(f"UPDATE shop_state SET causes = %s {of_row}", [causes, *row])


FAULTS = {
    "nothing": Fault(20, nothing),
    "locked-rows": Fault(60, locked_rows),
    "locked-lane": Fault(60, locked_lane),
    "frozen-consumer": Fault(20, frozen_consumer),
    "killed-consumer": Fault(20, killed_consumer),
    "zstd-record": Fault(20, zstd_record),
    "corrupt-row": Fault(20, corrupt_row),
}


class Run:
    """One fault, and what works beside it."""

    def __init__(self, fault, deployment, shops):
        self.fault = fault
        self.deployment = deployment
        self.shops = shops
        deployment.run("shops", "generate", "--count", str(shops), "--seed", "1")
        self.to_call = self.shops_to_call()
        self.calls = Calls(deployment, self.to_call, CALLS_PER_SECOND)
        self.progress = Progress(deployment)
        self.begun = self.ended = 0
        self.figures, self.problems = {}, []

    def shops_to_call(self):
        """200 shops of each lane, lane by lane in turn."""
        ranked = """
            SELECT lane, id FROM (
                SELECT lane, id, row_number() OVER (PARTITION BY lane ORDER BY id) AS place
                FROM shop) AS ranked
            WHERE place <= 200 ORDER BY place, lane"""
        with self.deployment.connect() as session:
            return session.execute(ranked).fetchall()

    def shops_of(self, wanted):
        return [shop for lane, shop in self.to_call if lane == wanted]

    def lanes_of(self, consumer):
        return {lane for lane, owner in self.deployment.owners().items() if owner == consumer}

    def measure(self):
        with self.progress, self.calls:
            self.load()
            self.urgent_campaign("before", 0)
            time.sleep(BEFORE)
            self.begun = time.monotonic()
            with self.fault.cause(self) as struck:
                others = set(range(LANES)) - struck.lanes
                self.urgent_campaign("during", min(others))
                time.sleep(max(0, self.begun + self.fault.seconds - time.monotonic()))
                self.ended = time.monotonic()
            self.check_load(others)
            time.sleep(AFTER)
        self.show(struck)
        self.judge(struck, others)
        self.wait_until_settled()
        self.figures["settled after (s)"] = round(time.monotonic() - self.ended, 1)

    def load(self):
        """Starts campaigns that last for the whole run, however fast this machine is."""
        begun = time.monotonic()
        self.deployment.run(*self.campaign(0))
        rate = self.shops / (time.monotonic() - begun)
        seconds = WARM_UP + BEFORE + self.fault.seconds + AFTER
        for number in range(1, math.ceil(2 * rate * seconds / self.shops) + 1):
            watching = self.deployment.launch(*self.campaign(number))
            self.deployment.wait(
                "the campaign is stored", lambda: len(self.deployment.campaigns()) == number + 1
            )
            # It would only wait from here on, and that costs time of the processors.
            watching.kill()
        time.sleep(WARM_UP)

    def campaign(self, number):
        """Each is narrower than the last one, so that it changes the radius of every shop."""
        words = ("campaign", "start", "--yes", "--all", "--kind", "rider_shortage")
        return (*words, f"--limit={3_000 - number}m")

    def check_load(self, lanes):
        """A lane without work would seem to stand still."""
        with self.deployment.connect() as session:
            busy = session.execute("SELECT DISTINCT lane FROM campaign_chunk WHERE open > 0")
            idle = lanes - {lane for (lane,) in busy}
        if idle:
            self.problems.append(f"the campaigns ended too early in lanes {sorted(idle)}")

    def urgent_campaign(self, when, lane):
        """Measures how long a campaign over 20 shops of a sound lane takes."""
        ids = self.deployment.folder / "urgent.txt"
        ids.write_text("\n".join(self.shops_of(lane)[:20]))
        begun = time.monotonic()
        self.deployment.run(
            "campaign", "start", "--kind", "manual", "--limit", "2km", "--ids", str(ids)
        )
        taken = round(time.monotonic() - begun, 1)
        self.figures[f"campaign of 20 shops {when} (s)"] = taken

    def wait_until_settled(self):
        def is_settled():
            return all(campaign["open"] == 0 for campaign in self.deployment.campaigns())

        self.deployment.wait("every campaign is settled", is_settled, SETTLED_WITHIN)

    def judge(self, struck, others):
        self.compare("other lanes", others, self.begun)
        if not struck.lanes:
            return
        stood = self.progress.standstill(struck.lanes, self.begun, self.ended)
        self.figures["struck lanes"] = " ".join(map(str, sorted(struck.lanes)))
        self.figures["struck lanes: longest standstill (s)"] = round(stood, 1)
        if struck.stand_still and stood < LEAST_STANDSTILL:
            self.problems.append("the fault did not strike")
        if struck.seconds < self.fault.seconds:
            self.compare("struck lanes later", struck.lanes, self.begun + struck.seconds)

    def compare(self, name, lanes, since):
        """Holds what lanes did from a moment of the fault on against what they did before it."""
        before, during = (self.begun - BEFORE, self.begun), (since, self.ended)
        rates = [self.progress.rate(lanes, *window) for window in (before, during)]
        p99s = [self.p99(lanes, *window) for window in (before, during)]
        kept, times = rates[1] / rates[0], p99s[1] / p99s[0]
        self.figures |= {
            f"{name}: requests/s before": round(rates[0]),
            f"{name}: requests/s during": round(rates[1]),
            f"{name}: rate kept": round(kept, 2),
            f"{name}: longest standstill (s)": round(self.progress.standstill(lanes, *during), 1),
            f"{name}: p99 of calls before (ms)": round(p99s[0]),
            f"{name}: p99 of calls during (ms)": round(p99s[1]),
            f"{name}: p99 times": round(times, 2),
        }
        if kept < LEAST_RATE_KEPT:
            self.problems.append(f"the {name} kept {kept:.2f} of their rate")
        if MOST_P99_TIMES <= times:
            self.problems.append(f"calls in the {name} took {times:.1f} times as long")

    def p99(self, lanes, since, until):
        times = self.calls.times(lambda call: call.lane in lanes and since <= call.sent < until)
        return 1_000 * percentile(times, 99)

    def show(self, struck):
        """Prints the rate of each lane, second by second, as tenths of its rate before."""
        print("each second: tenths of the rate before (9: 90 % or more, .: nothing); fault in ||")
        for lane in range(LANES):
            before = self.progress.rate([lane], self.begun - BEFORE, self.begun)
            seconds = range(-BEFORE, self.fault.seconds + AFTER)
            marks = "".join(self.mark(lane, second, before) for second in seconds)
            name = f"lane {lane}{'*' if lane in struck.lanes else ''}"
            print(f"{name:9}{before:7.0f}/s {marks}", flush=True)

    def mark(self, lane, second, before):
        since = self.begun + second
        rate = self.progress.rate([lane], since, since + 1)
        edge = "|" if second in (0, self.fault.seconds) else ""
        return edge + (str(min(9, int(10 * rate / before))) if rate and before else ".")


def play(name, arguments):
    """Returns what a fault showed, and the bars that were not held."""
    fault = FAULTS[name]
    print(f"{name}: {fault.seconds} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="catchment-standstill-") as folder:
        with Deployment("standstill", arguments.binaries, Path(folder), arguments.consumers) as one:
            run = Run(fault, one, arguments.shops)
            try:
                run.measure()
                one.stop()
            except Failed as problem:
                run.problems.append(str(problem))
    for what, value in run.figures.items():
        print(f"  {what}: {value}", flush=True)
    return run.figures, [f"{name}: {problem}" for problem in run.problems]


def play_all(arguments):
    figures, problems = {}, []
    for name in arguments.fault or FAULTS:
        figures[name], new = play(name, arguments)
        problems += new
    return figures, problems


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=300_000, consumers=3)
    options.add_argument("--fault", action="append", choices=FAULTS, help="only this one")
    command_line.run(options.parse_args(), play_all)
