"""Who asks, and about what: somebody who is signed in and has a film, made anew whenever a request has ended that."""

import os
import struct
import uuid
import zlib

import requests
import schemathesis
from hypothesis import strategies

URL = os.environ["SPOOL_URL"]
PASSWORD = "correct horse battery"
FILM = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(400)



def chunk(name, data):
    """Of a PNG (its specification, section 5.3)."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def picture(shade):
    """A PNG of one grey pixel."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes([0, shade]))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


# What kind of picture it is can be seen by its content only.
schemathesis.openapi.media_type(
    "image/png",
    strategies.integers(0, 255).map(picture),
    aliases=["image/jpeg", "image/webp", "image/gif"],
)

# Whoever asks for these is signed out by it; nobody else is to suffer from that.
ENDING = ("/api/auth/logout",)


class Person:
    def __init__(self):
        name = "asker-" + uuid.uuid4().hex[:16]
        registered, self.seen = post(
            "/api/auth/register",
            json={
                "email": f"{name}@example.org",
                "password": PASSWORD,
                "username": name,
                "first_name": "Some",
                "last_name": "Body",
            },
        )
        self.id = registered["user"]["id"]
        self.token = registered["access_token"]
        self.film = self.upload()

    def upload(self):
        uploaded, self.seen = post(
            "/api/storage/upload/video",
            data={"title": "One", "visibility": "public"},
            files={"file": ("a film.mp4", FILM)},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return uploaded["video"]["id"]


def post(path, **what):
    """What was answered, and where that is in the log."""
    answer = requests.post(URL + path, timeout=30, **what)
    answer.raise_for_status()
    return answer.json(), answer.headers["Consistency-Token"]


def place(case, context):
    """Those who are signed out by asking do not share their session with others."""
    return context.operation.label if context.operation.path in ENDING else "asker"


@schemathesis.auth(cache_by_key=place, refresh_interval=86_400)
class SignedIn:
    """Asked again when a request was answered 401."""

    people = {}

    def get(self, case, context):
        person = Person()
        self.people[place(case, context)] = person
        return person.token

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """What is as it should be asks about what is there, and says what we have said before: made up ids, tokens and versions would
    only be told apart, and an Idempotency-Key is good for one request."""
    person = SignedIn.people.get("asker")
    if person is None or case.meta is None:
        return
    is_as_it_should_be = case.meta.generation.mode.is_positive
    # In stories, ids are those of what the story is about.
    is_alone = case.meta.phase.name.value in ("examples", "coverage", "fuzzing")
    if is_as_it_should_be and is_alone and "videos/{id}" in case.operation.path:
        case.path_parameters["id"] = person.upload() if case.method == "DELETE" else person.film
    if is_as_it_should_be and is_alone and case.operation.path.endswith("/avatar"):
        case.path_parameters["id"] = person.id
    # What is left out is not to hide behind another fault.
    lacks_something = getattr(getattr(case.meta.phase.data, "scenario", None), "name", None) == "MISSING_PARAMETER"
    if is_as_it_should_be or lacks_something:
        said = {"Idempotency-Key": uuid.uuid4().hex, "If-Match": "*", "Consistency-Token": person.seen}
        case.headers.update({name: value for name, value in said.items() if name in (case.headers or {})})
