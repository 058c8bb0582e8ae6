"""Sends requests to Catchment with confluent-kafka, and writes the replies to a file.

    python3 client.py SERVERS TOPIC AT_ONCE REQUESTS_FILE ENDS_FILE
"""

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

servers, topic, at_once, requests_file, ends_file = sys.argv[1:]
PATIENCE = 30

# The position in the reply topic is known before the first request is sent.
replies = Consumer({"bootstrap.servers": servers, "group.id": f"python-{uuid.uuid4()}"})
reply_topic = f"{topic}.reply"
partitions = replies.list_topics(reply_topic, timeout=10).topics[reply_topic].partitions
ends_of_lanes = []
for partition in partitions:
    _, end = replies.get_watermark_offsets(TopicPartition(reply_topic, partition), timeout=10)
    ends_of_lanes.append(TopicPartition(reply_topic, partition, end))
replies.assign(ends_of_lanes)

# Java's client partitions by murmur2, too; the default of librdkafka is another hash.
producer = Producer({"bootstrap.servers": servers, "partitioner": "murmur2"})


def ask(place, request):
    correlation = uuid.uuid4().bytes
    headers = {"kafka_correlationId": correlation, "kafka_replyTopic": reply_topic}
    producer.produce(topic, key=request["key"], value=request["value"], headers=headers)
    return correlation


def end_of(record):
    reply = json.loads(record.value())
    error = reply.get("error") or {}
    return {
        "id": reply["id"],
        "status": reply["status"],
        "code": error.get("code"),
        "message": error.get("message"),
    }


with open(requests_file, encoding="utf-8") as file:
    requests = [json.loads(line) for line in file]
ends = [{"end": "no reply"} for _ in requests]
asked, waiting = 0, {}
last_reply = time.monotonic()
while (asked < len(requests) or waiting) and time.monotonic() < last_reply + PATIENCE:
    while asked < len(requests) and len(waiting) < int(at_once):
        waiting[ask(asked, requests[asked])] = asked
        asked += 1
    producer.poll(0)
    record = replies.poll(1)
    if record is None or record.error():
        continue
    # Replies to other processes come to the same topic.
    place = waiting.pop(dict(record.headers() or []).get("kafka_correlationId"), None)
    if place is not None:
        ends[place] = end_of(record)
        last_reply = time.monotonic()
with open(ends_file, "w", encoding="utf-8") as file:
    file.writelines(json.dumps(end) + "\n" for end in ends)
producer.flush(10)
replies.close()
