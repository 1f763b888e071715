#!/usr/bin/env python3
"""Posts what an in-house CMS exports as JSON: {"articles": [{id, status, section, title, body, url, ...}]}."""
import json
import sys

request = json.load(sys.stdin)
wanted = request["config"].get("sections")
since = request["cursor"] or ""  # null at first, and when everything is asked for
newest = since
with open(request["config"]["export"], encoding="utf-8") as export:
    articles = json.load(export)["articles"]
for a in articles:
    if a["modified"] < since or wanted and a["section"] not in wanted:
        continue
    newest = max(newest, a["modified"])
    if a["status"] == "published":
        item = {"key": str(a["id"]), "title": a["title"], "html": a["body"], "url": a["url"], "published": a["published"],
                "updated": a["modified"], "authors": a.get("authors"), "tags": [a["section"]], "urgency": a.get("priority")}
        print(json.dumps({"item": item}))
    elif since:
        print(json.dumps({"removed": {"key": str(a["id"]), "reason": a["status"]}}))
print(json.dumps({"cursor": newest}))
