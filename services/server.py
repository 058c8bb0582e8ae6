"""What Kafka and PostgreSQL have in common: how a server is started, found and ended."""

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent
ATTEMPTS = 3
# How many seconds a server may take to answer, or to stop before it is killed.
PATIENCE = 60
# Below Linux's range for outgoing connections, so that a port is still free after a restart.
PORTS = range(20000, 32000)


class Broken(Exception):
    """What the user has to know, in one line."""


class Server:
    """A server of ours, found by its command line: no file can name the wrong process."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / f"{self.name}.log"

    def pids(self):
        return [pid for pid in all_pids() if self.is_mine(command_line(pid))]

    def running(self):
        return bool(self.pids()) and self.answers()

    def start(self, libraries):
        """Starts the server unless it answers already, on its last ports where they are free."""
        if self.running():
            return
        # Half started, frozen, or left over from a killed `start`.
        self.stop()
        for _ in range(ATTEMPTS):
            self.prepare(libraries)
            process = self.launch(libraries)
            if self.wait_until_it_answers(process):
                return
            # Another process was quicker to take the port, or an old server's last child lives.
            time.sleep(1)
        raise Broken(f"{self.name} does not start; {self.log} ends with:\n{tail(self.log)}")

    def wait_until_it_answers(self, process):
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            if self.answers():
                return True
            if end < time.monotonic():
                self.stop()
                return False
            time.sleep(0.1)
        return False

    def spawn(self, command, **how):
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **how,
            )

    def finish(self, command, **how):
        """Runs one of the server's tools to its end."""
        if self.spawn(command, **how).wait() != 0:
            raise Broken(f"{command[0]} failed; {self.log} ends with:\n{tail(self.log)}")

    def stop(self):
        """Stops the server, and kills it where it takes too long."""
        self.end_all(self.stop_signal, signal.SIGKILL)

    def kill(self):
        """Ends the server as a crash does."""
        self.end_all(signal.SIGKILL)

    def end_all(self, *signs):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                self.end(os.pidfd_open(pid), pid, signs)

    def end(self, process, pid, signs):
        """Ends one process, which the descriptor names even when its number is given away."""
        try:
            for sign in signs:
                if not self.is_mine(command_line(pid)):
                    return
                signal.pidfd_send_signal(process, sign)
                if select.select([process], [], [], PATIENCE)[0]:
                    return
        finally:
            os.close(process)

    def remembered(self):
        try:
            return json.loads((self.folder / f"{self.name}.json").read_text())
        except (OSError, ValueError):
            return {}

    def remember(self, values):
        write(self.folder / f"{self.name}.json", json.dumps(values), mode=0o600)
        return values


def all_pids():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def command_line(pid):
    """The words of a process's command line, at least one; of none when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")[:-1].split("\0")
    except OSError:
        return [""]


def ask(port, request, size):
    """The first bytes of a server's answer, or fewer where there is none."""
    reply = b""
    with contextlib.suppress(OSError, TypeError):
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request)
            while len(reply) < size and (part := connection.recv(size - len(reply))):
                reply += part
    return reply


def free_port(last):
    """The port of last time where nobody has it by now, else another."""
    for port in [last or random.choice(PORTS), *random.sample(PORTS, 100)]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise Broken(f"no port between {PORTS[0]} and {PORTS[-1]} is free")


def write(path, text, mode=0o644):
    """Writes a file whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.rename(path)


def remove(*paths):
    for path in paths:
        path.unlink(missing_ok=True)


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
