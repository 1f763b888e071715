#!/usr/bin/python3 -B
"""A messenger: hands short texts to single people over a paging service.

Belfry says whom to write to, one message at a time, when it may leave. The address is for that call: it stands in no log and in
no error."""

import http.client
import json
import urllib.parse

import belfry_plugin
from belfry.plugin.v1 import people_pb2, plugin_pb2
from board import MAX_ANSWER, address, credential, cut

TEXT = 480  # the longest text, in code points


class Pager(belfry_plugin.Type):
    name = "pager-py"
    summary = "short texts to single people"
    roles = ("messenger",)
    medium = plugin_pb2.Medium()  # the service forbids nothing that people agreed to
    fields = (
        belfry_plugin.Field("url", str, "the address of the service", required=True, example="https://pager.example", check=address),
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

    def message(self, call, message, _files):
        text = compose(message)
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.base.hostname, self.base.port, timeout=min(call.remaining(), 30))
        try:
            connection.connect()
        except OSError as fault:
            raise belfry_plugin.Error("unavailable", "the service cannot be reached") from fault
        call.on_end(lambda: cut(connection))  # a call that is given up breaks off at once
        try:
            if call.ended():
                raise belfry_plugin.Error("unavailable", "the call was given up")
            # From here on the service may act, whatever becomes of its answer. The key is the same for every attempt.
            connection.request("POST", self.base.path.rstrip("/") + "/api/pages", json.dumps({"to": message.address, "text": text}).encode(), {
                "Authorization": "Bearer " + self.token, "User-Agent": self.user_agent, "Content-Type": "application/json",
                "Idempotency-Key": message.id})
            answer = connection.getresponse()
            data = answer.read(MAX_ANSWER + 1)
            if answer.status == 201:
                return people_pb2.MessageResponse(id=json.loads(data)["id"])
        except (OSError, http.client.HTTPException, ValueError, AttributeError, KeyError) as fault:
            raise belfry_plugin.Error("unknown_outcome", "the service took the page, and no whole answer came") from fault
        finally:
            connection.close()
        raise refusal(answer)


def refusal(answer):
    """What an answer means that is no success. What the service says is not repeated: the address may stand in it."""
    status = answer.status
    if status == 429:
        after = answer.getheader("Retry-After", "")
        return belfry_plugin.Error("rate_limited", "the service asks to wait", scope="account",
                                   retry_after=float(after) if after.isdigit() else 60.0)
    codes = {
        401: ("unauthenticated", "account", "the service does not know the token; put a valid one into the configuration"),
        403: ("forbidden", "account", "the service does not let this account write"),
        404: ("gone", "person", "the service knows no such pager any more"),
        410: ("gone", "person", "the service knows no such pager any more"),
    }
    code, scope, public = codes.get(status, ("unknown_outcome" if status >= 500 else "invalid", "message", f"the service answered {status}"))
    return belfry_plugin.Error(code, public, scope=scope)


def compose(message):
    """The text with the person's own values. The reason and the ways out stand whole at its end, whatever has to be cut."""
    common, slots = message.common, message.slots
    if not message.HasField("common"):
        raise belfry_plugin.Error("unsupported", "a pager shows texts, and no templates")
    end = [common.permalink, belfry_plugin.fill(common.reason, slots)]
    end += [f"{link.text}: {slots[link.slot]}" for link in common.links if slots.get(link.slot)]
    end += [f"{button.text}: {button.url}" for row in message.buttons for button in row.buttons if button.url]
    tail = "\n".join(line for line in end if line)
    text = belfry_plugin.fill(common.subject + "\n" + belfry_plugin.plain(common.body), slots).strip()
    room = TEXT - len(tail) - 1
    if room <= 0:
        raise belfry_plugin.Error("too_large", "the addresses in the message leave no room for its text")
    return ((text if len(text) <= room else text[:room - 1] + "…") + "\n" + tail).strip()


if __name__ == "__main__":
    belfry_plugin.serve(Pager())
