"""The servers' programs, from Maven's repository."""

import hashlib
import platform
import shutil
import subprocess
import sys

from server import SETTINGS, Broken, tail


def bring(folder):
    """Brings the servers' files, unless these very versions are there. Returns their folder."""
    need("java", "default-jre-headless")
    pom = SETTINGS / "pom.xml"
    libraries = folder / f"libraries-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not libraries.exists():
        need("mvn", "maven")
        print("services: downloading Kafka and PostgreSQL, once", file=sys.stderr, flush=True)
        fresh = folder / "libraries.new"
        shutil.rmtree(fresh, ignore_errors=True)
        download(pom, fresh, folder / "maven.log")
        fresh.rename(libraries)
    return libraries


def download(pom, target, log):
    machine = {"x86_64": "amd64", "aarch64": "arm64v8"}.get(platform.machine(), platform.machine())
    command = [
        "mvn", "--quiet", "--batch-mode", "--file", str(pom),
        "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
        f"-DoutputDirectory={target}", f"-Dpostgres.platform=linux-{machine}",
    ]
    with open(log, "wb") as out:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if done.returncode != 0:
        raise Broken(f"Maven failed; {log} ends with:\n{tail(log)}")


def need(program, package):
    if shutil.which(program) is None:
        remedy = f"apt-get install --yes {package}"
        raise Broken(f"`{program}` is missing; install it with: {remedy}")
