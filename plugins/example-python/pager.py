#!/usr/bin/python3 -B
"""A messenger: hands short texts to single people over a paging service, and tells what they answer.

Belfry says whom to write to, one message at a time, when it may leave. The address is for that call: it stands in no log and in
no error. What people do comes back with their addresses, for Belfry alone."""

import datetime
import hashlib
import hmac
import http.client
import json
import urllib.parse

import belfry_plugin
from belfry.plugin.v1 import inbox_pb2, people_pb2, plugin_pb2, source_pb2
from board import MAX_ANSWER, address, credential, cut

TEXT = 480  # the longest text, in code points


def long_enough(secret):
    if 0 < len(secret) < 16:
        return "so short a secret can be guessed, and whoever does could say that people follow or leave", "make one of 16 characters or more"
    return None


class Pager(belfry_plugin.Type):
    name = "pager-py"
    summary = "short texts to single people"
    roles = ("messenger", "receiver", "listener")
    # The service forbids nothing that people agreed to, and tells what they do.
    medium = plugin_pb2.Medium(hears=["message", "button", "stop", "reopen"])
    fields = (
        belfry_plugin.Field("url", str, "the address of the service", required=True, example="https://pager.example", check=address),
        belfry_plugin.Field("token", str, "the credential", required=True, secret=True, check=credential),
        belfry_plugin.Field("webhook_secret", str, "what the service signs its calls with, if it calls", default="", secret=True, check=long_enough),
    )

    def open(self, settings, config):
        return Connector(settings, config)


