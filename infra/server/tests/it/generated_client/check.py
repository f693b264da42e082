"""Uses the generated client on the server at the address given, as a person would, and checks what it is told."""

import sys
from pathlib import Path
from uuid import uuid4

import jwt
from spool_client import AuthenticatedClient, Client
from spool_client.api.accounts import login, profile, register
from spool_client.api.uploads import upload_video
from spool_client.api.users import get_avatar, set_avatar
from spool_client.api.videos import change_video, delete_video, get_video, list_videos
from spool_client.models import Credentials, Problem, Registration, UploadForm, VideoChange, Visibility
from spool_client.types import File

# Long enough for any machine; a server that never answers fails the check instead of hanging it.
PATIENCE_S = 60.0
# One white pixel.
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


def done(answer, status):
    """What an answer of this status brings."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    return answer.parsed


def refused(answer, status):
    """The problem of an answer of this status."""
    problem = done(answer, status)
    assert isinstance(problem, Problem), problem
    assert problem.status == status and problem.type_.startswith("urn:spool:problem:"), problem
    return problem


def believed(base, token):
    """What an access token says, as another service believes it: by the published keys alone (RFC 7517)."""
    key = jwt.PyJWKClient(f"{base}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["EdDSA"], issuer="spool", options={"require": ["exp", "iat", "sub"]})


def check(base, film):
    name = f"python{uuid4().hex[:8]}"
    password = "correct horse battery staple"
    anybody = Client(base_url=base, timeout=PATIENCE_S)

    registration = Registration(email=f"{name}@example.org", password=password, first_name="Py", last_name="Thon", username=name)
    key = str(uuid4())
    registered = done(register.sync_detailed(client=anybody, body=registration, idempotency_key=key), 201)
    again = done(register.sync_detailed(client=anybody, body=registration, idempotency_key=key), 201)
    assert registered.user.id == again.user.id, (registered, again)

    signed_in = done(login.sync_detailed(client=anybody, body=Credentials(email=registration.email, password=password)), 200)
    assert believed(base, signed_in.access_token)["sub"] == str(registered.user.id)
    person = AuthenticatedClient(base_url=base, token=signed_in.access_token, timeout=PATIENCE_S)
    assert done(profile.sync_detailed(client=person), 200).username == name

    account = registered.user.id
    seen = done(set_avatar.sync_detailed(account, client=person, body=File(payload=GIF)), 200)
    assert seen.avatar_url.startswith(f"/api/users/{account}/avatar"), seen
    assert done(get_avatar.sync_detailed(account, client=anybody), 200).payload.read()[:2] == b"\xff\xd8"

    with film.open("rb") as content:
        form = UploadForm(title="A film", visibility=Visibility.PRIVATE, file=File(payload=content, file_name=film.name, mime_type="video/mp4"))
        answer = upload_video.sync_detailed(client=person, body=form, idempotency_key=str(uuid4()))
    video = done(answer, 201).video
    token = answer.headers["Consistency-Token"]
    listed = done(list_videos.sync_detailed(client=person, owner="me", consistency_token=token), 200)
    assert [item.id for item in listed.items] == [video.id], listed

    shown = get_video.sync_detailed(video.id, client=person, consistency_token=token)
    assert done(shown, 200).title == "A film"
    changed = change_video.sync_detailed(video.id, client=person, body=VideoChange(title="Retold"), if_match="*")
    assert done(changed, 200).title == "Retold"
    stale = change_video.sync_detailed(video.id, client=person, body=VideoChange(title="Too late"), if_match='"v1"')
    assert refused(stale, 412).type_ == "urn:spool:problem:stale"

    assert refused(get_video.sync_detailed(video.id, client=anybody), 404).detail
    invalid = refused(change_video.sync_detailed(video.id, client=person, body=VideoChange(title="")), 422)
    assert [error.pointer for error in invalid.errors] == ["/title"], invalid
    wrong = Credentials(email=registration.email, password="something else")
    assert refused(login.sync_detailed(client=anybody, body=wrong), 401).title
    done(delete_video.sync_detailed(video.id, client=person), 204)
    print(f"the generated client did what a person does on {base}")


if __name__ == "__main__":
    check(sys.argv[1], Path(sys.argv[2]))
