"""Single calls over Kafka, at a steady pace, and how long each of them took."""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from background import Background


@dataclass
class Call:
    lane: int
    sent: float
    took: float | None = None
    status: str | None = None


class Calls(Background):
    """Calls shops in turn inside `with`, and does not wait for a reply before the next call.

    Replies come to a topic that nobody else reads, so they hold up no requester.
    """

    def __init__(self, deployment, shops, per_second):
        super().__init__()
        self.shops = shops
        self.pause = 1 / per_second
        self.topic = deployment.requests
        self.reply_topic = f"{self.topic}.reply"
        created = deployment.admin.create_topics([NewTopic(self.reply_topic, 1, 1)])
        created[self.reply_topic].result()
        # The client logs errors alone.
        servers = {"bootstrap.servers": deployment.kafka, "log_level": 3}
        self.producer = caller(servers)
        self.replies = Consumer(servers | {"group.id": self.reply_topic})
        self.replies.assign([TopicPartition(self.reply_topic, 0, 0)])
        self.made = {}

    def close(self):
        self.replies.close()
        self.producer.purge()
        self.producer.flush(1)

    def run(self):
        due = time.monotonic()
        while not self.stopped.is_set():
            if due <= time.monotonic():
                self.call(*self.shops[len(self.made) % len(self.shops)], self.producer)
                due += self.pause
            self.take(self.replies.poll(max(0, due - time.monotonic())))

    def call(self, lane, shop, producer):
        """Sends one request, and returns the id by which its reply is known."""
        number = len(self.made)
        name = str(uuid.uuid4())
        headers = {"kafka_correlationId": name, "kafka_replyTopic": self.reply_topic}
        # Wider than every campaign. It differs from the last call's, so that each call writes.
        value = request(name, shop, 4_000 + number % 100)
        self.made[name] = Call(lane, time.monotonic())
        producer.produce(self.topic, key=shop, value=value, headers=headers)
        producer.poll(0)
        return name

    def take(self, reply):
        if reply is None or reply.error():
            return
        value = json.loads(reply.value())
        call = self.made[value["id"]]
        call.took = call.took or time.monotonic() - call.sent
        call.status = value["status"]

    def times(self, chosen):
        """How long each of the chosen calls took; one without a reply took at least until now."""
        now = time.monotonic()
        return [call.took or now - call.sent for call in list(self.made.values()) if chosen(call)]


def caller(settings):
    """A producer that chooses a shop's lane as Catchment does."""
    return Producer(settings | {"partitioner": "murmur2", "linger.ms": 0})


def request(name, shop, metres):
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return json.dumps({
        "id": name,
        "target": "shop",
        "key": shop,
        "type": "radius.activate",
        "data": {"kind": "order_surge", "limit": {"metres": metres}},
        "requestedAt": now.replace("+00:00", "Z"),
    })


def percentile(times, percent):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
