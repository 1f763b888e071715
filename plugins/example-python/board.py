#!/usr/bin/python3 -B
"""A connector: posts to a bulletin board over HTTP, edits and deletes what it posted, and finds it again by its key.

What can be learned from it is the difference between two failures. Nothing was sent: the code is "unavailable", and Belfry
tries again. Something was sent and no answer came: the code is "unknown_outcome", because the board may have the post, and
Belfry looks with find before it tries again."""

import http.client
import json
import socket
import urllib.parse

import belfry_plugin
from belfry.plugin.v1 import channel_pb2

TEXT = 500  # the longest text, in code points
MAX_ANSWER = 1 << 20
DAY = 24 * 3600


def address(value):
    if not value.startswith(("https://", "http://")) or not urllib.parse.urlsplit(value).hostname:
        return "it is no address of a board", "write one like https://board.example"


def credential(value):
    if not value or not value.isascii() or not value.isprintable():
        return "it is no token", "write the token as the board shows it"


class Board(belfry_plugin.Type):
    name = "board-py"
    summary = "posts on a bulletin board"
    roles = ("resolver", "publisher", "editor", "deleter", "finder")
    fields = (
        belfry_plugin.Field("url", str, "the address of the board", required=True, example="https://board.example", check=address),
        belfry_plugin.Field("token", str, "the credential", required=True, secret=True, check=credential),
    )

    def open(self, settings, config):
        return Connector(settings, config)


class Connector:
    def __init__(self, settings, config):
        self.user_agent, self.token = settings.user_agent, config["token"]
        self.base = urllib.parse.urlsplit(config["url"])

    def close(self):
        pass

    # Channels.

    def resolve(self, call, name):
        if not name.startswith("@") or len(name) > 200:
            raise belfry_plugin.Error("invalid", "the name of a channel begins with @", scope="destination")
        found = self.ask(call, "GET", "/api/channels/" + urllib.parse.quote(name, safe=""), sends=False)
        if found["kind"] != "channel":
            raise belfry_plugin.Error("not_a_channel", f"{name} is a person; Belfry posts to channels", scope="destination")
        limits = channel_pb2.Limits(text=TEXT, unit="codepoints", overflow="thread", overflows=["thread", "split"])
        limits.rules.parallel = 4
        # The board knows a key for a day. 2^63-1 nanoseconds mean "for ever".
        limits.rules.same_key_for.FromSeconds(DAY)
        for rule in (limits.rules.edit_for, limits.rules.delete_for, limits.rules.reply_for):
            rule.FromNanoseconds(2**63 - 1)
        return channel_pb2.ChannelRef(id=found["id"], title=found["title"], url=found["url"]), limits

    # Posts.

    def plan(self, _call, _to, post):
        """Pure: what each call to the board will say. The same post gives the same parts, always."""
        text = belfry_plugin.plain(post.body).strip() or post.title
        parts = []
        for start in range(0, len(text), TEXT):
            piece = text[start:start + TEXT]
            parts.append(channel_pb2.Part(kind="post", type="application/json", text=piece, thread=start > 0,
                                          request=json.dumps({"text": piece}, ensure_ascii=False, sort_keys=True).encode()))
        if len(parts) > 1 and post.overflow == "split":
            for part in parts:
                part.thread = False
        return parts

    def publish(self, call, to, part, _files):
        if not to.id:
            raise belfry_plugin.Error("not_a_channel", "there is no channel to post to", scope="destination")
        body = {**json.loads(part.request), "channel": to.id}
        if part.reply_to.ids:
            body["reply_to"] = part.reply_to.ids[0]
        return self.ref(self.ask(call, "POST", "/api/posts", body, key=part.key))

    def edit(self, call, ref, part, _files):
        return self.ref(self.ask(call, "PUT", self.at(ref), json.loads(part.request)))

    def delete(self, call, ref):
        try:
            self.ask(call, "DELETE", self.at(ref))
        except belfry_plugin.Error as error:
            if error.code != "gone":  # what is missing already is deleted
                raise

    def find(self, call, to, key):
        """None only when the board is sure that it accepted nothing with this key."""
        if not key:
            return None
        query = urllib.parse.urlencode({"channel": to.id, "key": key})
        found = self.ask(call, "GET", "/api/posts?" + query, sends=False)["posts"]
        return self.ref(found[0]) if found else None

    @staticmethod
    def ref(post):
        return channel_pb2.PartRef(ids=[post["id"]], url=post["url"])

    @staticmethod
    def at(ref):
        if not ref.ids:
            raise belfry_plugin.Error("invalid", "the post has no id")
        return "/api/posts/" + urllib.parse.quote(ref.ids[0], safe="")

    # The board.

    def ask(self, call, method, path, body=None, *, key="", sends=True):
        """Make one call to the board. sends says whether it changes something there."""
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.base.hostname, self.base.port, timeout=min(call.remaining(), 30))
        try:
            connection.connect()
        except OSError as fault:
            raise belfry_plugin.Error("unavailable", "the board cannot be reached") from fault
        # A call that is given up breaks off at once.
        call.on_end(lambda: cut(connection))
        try:
            if call.ended():
                raise belfry_plugin.Error("unavailable", "the call was given up")
            headers = {"Authorization": "Bearer " + self.token, "User-Agent": self.user_agent, "Accept": "application/json"}
            if key:
                headers["Idempotency-Key"] = key
            content = None
            if body is not None:
                content, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
            # From here on the board may act, whatever becomes of its answer.
            connection.request(method, self.base.path.rstrip("/") + path, content, headers)
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER + 1)
            if answer.status < 300:
                return json.loads(data) if data else {}
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as fault:
            if sends:
                raise belfry_plugin.Error("unknown_outcome", "the board took the request, and no whole answer came") from fault
            raise belfry_plugin.Error("unavailable", "the board did not answer") from fault
        finally:
            connection.close()
        raise refusal(answer, sends)


def cut(connection):
    """Wake whoever reads from a connection."""
    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):
        pass  # it is closed already


def refusal(answer, sends):
    """What an answer means that is no success. A status of the board's own is certain: it did nothing."""
    status = answer.status
    if status == 429:
        after = answer.getheader("Retry-After", "")
        return belfry_plugin.Error("rate_limited", "the board asks to wait", scope="destination",
                                   retry_after=float(after) if after.isdigit() else 60.0)
    codes = {
        400: ("invalid", "the board refuses the request"),
        401: ("unauthenticated", "the board does not know the token; make a new one there"),
        403: ("forbidden", "the token may not do this; give it the right to post there"),
        404: ("gone", "the board has no such channel or post"),
        410: ("gone", "the post was deleted on the board"),
        413: ("too_large", "the text is too long for the board"),
        422: ("not_a_channel", "what the board would post to is no channel"),
        503: ("unavailable", "the board is closed for now"),
    }
    if status in codes:
        return belfry_plugin.Error(*codes[status])
    # A server that broke, or a gateway before it, may have acted.
    return belfry_plugin.Error("unknown_outcome" if sends else "unavailable", f"the board answered with the status {status}")


if __name__ == "__main__":
    belfry_plugin.serve(Board())
