"""A PgBouncer before the trial's PostgreSQL."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR") or "target") / "pgbouncer"
# How many seconds it may take to listen, or to end.
PATIENCE = 10


class PgBouncer:
    """Listens inside `with`. Whoever connects is the server's superuser."""

    def __init__(self, server, **settings):
        self.server = urlsplit(server)
        self.settings = settings
        self.port = free_port()
        # As root it does not run, and another user gets into no folder below /root.
        self.user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="catchment-pgbouncer-")
        home = Path(self.folder.name)
        programs = home / "programs"
        shutil.copytree(PROGRAM, programs, ignore=shutil.ignore_patterns("packages"))
        (home / "pgbouncer.ini").write_text(self.configuration())
        identity = {}
        if self.user is not None:
            os.chown(home, self.user.pw_uid, self.user.pw_gid)
            identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        folders = {str(file.parent) for file in programs.glob("**/*.so*")}
        environment = os.environ | {"LD_LIBRARY_PATH": ":".join(sorted(folders))}
        with open(home / "log", "wb") as log:
            self.process = subprocess.Popen(
                [programs / "usr" / "sbin" / "pgbouncer", home / "pgbouncer.ini"], cwd="/",
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **identity,
            )
        end = time.monotonic() + PATIENCE
        while not self.listens():
            if self.process.poll() is not None or end < time.monotonic():
                words = (home / "log").read_text(errors="replace")
                self.close()
                raise OSError(f"PgBouncer does not start:\n{words}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()

    def configuration(self):
        server = self.server
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            # The line of the databases names the user.
            "auth_type": "any",
            # More than all processes of a trial need.
            "default_pool_size": 60,
            "max_client_conn": 200,
            **self.settings,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        return (
            f"[databases]\n* = host={server.hostname} port={server.port} user={server.username} "
            f"password={server.password}\n[pgbouncer]\n{lines}"
        )

    def listens(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def url(self, database):
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
