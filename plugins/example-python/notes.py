#!/usr/bin/python3 -B
"""A source: each text file of a folder is an item, its first line the title, blank lines separate paragraphs. A file that
changes is a revision, a file that is deleted is withdrawn."""

import hashlib
import os
import stat

import belfry_plugin
from belfry.plugin.v1 import item_pb2, source_pb2

MAX_NOTE = 256 << 10


def absolute(path):
    if not os.path.isabs(path):
        return f'"{path}" is no absolute path', "write it from the root on, like /srv/notes"


def web(address):
    if address and not address.startswith(("https://", "http://")):
        return f'"{address}" is no address of the web', "write one like https://notes.example/"


def positive(number):
    if number < 1:
        return f"{number} is less than 1", "write 1 or more"


class Notes(belfry_plugin.Type):
    name = "notes-py"
    summary = "notes from a folder of text files"
    roles = ("source",)
    fields = (
        belfry_plugin.Field("folder", str, "the folder with the notes, one file each", required=True, example='"/srv/notes"', check=absolute),
        belfry_plugin.Field("suffix", str, "the end of the names of notes", default=".txt"),
        belfry_plugin.Field("link", str, "the address before a note's name", default="", check=web),
        belfry_plugin.Field("lang", str, "the language of the notes, as a BCP 47 tag", default=""),
        belfry_plugin.Field("max", int, "the most notes that a folder may hold", default=1000, check=positive),
    )

    def open(self, settings, config):
        return Source(settings, config)


class Source:
    def __init__(self, settings, config):
        self.log, self.config = settings.log, config

    def fetch(self, call, cursor, force):
        """Read the whole folder. The cursor is a digest of everything: the same one means that nothing changed."""
        batch, seen = source_pb2.BatchChunk(), hashlib.sha256()
        for name in self.names():
            if call.ended():
                raise belfry_plugin.Error("unavailable", "the call was given up")
            item = self.read(name)
            seen.update(item.SerializeToString(deterministic=True))
            batch.items.append(item)
        batch.end.next = seen.hexdigest().encode()
        if not force and batch.end.next == cursor:
            return source_pb2.BatchChunk(end=source_pb2.BatchEnd(unchanged=True, next=cursor))
        batch.end.complete = True  # every file was read: what is absent was withdrawn
        self.log.debug("read the folder", notes=len(batch.items))
        return batch

    def names(self):
        with reading("the folder of the notes"):
            with os.scandir(self.config["folder"]) as entries:
                names = sorted(e.name for e in entries if e.is_file(follow_symlinks=False) and e.name.endswith(self.config["suffix"]))
        if len(names) > self.config["max"]:
            raise belfry_plugin.Error("too_large", f"the folder holds {len(names)} notes; max is {self.config['max']}")
        return names

    def read(self, name):
        path = os.path.join(self.config["folder"], name)
        with reading("a note"), open(path, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise belfry_plugin.Error("unavailable", f"{name} is no file any more")
            content = file.read(MAX_NOTE + 1)
        if len(content) > MAX_NOTE:
            raise belfry_plugin.Error("too_large", f"the note {name} is larger than the {MAX_NOTE} bytes that are read")
        key = name[:-len(self.config["suffix"])] or name
        title, _, text = content.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n")
        item = item_pb2.Item(key=key, title=title.strip() or key, lang=self.config["lang"])
        item.updated.FromSeconds(int(about.st_mtime))
        if self.config["link"]:
            item.url = self.config["link"] + key
        for block in text.split("\n\n"):
            words = " ".join(block.split())
            if words:
                item.body.append(belfry_plugin.paragraph(words))
        return item

    def close(self):
        pass


class reading:
    """Says what cannot be read. A file that is just being replaced may be there a moment later."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        return self

    def __exit__(self, _kind, fault, _trace):
        if isinstance(fault, PermissionError):
            raise belfry_plugin.Error("forbidden", f"{self.what} may not be read; give Belfry's user the right to") from fault
        if isinstance(fault, FileNotFoundError):
            raise belfry_plugin.Error("unavailable", f"{self.what} is not there") from fault
        if isinstance(fault, OSError):
            raise belfry_plugin.Error("unavailable", f"{self.what} cannot be read") from fault


if __name__ == "__main__":
    belfry_plugin.serve(Notes())
