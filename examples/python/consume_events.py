"""Reads every life-cycle event of a topic, and proves that it missed none.

usage: consume_events.py BROKERS TOPIC [COUNT]

Prints one line for each event and ends after COUNT events. It assigns itself all partitions and begins at their first records; a
service would store the position and the offset of each partition in one transaction with its results, and begin after them.
"""

import sys

from cmgate.v1 import request_event_pb2, request_pb2
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition


class Incomplete(Exception):
    """Events are missing."""


class Events:
    """Checks that positions and versions have no gaps."""

    def __init__(self):
        self.positions = {}  # the last position of each partition
        self.versions = {}  # the last version of each request

    def read(self, record):
        """Returns the event of a record; None if the record repeats one, is of another kind, or belongs to someone else."""
        headers = dict(record.headers() or [])
        if "x-pos" not in headers:
            return None
        partition, position = record.partition(), int(headers["x-pos"])
        last = self.positions.get(partition)
        if last is not None and position <= last:
            return None
        if last is not None and position != last + 1:
            raise Incomplete(f"partition {partition}: position {position} follows {last}")
        self.positions[partition] = position
        if not headers["ce_type"].startswith(b"cmgate.request."):
            return None
        event = request_event_pb2.RequestEvent.FromString(record.value())
        request = event.request
        version = self.versions.get(request.id)
        if version is not None and request.version != version + 1:
            raise Incomplete(f"request {request.id}: version {request.version} follows {version}")
        self.versions[request.id] = request.version
        return event


def main(brokers, topic, count=None):
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "unused",  # librdkafka asks for one even without a group
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    events, received = Events(), 0
    try:
        while count is None or received < count:
            record = consumer.poll(1.0)
            if record is None:
                continue
            if record.error():
                raise KafkaException(record.error())
            event = events.read(record)
            if event is None:
                continue
            received += 1
            kind = dict(record.headers())["ce_type"].decode()
            # A later version of the service can send a status that this code does not know.
            known = event.request.status in request_pb2.RequestStatus.values()
            status = request_pb2.RequestStatus.Name(event.request.status) if known else "UNKNOWN"
            print(event.shard, event.position, kind, event.request.id, event.request.version, status, flush=True)
    finally:
        consumer.close()


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
    except Incomplete as error:
        sys.exit(f"events are missing: {error}")
