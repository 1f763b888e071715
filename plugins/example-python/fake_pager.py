#!/usr/bin/python3 -B
"""A paging service for tests, stricter than a real one: what is not exactly right is refused.

It prints its address and serves until it is killed. At /.belfry/messages it says what it handed over, for the suite of
`belfry plugin test`."""

import http.server
import json
import threading

TOKEN = "canary-c0ffee"
KNOWN = {"anna@example.invalid"}
TEXT = 480

lock = threading.Lock()
pages = []  # each {id, to, text, key}


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
            with lock:
                self.answer(201, {"id": self.page(body)})
        except Refusal as refusal:
            self.answer(refusal.status, {"error": str(refusal)})

    do_GET = do_POST = serve

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
            if set(page) != {"to", "text"} or not all(isinstance(v, str) and v.strip() for v in page.values()):
                raise ValueError
        except ValueError:
            raise Refusal(422, "a page has to and text") from None
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
