#!/usr/bin/python3 -B
"""A paging service for tests, stricter than a real one: what is not exactly right is refused.

It prints its address and serves until it is killed. At /.belfry/messages it says what it handed over, and at /.belfry/say somebody
writes to it, for the suites of `belfry plugin test`."""

import datetime
import http.server
import json
import threading
import time
import urllib.parse

TOKEN = "canary-c0ffee"
KNOWN = {"anna@example.invalid"}
TEXT = 480

AT_ONCE = 3  # the most that is told in one answer

lock = threading.Condition()
pages = []  # each {id, to, text, key}
inbox = []  # each {number, id, kind, from, text, at}
came = 0  # how many there were, with those that are forgotten


class Refusal(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer leaves in one piece

    def log_message(self, *_):
        pass

    def answer(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if self.path == "/.belfry/messages":
                with lock:
                    return self.answer(200, [{"to": p["to"], "text": p["text"]} for p in pages])
            if self.path == "/.belfry/say" and self.command == "POST":
                return self.answer(200, self.say(json.loads(body)))
            if self.path.startswith("/api/inbox?") and self.command == "GET":
                return self.answer(200, {"inbox": self.tell(urllib.parse.parse_qs(self.path.partition("?")[2]))})
            with lock:
                self.answer(201, {"id": self.page(body)})
        except Refusal as refusal:
            self.answer(refusal.status, {"error": str(refusal)})

    do_GET = do_POST = serve

    def say(self, said):
        """Somebody writes."""
        global came
        if said["from"] not in KNOWN:
            raise Refusal(400, "nobody of that name has a pager")
        with lock:
            came += 1
            inbox.append({"number": came, "id": f"i{came}", "kind": "wrote", "from": said["from"], "text": said["text"],
                          "at": datetime.datetime.now(datetime.timezone.utc).isoformat()})
            lock.notify_all()
        return {}

    def tell(self, query):
        """What people did behind a number, once there is anything. What stands before it was told, and is forgotten."""
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            raise Refusal(401, "who are you")
        try:
            after, wait = int(query["after"][0]), float(query["wait"][0])
        except (KeyError, ValueError):
            raise Refusal(400, "ask with after and wait") from None
        if after < 0 or not 0 <= wait <= 30 or not self.headers.get("User-Agent"):
            raise Refusal(400, "ask with after and wait, at most 30 seconds")
        until = time.monotonic() + wait
        with lock:
            while True:
                inbox[:] = [one for one in inbox if one["number"] > after]
                left = until - time.monotonic()
                if inbox or left <= 0:
                    return inbox[:AT_ONCE]
                lock.wait(left)

    def page(self, body):
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            raise Refusal(401, "who are you")
        if self.command != "POST" or self.path != "/api/pages" or self.headers.get("Content-Type") != "application/json":
            raise Refusal(400, "not like this")
        key = self.headers.get("Idempotency-Key")
        if not key or not self.headers.get("User-Agent"):
            raise Refusal(400, "a header is missing")
        try:
            page = json.loads(body)
            keys = page.pop("choices", [])
            if set(page) != {"to", "text"} or not all(isinstance(v, str) and v.strip() for v in page.values()):
                raise ValueError
            if len(keys) > 20 or not all(set(key) == {"text", "code"} and key["text"] and 0 < len(key["code"].encode()) <= 64 for key in keys):
                raise ValueError
        except (ValueError, TypeError, AttributeError):
            raise Refusal(422, "a page has to and text, and a choice has a text and a code") from None
        if len(page["text"]) > TEXT or set("\ufdd0\ufdd1") & set(page["text"]):
            raise Refusal(422, "the text is too long, or holds places for values")
        if page["to"] not in KNOWN:
            raise Refusal(410, "no pager " + page["to"])
        for before in pages:
            if before["key"] == key:
                return before["id"]
        pages.append({"id": f"p{len(pages) + 1}", "key": key, **page})
        return pages[-1]["id"]


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