class Connector:
    def __init__(self, settings, config):
        self.user_agent, self.token, self.webhook_secret = settings.user_agent, config["token"], config["webhook_secret"].encode()
        self.base = urllib.parse.urlsplit(config["url"])

    def close(self):
        pass

    def message(self, call, message, _files):
        page = {"to": message.address, "text": compose(message)}
        keys = [{"text": button.text, "code": button.data} for row in message.buttons for button in row.buttons if button.data]
        if keys:
            page["choices"] = keys
        # From here on the service may act, whatever becomes of its answer. The key is the same for every attempt.
        status, headers, data = self.ask(call, "POST", "/api/pages", page, {"Idempotency-Key": message.id},
                                         lost=("unknown_outcome", "the service took the page, and no whole answer came"))
        if status != 201:
            raise refusal(status, headers)
        try:
            return people_pb2.MessageResponse(id=json.loads(data)["id"])
        except (ValueError, TypeError, KeyError) as fault:
            raise belfry_plugin.Error("unknown_outcome", "the service took the page, and its answer cannot be read") from fault

    def listen(self, call, cursor, wait, most):
        """The cursor is the number of the last one that Belfry has stored; one that is none begins anew, and Belfry drops by its id what
        it has stored already. The service forgets what stands before the number that it is asked from."""
        after = int(cursor) if cursor.isdigit() and len(cursor) < 19 else 0
        status, headers, data = self.ask(call, "GET", f"/api/inbox?after={after}&wait={wait:.3f}", wait=wait,
                                         lost=("unavailable", "the service does not tell what people write"))
        if status != 200:
            error = refusal(status, headers)
            if error.scope == "account":
                raise error
            raise belfry_plugin.Error("unavailable", f"the service does not tell what people write ({status})", scope="account")
        try:
            heard = told_of(json.loads(data)["inbox"][:most])
        except (ValueError, TypeError, KeyError) as fault:
            raise belfry_plugin.Error("unavailable", "what the service tells cannot be read", scope="account") from fault
        told = [(what, behind) for what, behind in heard if what is not None]
        return told, heard[-1][1] if heard and not told else b""

    def receive(self, call, request):
        """The service calls with one thing that somebody did. Nothing is read before the signature of its very bytes was compared."""
        def refused(status):
            return source_pb2.WebhookReply(status=status), []

        if not self.webhook_secret:
            return refused(404)
        signature = hmac.new(self.webhook_secret, request.body, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(signature, belfry_plugin.header(request, "Pager-Signature")):
            return refused(401)
        try:
            what = event(json.loads(request.body))
        except (ValueError, TypeError, KeyError, AttributeError):
            return refused(400)
        return source_pb2.WebhookReply(status=204), [what] if what is not None else []

    def ask(self, call, method, path, content=None, headers=None, wait=0.0, lost=None):
        """Make one request: (status, headers, body). lost is the error once something was sent and no whole answer came."""
        kind = http.client.HTTPSConnection if self.base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.base.hostname, self.base.port, timeout=min(call.remaining(), 30 + wait))
        try:
            connection.connect()
        except OSError as fault:
            raise belfry_plugin.Error("unavailable", "the service cannot be reached", scope="account") from fault
        call.on_end(lambda: cut(connection))  # a call that is given up breaks off at once
        try:
            if call.ended():
                raise belfry_plugin.Error("unavailable", "the call was given up")
            body, kinds = (None, {}) if content is None else (json.dumps(content).encode(), {"Content-Type": "application/json"})
            connection.request(method, self.base.path.rstrip("/") + path, body,
                               {"Authorization": "Bearer " + self.token, "User-Agent": self.user_agent, **kinds, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as fault:
            raise belfry_plugin.Error(*lost) from fault
        finally:
            connection.close()


KINDS = {"wrote": "message", "chose": "button", "blocked": "stop", "unblocked": "reopen"}


def told_of(inbox):
    """What people did, each with the number behind it. They are read one by one: an odd one must not keep those behind it from being
    heard. It is passed over by its number, and one without a number by that of the next; where none has one nothing could go on."""
    heard = []
    for one in inbox:
        number = one.get("number") if isinstance(one, dict) else None
        if type(number) is not int or number <= 0:
            continue
        try:
            what = event(one)
        except (ValueError, TypeError, KeyError, AttributeError):
            what = None
        heard.append((what, str(number).encode()))
    if inbox and not heard:
        raise ValueError("nothing of it has a number")
    return heard


def event(one):
    """What somebody did, as Belfry reads it; None for what means nothing. Its medium is this plugin's: no other can be named."""
    kind = KINDS.get(one["kind"])
    if kind is None or not one["id"] or not one["from"]:
        return None
    out = inbox_pb2.InboxEvent(id=belfry_plugin.text(one["id"]), kind=kind, text=belfry_plugin.text(one.get("text") or ""),
                               data=belfry_plugin.text(one.get("choice") or ""), reply_to=belfry_plugin.text(one["id"]))
    setattr(out, "from", belfry_plugin.text(one["from"]))  # from is a word of Python
    at = moment(one.get("at"))
    if at is not None:
        out.at.FromDatetime(at)
    return out


def moment(words):
    """A time without its zone, in UTC. One that cannot be read is none, and Belfry takes the moment in which it is told: nobody's STOP is
    lost for it."""
    try:
        return datetime.datetime.fromisoformat(words.replace("Z", "+00:00")).astimezone(datetime.timezone.utc).replace(tzinfo=None)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None


def refusal(status, headers):
    """What an answer means that is no success. What the service says is not repeated: the address may stand in it."""
    if status == 429:
        after = headers.get("Retry-After", "")
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
    end += [f"{link.text} {slots[link.slot]}" for link in common.links if slots.get(link.slot)]
    end += [f"{button.text} {button.url}" for row in message.buttons for button in row.buttons if button.url]
    tail = "\n".join(line for line in end if line)
    text = belfry_plugin.fill(belfry_plugin.plain(common.body) or common.subject, slots).strip()
    room = TEXT - len(tail) - 1
    if room <= 0:
        raise belfry_plugin.Error("too_large", "the addresses in the message leave no room for its text")
    return ((text if len(text) <= room else text[:room - 1].rstrip(" .,;:\n") + "…") + "\n" + tail).strip()


if __name__ == "__main__":
    belfry_plugin.serve(Pager())
