#!/usr/bin/python3 -B
"""A bulletin board for tests, stricter than a real one: what is not exactly right is refused.

It prints its address and serves until it is killed. At /.belfry/posts it says what it holds, for the suite of
`belfry plugin test`."""

import http.server
import json
import threading
import urllib.parse

TOKEN = "canary-4f2e9b"
CHANNELS = {"@gazette": ("c1", "channel"), "@alertes": ("c2", "channel"), "@someone": ("u1", "person")}
TEXT = 500

lock = threading.Lock()
posts = []  # each {id, channel, key, text, reply_to, deleted}


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
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(url.query)))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if url.path == "/.belfry/posts":
                with lock:
                    return self.answer(200, [{"ids": [p["id"]], "text": p["text"], "deleted": p["deleted"]} for p in posts])
            if self.headers.get("Authorization") != "Bearer " + TOKEN:
                raise Refusal(401, "who are you")
            if not self.headers.get("User-Agent"):
                raise Refusal(400, "no User-Agent")
            parts = [urllib.parse.unquote(p) for p in url.path.split("/")[1:]]
            with lock:
                status, content = self.act(parts, query, body)
            self.answer(status, content)
        except Refusal as refusal:
            self.answer(refusal.status, {"error": str(refusal)})

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def act(self, parts, query, body):
        match self.command, parts:
            case "GET", ["api", "channels", name]:
                if name not in CHANNELS:
                    raise Refusal(404, "no such channel")
                number, kind = CHANNELS[name]
                return 200, {"id": number, "kind": kind, "title": name, "url": "https://board.example/" + name[1:]}
            case "GET", ["api", "posts"] if set(query) == {"channel", "key"}:
                return 200, {"posts": [shown(p) for p in posts if p["key"] == query["key"] and p["channel"] == query["channel"]]}
            case "POST", ["api", "posts"]:
                return 201, shown(self.post(self.read(body, {"text", "channel"}, {"reply_to"})))
            case "PUT", ["api", "posts", number]:
                found = find(number)
                if found["deleted"]:
                    raise Refusal(410, "deleted")
                found["text"] = self.read(body, {"text"}, set())["text"]
                return 200, shown(found)
            case "DELETE", ["api", "posts", number]:
                find(number)["deleted"] = True
                return 200, {}
        raise Refusal(400, "no such call")

    def read(self, body, wanted, possible):
        if self.headers.get("Content-Type") != "application/json":
            raise Refusal(400, "not JSON")
        try:
            content = json.loads(body)
        except ValueError as fault:
            raise Refusal(400, "not JSON") from fault
        if not isinstance(content, dict) or not wanted <= set(content) <= wanted | possible or not all(isinstance(v, str) for v in content.values()):
            raise Refusal(400, "other fields than wanted")
        if not content["text"]:
            raise Refusal(400, "no text")
        if len(content["text"]) > TEXT:
            raise Refusal(413, "too long")
        return content

    def post(self, content):
        kind = {number: kind for number, kind in CHANNELS.values()}.get(content["channel"])
        if kind != "channel":
            raise Refusal(422, "not a channel")
        if "reply_to" in content:
            find(content["reply_to"])
        key = self.headers.get("Idempotency-Key")
        if not key:
            raise Refusal(400, "no key")
        for known in posts:
            if known["key"] == key and known["channel"] == content["channel"]:
                return known
        posts.append({"id": str(len(posts) + 1), "key": key, "deleted": False, "reply_to": None, **content})
        return posts[-1]


def shown(post):
    return {"id": post["id"], "url": "https://board.example/p/" + post["id"]}


def find(number):
    for known in posts:
        if known["id"] == number:
            return known
    raise Refusal(404, "no such post")


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
