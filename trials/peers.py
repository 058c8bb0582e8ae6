"""Runs other systems' clients against Catchment, and lets them answer our requester.

    scripts/trial peers            # builds the programs, starts the servers, and runs this

Each peer is a small program in `trials/peers`, with the usual settings of its library. As a client
it sends requests to a running Catchment, several at once. A fifth of them must be applied, and a
fifth each unchanged, rejected, unreadable and expired. Every request must get its own reply. As a
replier the peer answers calls of the example `calls` of `catchment-request-reply`, and a fifth of
these calls must fail. If a peer's programs cannot be installed, the peer fails.

CATCHMENT_TEST_KAFKA and CATCHMENT_TEST_POSTGRES name the servers. `scripts/clients` installs the
Python that runs this. npm and Maven install the libraries of the peers, so Node.js 20 and Java 17
are needed. The exit code is 0 only if every peer was right.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from typing import Callable

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewTopic
from deployment import LANES, Deployment, Failed

SOURCES = Path(__file__).resolve().parent / "peers"
# How many seconds a peer's build may take, with its libraries; then all its requests; and then a
# replier until it has its partitions.
BUILT_WITHIN = 1_200
ANSWERED_WITHIN = 300
READY_WITHIN = 120
# How many bytes a program may log.
MOST_LOG = 20_000_000
# The name space of ids for messages without a readable id, from `docs/wire-format.md`.
NO_ID = uuid.UUID("5e2f7c0a-94d1-4b68-8b57-3d6a1f0ce942")


# Peers


@dataclass
class Peer:
    name: str
    # The folders of its sources, in SOURCES. Files of later folders add to those of earlier ones.
    sources: list
    # The commands that build the peer, in the folder to which its sources were copied.
    build: list
    # Makes the client's command from servers, topic, calls at once, and the files of requests and
    # ends.
    client: Callable
    # Makes the replier's command from servers and topic.
    replier: Callable | None = None
    # The name that our requester gives to a failure of the replier.
    failure: str = "rejected"
    # Whether a failure arrives as an error without an id.
    bare_failures: bool = False


def nestjs(version):
    return Peer(
        name=f"NestJS {version}",
        sources=["nestjs", f"nestjs/{version}"],
        build=[["npm", "ci", "--no-audit"], ["node", "node_modules/typescript/bin/tsc"]],
        client=lambda *words: ["node", "client.js", *words],
        replier=lambda *words: ["node", "replier.js", *words],
        failure="failed",
        bare_failures=True,
    )


def spring(name, boot, more=(), is_replier=True):
    def java(profile, servers, topic):
        return [
            "java", "-Xmx256m", "-jar", "target/peer.jar", f"--spring.profiles.active={profile}",
            "--logging.level.root=warn", f"--spring.kafka.bootstrap-servers={servers}",
            f"--topic={topic}",
        ]

    def client(servers, topic, at_once, requests, ends):
        files = [f"--at-once={at_once}", f"--requests={requests}", f"--ends={ends}"]
        return [*java("client", servers, topic), *files, *more]

    profile = f"boot-{boot.split('.')[0]}"
    return Peer(
        name=f"Spring {name}",
        sources=["spring"],
        build=[maven(f"-Dspring-boot.version={boot}", f"--activate-profiles={profile}")],
        client=client,
        replier=(lambda *words: java("replier", *words)) if is_replier else None,
    )


def smallrye():
    def java(profile, servers, topic, *more):
        variables = [f"-Dservers={servers}", f"-Dtopic={topic}", *more]
        return ["java", "-Xmx256m", *variables, "-jar", f"{profile}/quarkus-app/quarkus-run.jar"]

    def client(servers, topic, at_once, requests, ends):
        files = [f"-Dat-once={at_once}", f"-Drequests={requests}", f"-Dends={ends}"]
        return java("client", servers, topic, *files)

    return Peer(
        name="SmallRye",
        sources=["smallrye"],
        build=[maven(f"-Dquarkus.profile={profile}") for profile in ("client", "replier")],
        client=client,
        replier=lambda *words: java("replier", *words),
    )


def maven(*words):
    return ["mvn", "--batch-mode", "--quiet", *words, "package"]


def python():
    return Peer(
        name="Python",
        sources=["python"],
        build=[],
        client=lambda *words: [sys.executable, "client.py", *words],
        replier=lambda *words: [sys.executable, "replier.py", *words],
    )


# Reads the value of a reply as an object.
CONSUMER = "--spring.kafka.consumer"
DESERIALIZER = f"{CONSUMER}.value-deserializer=org.springframework.kafka.support.serializer"
DEFAULT_TYPE = f"{CONSUMER}.properties.spring.json.value.default.type=peers.Reply"
OF_BOOT_3 = [DEFAULT_TYPE, f"{DESERIALIZER}.JsonDeserializer"]
OF_BOOT_4 = [DEFAULT_TYPE, f"{DESERIALIZER}.JacksonJsonDeserializer"]
PEERS = [
    python(),
    nestjs(11),
    nestjs(12),
    spring("Boot 3.3", "3.3.13"),
    spring("Boot 3.5", "3.5.7"),
    spring("Boot 3.5, JSON", "3.5.7", OF_BOOT_3, is_replier=False),
    spring("Boot 4.1", "4.1.2"),
    spring("Boot 4.1, JSON", "4.1.2", OF_BOOT_4, is_replier=False),
    smallrye(),
]


# Requests


@dataclass
class Request:
    key: str
    value: str
    # The expected reply.
    id: str
    status: str
    code: str | None = None
    # A text in the reply's message that no other reply has.
    message: str = ""
    kind: str = ""


def envelope(shop, type_="radius.activate", data=None, **more):
    now = datetime.now(timezone.utc)
    return {
        "id": str(uuid.uuid4()),
        "target": "shop",
        "key": shop,
        "type": type_,
        "data": data or {"kind": "order_surge", "limit": {"metres": 1_000}},
        "requestedAt": instant(now),
        **more,
    }


def instant(when):
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def applied(shop, _):
    value = envelope(shop)
    return Request(shop, json.dumps(value), value["id"], "applied")


def unchanged(shop, _):
    value = envelope(shop, "radius.release", {"kind": "manual"})
    return Request(shop, json.dumps(value), value["id"], "unchanged")


def rejected(_, number):
    shop = f"nowhere-{number}"
    value = envelope(shop)
    return Request(shop, json.dumps(value), value["id"], "rejected", "unknown_shop")


def unreadable(shop, number):
    if number % 2:
        value = envelope(shop, key=f"other-{number}")
        text = json.dumps(value)
        return Request(shop, text, value["id"], "rejected", "unreadable", value["key"])
    text = f"{{no request {number}"
    return Request(shop, text, id_of_bytes(shop, text), "rejected", "unreadable")


def expired(shop, _):
    past = datetime.now(timezone.utc) - timedelta(minutes=1)
    value = envelope(shop, deadline=instant(past))
    return Request(shop, json.dumps(value), value["id"], "expired", "deadline_passed")


def id_of_bytes(key, value):
    """The UUIDv5 of key and value. `uuid.uuid5` takes bytes only from Python 3.12 on."""
    key = key.encode()
    name = b"\x01" + len(key).to_bytes(8, "big") + key + b"\x01" + value.encode()
    digest = hashlib.sha1(NO_ID.bytes + name).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


KINDS = [applied, unchanged, rejected, unreadable, expired]


def mixed(shops):
    """Requests of all kinds in turn, each for another shop."""
    requests = []
    for number, shop in enumerate(shops):
        make = KINDS[number % len(KINDS)]
        request = make(shop, number)
        request.kind = make.__name__
        requests.append(request)
    return requests


# The trial


class Run:
    """All peers, one after the other, against one deployment."""

    def __init__(self, deployment, arguments, folder):
        self.deployment = deployment
        self.arguments = arguments
        # For the files of requests, ends and logs. It is removed after the trial.
        self.folder = folder
        self.problems = []
        deployment.run("shops", "generate", "--count", str(arguments.requests * len(PEERS)))
        with deployment.connect() as session:
            shops = session.execute("SELECT id FROM shop_state ORDER BY id").fetchall()
        self.shops = iter(id for (id,) in shops)

    def meet(self, peer):
        """Returns what a peer did in each of its roles."""
        print(peer.name, flush=True)
        figures = {}
        requests = mixed(islice(self.shops, self.arguments.requests))
        try:
            built = self.build(peer)
            figures["as a client"] = self.ask(peer, built, requests)
            if peer.replier:
                figures["as a replier"] = self.answer(peer, built)
        except Failed as problem:
            self.problems.append(f"{peer.name}: {problem}")
        for role, found in figures.items():
            print(f"  {role}: {found}", flush=True)
        return figures

    def build(self, peer):
        """Copies the sources of a peer to the folder of its build, and builds the peer there."""
        folder = peer.name.lower().replace(",", "").replace(" ", "-")
        built = self.arguments.binaries.parent / "peers" / folder
        for source in peer.sources:
            shutil.copytree(SOURCES / source, built, dirs_exist_ok=True)
        for command in peer.build:
            if shutil.which(command[0]) is None:
                raise Failed(f"{command[0]} is missing")
            self.run(peer, "build", command, built, BUILT_WITHIN)
        return built

    def run(self, peer, what, command, folder, limit, beside=None):
        """Runs a program to its end, and then ends every process that it started.

        If the program needs the process `beside` and that process has ended, the program is ended
        early.
        """
        late = time.monotonic() + limit
        with self.log(peer, what) as log:
            process = started(command, folder, log)
            try:
                while process.poll() is None and not problem_of(log, late, beside):
                    time.sleep(0.2)
                problem = problem_of(log, late, beside)
            finally:
                end(process)
        code = process.returncode
        if code != 0:
            raise Failed(f"{what}: {problem or code}{self.last_words(peer, what)}")

    def log(self, peer, what):
        return open(self.log_file(peer, what), "wb")

    def log_file(self, peer, what):
        return self.folder / f"{peer.name}, {what}.log"

    def last_words(self, peer, what):
        with open(self.log_file(peer, what), "rb") as log:
            log.seek(-min(5_000, os.fstat(log.fileno()).st_size), os.SEEK_END)
            lines = log.read().decode(errors="replace").splitlines()
        return "".join(f"\n  {line}" for line in lines[-10:])

    # As a client

    def ask(self, peer, built, requests):
        asked, ended = self.folder / "requests", self.folder / "ends"
        lines = [json.dumps({"key": one.key, "value": one.value}) for one in requests]
        asked.write_text("".join(f"{line}\n" for line in lines))
        ended.unlink(missing_ok=True)
        at_once = str(self.arguments.at_once)
        words = [self.deployment.kafka, self.deployment.requests, at_once, str(asked), str(ended)]
        begun = time.monotonic()
        self.run(peer, "client", peer.client(*words), built, ANSWERED_WITHIN)
        seconds = time.monotonic() - begun
        ends = [json.loads(line) for line in ended.read_text().splitlines()]
        return self.judge(peer, requests, ends) | {"seconds": round(seconds, 1)}

    def judge(self, peer, requests, ends):
        figures = Counter({"requests": len(requests), "answered": 0, "matched": 0})
        wrong = [f"{len(ends)} ends of {len(requests)} requests"] * (len(ends) != len(requests))
        for request, end in zip(requests, ends):
            if "end" in end:
                wrong.append(f"{request.kind}: {end['end']}")
                continue
            figures["answered"] += 1
            # An error has no id: its code and message show to which request it belongs.
            has_id = not peer.bare_failures or end["status"] in ("applied", "unchanged")
            found = (end["status"], end.get("code"), end.get("id") if has_id else request.id)
            told = end.get("message") or ""
            if found == (request.status, request.code, request.id) and request.message in told:
                figures["matched"] += 1
                figures[f"{request.kind}: {request.status}"] += 1
            else:
                wrong.append(f"{request.kind}: {end} for {request}")
        self.note(peer, "as a client", wrong)
        return dict(figures)

    # As a replier

    def answer(self, peer, built):
        topic = f"{self.deployment.name}.{uuid.uuid4().hex[:8]}"
        replies = f"{topic}.replies"
        self.create({topic: LANES, replies: 1})
        arguments = self.arguments
        calls = [arguments.binaries.resolve() / "examples" / "calls", self.deployment.kafka]
        calls += [topic, replies, str(arguments.requests), str(arguments.at_once)]
        with self.replier(peer, built, topic) as replier:
            begun = time.monotonic()
            self.run(peer, "our requester", calls, built, ANSWERED_WITHIN, beside=replier)
            seconds = time.monotonic() - begun
        said = self.log_file(peer, "our requester").read_text().splitlines()
        ends = json.loads(said[-1])["ends"]
        failures = len(range(0, arguments.requests, 5))
        expected = {"applied": arguments.requests - failures, peer.failure: failures}
        wrong = [f"{ends}, not {expected}"] * (ends != expected)
        self.note(peer, "as a replier", wrong)
        return {"calls": arguments.requests, **ends, "seconds": round(seconds, 1)}

    @contextlib.contextmanager
    def replier(self, peer, built, topic):
        """Runs a peer as a replier inside `with`, and gives its process."""
        command = peer.replier(self.deployment.kafka, topic)
        with self.log(peer, "replier") as log:
            process = started(command, built, log)
        late = time.monotonic() + READY_WITHIN
        try:
            while not self.is_read(topic):
                if late < time.monotonic() or process.poll() is not None:
                    raise Failed(f"no replier{self.last_words(peer, 'replier')}")
                time.sleep(0.5)
            yield process
        finally:
            end(process)

    def is_read(self, topic):
        """Whether a group has all partitions of a topic; NestJS adds to the group's name."""
        groups = [topic, f"{topic}-server"]
        described = self.deployment.admin.describe_consumer_groups(groups, request_timeout=10)
        partitions = 0
        for group in described.values():
            # A group that does not exist is an error.
            with contextlib.suppress(KafkaException):
                members = group.result().members
                partitions += sum(len(one.assignment.topic_partitions) for one in members)
        return partitions == LANES

    def create(self, topics):
        new = [NewTopic(name, partitions, 1) for name, partitions in topics.items()]
        for created in self.deployment.admin.create_topics(new).values():
            created.result()

    def note(self, peer, role, wrong):
        if wrong:
            self.problems.append(f"{peer.name} {role}: {len(wrong)} wrong, the first: {wrong[0]}")


