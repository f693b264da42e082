"""Prints Spool's public events as JSON lines, each once, and checks every body against its published schema.

    python consume.py --brokers localhost:9092                # from the beginning, then whatever comes
    python consume.py --brokers localhost:9092 --to-end       # what is there now
"""

import argparse
import json
import sys
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from jsonschema import Draft202012Validator

TOPICS = ["video-events", "job-events", "account-events"]
SCHEMAS = Path(__file__).resolve().parents[3] / "schemas" / "public"


class Schemas:
    """The published schemas. `urn:spool:public:VideoUploaded:v1` is the file `VideoUploaded.v1.json`."""

    def __init__(self, folder):
        self.folder, self.validators = folder, {}

    def check(self, urn, body):
        if urn not in self.validators:
            name, version = urn.split(":")[-2:]
            schema = json.loads((self.folder / f"{name}.{version}.json").read_text())
            self.validators[urn] = Draft202012Validator(schema)
        self.validators[urn].validate(body)


class Repeats:
    """Delivery is at least once: an event that is not newer than the last one of its key was here before.

    A program that keeps what it makes of the events keeps the version beside it, in the same transaction.
    """

    def __init__(self):
        self.versions = {}

    def is_repeat(self, place, version):
        if version <= self.versions.get(place, 0):
            return True
        self.versions[place] = version
        return False


def partitions_of(consumer, prefix):
    """Every partition from its beginning, and where it ends now."""
    ends = {}
    for topic in TOPICS:
        for partition in consumer.list_topics(prefix + topic, timeout=10).topics[prefix + topic].partitions:
            place = TopicPartition(prefix + topic, partition)
            low, high = consumer.get_watermark_offsets(place, timeout=10)
            place.offset = low
            ends[(place.topic, partition)] = (place, high)
    return ends


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--brokers", required=True, help="HOST:PORT, separated by commas")
    arguments.add_argument("--prefix", default="", help="what kafka.topic_prefix is set to")
    arguments.add_argument("--schemas", type=Path, default=SCHEMAS, help="the folder schemas/public")
    arguments.add_argument("--to-end", action="store_true", help="stop at the end instead of waiting")
    given = arguments.parse_args()

    consumer = Consumer(
        {
            "bootstrap.servers": given.brokers,
            "group.id": "spool-example-python",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    schemas, repeats = Schemas(given.schemas), Repeats()
    ends = partitions_of(consumer, given.prefix)
    missing = {place for place, (start, high) in ends.items() if high > start.offset}
    consumer.assign([start for start, _ in ends.values()])
    while missing or not given.to_end:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            sys.exit(f"reading failed: {message.error()}")
        show(message, schemas, repeats)
        place = (message.topic(), message.partition())
        if message.offset() + 1 >= ends[place][1]:
            missing.discard(place)
    consumer.close()


def show(message, schemas, repeats):
    headers = {name: value.decode() for name, value in message.headers()}
    key, version = message.key().decode(), int(headers["ce_streamversion"])
    if repeats.is_repeat((message.topic(), key), version):
        print(f"a repeat of {headers['ce_id']}", file=sys.stderr)
        return
    body = json.loads(message.value())
    schemas.check(headers["ce_dataschema"], body)
    event = {
        "topic": message.topic(),
        "type": headers["ce_type"],
        "id": headers["ce_id"],
        "time": headers["ce_time"],
        "key": key,
        "version": version,
        "data": body,
    }
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main()
