"""A requester and consumers as processes, on topics and a database of their own."""

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from urllib.parse import urlsplit

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

LANES = 12
# How many seconds a process may take to start working, and to end when it is told to.
PATIENCE = 60
# How long a single command may take, in seconds.
COMMAND_LIMIT = 900


class Failed(Exception):
    """Why a trial did not pass, in one line."""


class Deployment:
    """Started by `with`; at the end every process is gone, and so are topics and database."""

    def __init__(self, name, binaries, folder, consumers):
        self.binaries = binaries
        self.folder = folder
        self.name = f"{name}_{uuid.uuid4().hex[:12]}"
        server = urlsplit(os.environ["CATCHMENT_TEST_POSTGRES"])
        self.server = server.geturl()
        self.url = server._replace(path=f"/{self.name}").geturl()
        self.kafka = os.environ["CATCHMENT_TEST_KAFKA"]
        # It is kept for the whole run: its pending results end with it.
        self.admin = AdminClient({"bootstrap.servers": self.kafka, "log_level": 3})
        self.requests = f"{self.name}.requests"
        self.names = ["requester", *(f"consumer-{n + 1}" for n in range(consumers))]
        self.services = {}
        self.commands = []
        self.environment = os.environ | {
            "CATCHMENT__DATABASE__URL": self.url,
            "CATCHMENT__DATABASE__LANES": str(LANES),
            "CATCHMENT__KAFKA__BOOTSTRAP_SERVERS": self.kafka,
            "CATCHMENT__KAFKA__REQUESTS_TOPIC": self.requests,
            "CATCHMENT__KAFKA__REPLIES_TOPIC": f"{self.name}.replies",
            "CATCHMENT__KAFKA__GROUP_ID": self.name,
            "CATCHMENT__PROBES__ADDRESS": "none",
            # No process outlives this one: its end of their pipe closes with it.
            "CATCHMENT__SHUTDOWN__WITH_STDIN": "true",
        }

    def __enter__(self):
        try:
            self.run("database", "migrate", "--create")
            self.run("topics", "create")
            for name in self.names:
                self.start(name)
            self.wait("every lane has a consumer", lambda: len(self.owners()) == LANES)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in [*self.commands, *self.services.values()]:
            # A frozen process takes no other signal.
            process.kill()
            process.wait()
        topics = [name for name in self.admin.list_topics(timeout=10).topics if self.owns(name)]
        if topics:
            for deleted in self.admin.delete_topics(topics).values():
                with contextlib.suppress(Exception):
                    deleted.result()
        with psycopg.connect(self.server, autocommit=True) as session:
            session.execute(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def owns(self, topic):
        return topic.startswith(f"{self.name}.")

    def connect(self):
        """A session of the trial's own; every statement is a transaction."""
        return psycopg.connect(self.url, autocommit=True)

    # Programs

    def command(self, *words):
        return [str(self.binaries / "catchment"), *words, "--json"]

    def run(self, *words, expected=(0,)):
        """Runs a command to its end and returns the JSON values that it printed."""
        done = subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True,
            timeout=COMMAND_LIMIT,
        )
        if done.returncode not in expected:
            raise Failed(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def launch(self, *words):
        """Starts a command and does not wait for it."""
        with open(self.folder / "commands.log", "ab") as log:
            process = subprocess.Popen(
                self.command(*words), env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )
        self.commands.append(process)
        return process

    def start(self, name):
        """Starts the requester or a consumer; Kafka knows it by this name, too."""
        environment = self.environment | {"CATCHMENT__KAFKA__PROPERTIES__CLIENT_ID": name}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.services[name] = subprocess.Popen(
                [self.binaries / name.split("-")[0]], env=environment, stdin=subprocess.PIPE,
                stdout=log, stderr=log,
            )

    def kill(self, name):
        self.services[name].kill()
        self.services[name].wait()
        self.services[name].stdin.close()

    def freeze(self, name):
        self.services[name].send_signal(signal.SIGSTOP)

    def thaw(self, name):
        self.services[name].send_signal(signal.SIGCONT)

    def stop(self):
        """Ends all services in order, and checks that each was still running."""
        for name, process in self.services.items():
            process.terminate()
            code = process.wait(timeout=PATIENCE)
            if code != 0:
                raise Failed(f"the {name} ended with {code}{self.last_words(name)}")

    def last_words(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return "".join(f"\n  {line}" for line in lines[-10:])

    # States

    def owners(self):
        """The consumer of each lane that has one, as far as Kafka knows."""
        described = self.admin.describe_consumer_groups([self.name], request_timeout=10)
        try:
            group = described[self.name].result()
        except KafkaException:
            # Its coordinator is not there yet.
            return {}
        return {
            partition.partition: member.client_id
            for member in group.members
            for partition in member.assignment.topic_partitions
        }

    def wait(self, what, is_so, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not is_so():
            if end < time.monotonic():
                raise Failed(f"not so within {seconds} s: {what}")
            time.sleep(0.5)

    def campaigns(self):
        return self.run("campaign", "list")
