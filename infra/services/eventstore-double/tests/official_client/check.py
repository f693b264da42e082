"""Uses the official Python client on the server at the connection string given, and checks what it is told.

Stream names are fresh, so that it can run against a server that has other streams.
"""

import sys
from threading import Timer
from uuid import uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError, NotFoundError, WrongCurrentVersionError

# Long enough for any machine; a server that never answers fails the check instead of hanging it.
PATIENCE_S = 60


def event(number):
    return NewEvent(type="Counted", data=str(number).encode(), content_type="application/octet-stream")


def numbers(events):
    return [int(event.data) for event in events]


def refused(expected, actual, attempt):
    try:
        attempt()
    except WrongCurrentVersionError as error:
        assert error.expected_version == expected, error.expected_version
        assert error.actual_version == actual, error.actual_version
    else:
        raise AssertionError(f"an append at {expected} was accepted, the stream being at {actual}")


def appends_need_the_version_that_is_there(client, stream):
    append = lambda version, events: client.append_to_stream(
        stream, current_version=version, events=events, timeout=PATIENCE_S
    )
    assert client.get_current_version(stream) is StreamState.NO_STREAM
    refused(0, StreamState.NO_STREAM, lambda: append(0, event(9)))
    refused(0, StreamState.NO_STREAM, lambda: append(0, [event(9), event(9)]))
    append(StreamState.NO_STREAM, event(0))
    first_two = [event(1), event(2)]
    position = append(0, first_two)
    refused(0, 2, lambda: append(0, event(9)))
    refused(7, 2, lambda: append(7, [event(9), event(9)]))
    refused(StreamState.NO_STREAM, 2, lambda: append(StreamState.NO_STREAM, event(9)))
    assert append(0, first_two) == position, "the same events again are where they were"
    assert append(StreamState.ANY, event(3)) > position
    append(StreamState.EXISTS, [event(4)])
    assert client.get_current_version(stream) == 4
    too_large = NewEvent(type="Counted", data=bytes(2 << 20), content_type="application/octet-stream")
    try:
        append(4, too_large)
    except KurrentDBClientError:
        assert client.get_current_version(stream) == 4
    else:
        raise AssertionError("an append of 2 MiB was accepted")


def streams_are_read_both_ways(client, stream):
    read = lambda **how: client.get_stream(stream, timeout=PATIENCE_S, **how)
    events = read()
    assert numbers(events) == [0, 1, 2, 3, 4]
    assert [event.stream_position for event in events] == [0, 1, 2, 3, 4]
    assert all(event.stream_name == stream and event.type == "Counted" for event in events)
    positions = [event.commit_position for event in events]
    assert positions == sorted(set(positions))
    assert numbers(read(stream_position=2)) == [2, 3, 4]
    assert numbers(read(stream_position=1, limit=2)) == [1, 2]
    assert numbers(read(backwards=True)) == [4, 3, 2, 1, 0]
    assert numbers(read(backwards=True, limit=1)) == [4]
    assert numbers(read(backwards=True, stream_position=1)) == [1, 0]
    assert numbers(read(stream_position=9)) == []
    try:
        read_nothing = client.get_stream(f"nothing-{uuid4()}", timeout=PATIENCE_S)
    except NotFoundError:
        pass
    else:
        raise AssertionError(f"a stream that is not there was read: {read_nothing}")


def all_is_read_both_ways(client, stream):
    mine = {"filter_include": [stream], "filter_by_stream_name": True, "timeout": PATIENCE_S}
    assert numbers(client.read_all(**mine)) == [0, 1, 2, 3, 4]
    assert numbers(client.read_all(backwards=True, **mine)) == [4, 3, 2, 1, 0]
    assert numbers(client.read_all(limit=2, **mine)) == [0, 1]
    third = client.get_stream(stream)[2]
    from_third = client.read_all(commit_position=third.commit_position, **mine)
    assert numbers(from_third) == [2, 3, 4], "reading begins at the position"
    everything = list(client.read_all(timeout=PATIENCE_S))
    assert not any(event.type.startswith("$") for event in everything), "the client excludes system events"
    assert any(event.type.startswith("$") for event in client.read_all(filter_exclude=[], timeout=PATIENCE_S))


def subscriptions_go_on_with_what_comes(client, stream):
    mine = {"filter_include": [stream], "filter_by_stream_name": True, "filter_by_prefix": True}
    third = client.get_stream(stream)[2]
    followed = [
        client.subscribe_to_all(timeout=PATIENCE_S, **mine),
        client.subscribe_to_all(commit_position=third.commit_position, timeout=PATIENCE_S, **mine),
        client.subscribe_to_all(from_end=True, timeout=PATIENCE_S, **mine),
        client.subscribe_to_stream(stream, timeout=PATIENCE_S),
        client.subscribe_to_stream(stream, stream_position=2, timeout=PATIENCE_S),
    ]
    writer = Timer(0.1, lambda: client.append_to_stream(stream, current_version=4, events=[event(5), event(6)]))
    writer.start()
    for subscription, first in zip(followed, [0, 3, 5, 0, 3]):
        with subscription:
            seen = [int(next(subscription).data) for _ in range(first, 7)]
            assert seen == list(range(first, 7)), f"{seen}, not from {first} on"
    writer.join()


def a_filtered_subscription_tells_how_far_it_is(client, stream):
    for number in range(20):
        client.append_to_stream(f"other-{uuid4()}", current_version=StreamState.NO_STREAM, events=event(number))
    last = client.get_commit_position()
    subscription = client.subscribe_to_all(
        filter_include=[stream],
        filter_by_stream_name=True,
        include_checkpoints=True,
        include_caught_up=True,
        window_size=2,
        checkpoint_interval_multiplier=1,
        timeout=PATIENCE_S,
    )
    checkpoints, seen = [], []
    with subscription:
        for content in subscription:
            kind = type(content).__name__
            if kind == "Checkpoint":
                checkpoints.append(content.commit_position)
            elif kind == "CaughtUp":
                break
            else:
                seen.append(int(content.data))
    assert seen == list(range(7))
    assert len(checkpoints) >= 10 and checkpoints == sorted(checkpoints)
    assert checkpoints[-1] <= last


def main():
    client = KurrentDBClient(sys.argv[1])
    stream = f"check-{uuid4()}"
    for check in [
        appends_need_the_version_that_is_there,
        streams_are_read_both_ways,
        all_is_read_both_ways,
        subscriptions_go_on_with_what_comes,
        a_filtered_subscription_tells_how_far_it_is,
    ]:
        check(client, stream)
        print(check.__name__.replace("_", " "))
    client.close()


main()
