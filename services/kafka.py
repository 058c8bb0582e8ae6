"""One Kafka broker, its own controller."""

import base64
import shutil
import signal
import struct
import uuid
from pathlib import Path

from server import SETTINGS, Server, ask, free_port, remove, write


class Kafka(Server):
    name = "kafka"
    variable = "CATCHMENT_TEST_KAFKA"
    setting = "CATCHMENT__KAFKA__BOOTSTRAP_SERVERS"
    stop_signal = signal.SIGTERM

    def __init__(self, folder, heap):
        super().__init__(folder)
        self.heap = heap
        self.data = folder / "kafka"
        self.properties = folder / "kafka.properties"

    def is_mine(self, words):
        return Path(words[0]).name == "java" and words[-1] == str(self.properties)

    def address(self):
        return f"127.0.0.1:{self.remembered().get('port')}"

    def prepare(self, libraries):
        was = self.remembered()
        now = self.remember({
            "port": free_port(was.get("port")),
            "controller": free_port(was.get("controller")),
            "cluster": was.get("cluster") or cluster_id(),
        })
        broker, controller = f"127.0.0.1:{now['port']}", f"127.0.0.1:{now['controller']}"
        write(self.properties, (SETTINGS / "kafka.properties").read_text() + "\n".join([
            "",
            f"listeners=PLAINTEXT://{broker},CONTROLLER://{controller}",
            f"advertised.listeners=PLAINTEXT://{broker}",
            f"controller.quorum.voters=1@{controller}",
            f"log.dirs={self.data}",
            "",
        ]))
        if not (self.data / "meta.properties").exists():
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={now['cluster']}"]
            self.finish(self.java(libraries, "256m", *tool, "-c", str(self.properties)))

    def launch(self, libraries):
        return self.spawn(self.java(libraries, self.heap, "kafka.Kafka", str(self.properties)))

    def java(self, libraries, heap, *words):
        level = "-Dorg.apache.logging.log4j.level=WARN"
        return ["java", f"-Xmx{heap}", level, "-cp", f"{libraries}/*", *words]

    def answers(self):
        """Whether the broker names itself when it is asked for metadata."""
        metadata = struct.pack(">hhihi", 3, 1, 1, -1, 0)
        request = struct.pack(">i", len(metadata)) + metadata
        reply = ask(self.remembered().get("port"), request, 12)
        return len(reply) == 12 and struct.unpack(">iii", reply)[2] == 1

    def clean(self):
        shutil.rmtree(self.data, ignore_errors=True)
        remove(self.log, self.properties, self.folder / "kafka.json")


def cluster_id():
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