def started(command, folder, log):
    """Starts a program in a session of its own, so that its child processes can be ended, too."""
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True,
    )


def problem_of(log, late, beside):
    """Says why a program must be ended early, or returns `None`."""
    if late < time.monotonic():
        return "it does not end"
    if beside and beside.poll() is not None:
        return "the program that it needs is gone"
    # If a Spring client cannot read a reply, it tries for ever, and logs each time.
    if MOST_LOG < os.fstat(log.fileno()).st_size:
        return "it logs without end"
    return None


def end(process):
    """Ends a program and every process that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000, help="of each client")
    parser.add_argument("--at-once", type=int, default=50, help="requests that wait for a reply")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peer", action="append", choices=names, help="only this one")
    parser.add_argument("--binaries", type=Path, required=True, help="the folder of the programs")
    parser.add_argument("--json", action="store_true", help="the last line is for programs")
    return parser.parse_args()


def main():
    arguments = parse()
    # SIGTERM ends this process like an error: its processes are ended and its files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="catchment-peers-") as folder:
        with Deployment("peers", arguments.binaries, Path(folder), 1) as deployment:
            run = Run(deployment, arguments, Path(folder))
            chosen = [peer for peer in PEERS if peer.name in (arguments.peer or [peer.name])]
            figures = {peer.name: run.meet(peer) for peer in chosen}
            deployment.stop()
    if arguments.json:
        print(json.dumps(figures))
    if run.problems:
        sys.exit("\n".join(run.problems))


if __name__ == "__main__":
    main()
