"""Answers requests with confluent-kafka, in both families of headers.

    python3 replier.py SERVERS TOPIC
"""

import json
import sys

from confluent_kafka import Consumer, Producer

servers, topic = sys.argv[1:]
FAMILIES = [("kafka_correlationId", "kafka_replyTopic"), ("REPLY_CORRELATION_ID", "REPLY_TOPIC")]

producer = Producer({"bootstrap.servers": servers})
requests = Consumer({
    "bootstrap.servers": servers, "group.id": topic, "auto.offset.reset": "earliest",
})


def answer(record):
    request = json.loads(record.value())
    status = "rejected" if request["fail"] else "applied"
    value = {"id": request["id"], "key": request["key"], "status": status}
    headers = dict(record.headers() or [])
    correlation, reply_topic = next(names for names in FAMILIES if names[1] in headers)
    producer.produce(
        headers[reply_topic].decode(), key=record.key(), value=json.dumps(value),
        headers={correlation: headers[correlation]},
    )
    producer.poll(0)


requests.subscribe([topic], on_assign=lambda *_: print("ready", flush=True))
while True:
    record = requests.poll(1)
    if record is not None and not record.error():
        answer(record)
