"""What a plugin of Belfry needs besides its own work: the handshake, the life of instances, errors, the log.

It speaks version 1 of the protocol (docs/plugin-protocol.md) with nothing but Debian's python3-grpcio and python3-protobuf.
A plugin is one call:

    if __name__ == "__main__":
        belfry_plugin.serve(MyType())

The messages are those of belfry/plugin/v1, as protoc writes them. What a Type and an instance are is said at Type.
"""

import concurrent.futures
import contextlib
import difflib
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
import traceback

import grpc
from google.protobuf import any_pb2, empty_pb2

from belfry.plugin.v1 import channel_pb2, inbox_pb2, item_pb2, people_pb2, plugin_pb2, source_pb2

VERSION = 1
MAX_MESSAGE = 16 << 20
CHUNK = 256 << 10
WORKERS = 24  # calls at the same time; a Settle that waits holds one

CODES = (
    "rate_limited", "unavailable", "unknown_outcome", "invalid", "too_large", "unsupported", "unauthenticated", "forbidden",
    "gone", "no_consent", "window_closed", "not_a_channel",
)


class Error(Exception):
    """The one error that crosses. Its code decides what Belfry does next; its sentence is what people read, so it holds no
    credential, no address and no text of an item."""

    def __init__(self, code, public, *, scope="", retry_after=0.0):
        super().__init__(public)
        assert code in CODES, code
        self.code, self.public, self.scope, self.retry_after = code, public, scope, retry_after


class Field:
    """One setting of a configuration: a str, an int or a bool."""

    def __init__(self, name, kind, doc, *, default=None, required=False, secret=False, example="", check=None):
        self.name, self.kind, self.doc, self.default = name, kind, doc, default
        self.required, self.secret, self.example, self.check = required, secret, example, check


class Type:
    """One type of connector, as it stands after "type:" in Belfry's configuration.

    name, summary, roles and fields are data. open(settings, config) makes an instance and reaches no network. The instance
    has the methods of its roles, each with the Call as its first argument:

        source      fetch(call, cursor, force) -> source_pb2.BatchChunk with everything in it
        checker     check_items(call, items) -> list of source_pb2.Presence
        resolver    resolve(call, name) -> (channel_pb2.ChannelRef, channel_pb2.Limits)
        publisher   plan(call, to, post) -> list of channel_pb2.Part;  publish(call, to, part, files) -> channel_pb2.PartRef
        editor      edit(call, ref, part, files) -> channel_pb2.PartRef
        deleter     delete(call, ref)
        finder      find(call, to, key) -> channel_pb2.PartRef or None
        messenger   message(call, message, files) -> people_pb2.MessageResponse
        listener    listen(call, cursor, wait, most) -> (list of (inbox_pb2.InboxEvent, cursor behind it), cursor)
        receiver    receive(call, request) -> (source_pb2.WebhookReply, list of inbox_pb2.InboxEvent)

    and close(). files are the contents of part.files, or of the files of message.common.media, in the same order. Calls of one
    instance may come at the same time. A messenger says in medium what its platform wants of messages to people, be it nothing:
    plugin_pb2.Medium(). message is called for what is on that medium, for somebody, and in its time; anything else is refused
    before. The address in it is for that call alone.

    One that hears people names in medium.hears of what it tells. listen waits as many seconds as wait says while there is nothing, and
    gives at most so many events; what stands before the cursor that it is asked from is stored, and what is behind it is given, again if
    it was given before. The cursor that it gives last counts when there are no events. receive reads nothing of a request before its
    signature; a request that is refused has no events. Both may be repeated, and then give events with the same ids."""

    name = ""
    summary = ""
    roles = ()
    fields = ()
    medium = None

    def open(self, settings, config):
        raise NotImplementedError


class Settings:
    """What an instance is told besides its configuration."""

    def __init__(self, instance, user_agent, log):
        self.instance, self.user_agent, self.log = instance, user_agent, log


class Call:
    """One call: its end and the time that is left for it."""

    def __init__(self, context):
        self._context = context

    def remaining(self):
        """Seconds until the deadline."""
        left = self._context.time_remaining()
        return 60.0 if left is None else max(left, 0.001)

    def ended(self):
        """Whether the host gave the call up. What goes on regardless costs the whole process after some seconds."""
        return not self._context.is_active()

    def on_end(self, callback):
        """Have callback run when the call ends, however it ends. It may run at once, and in another thread."""
        if not self._context.add_callback(callback):
            callback()


class Log:
    """Lines of Belfry's log: JSON on the standard error."""

    LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2, "ERROR": 3}

    def __init__(self, **attributes):
        self._attributes = attributes
        self._least = self.LEVELS.get(os.environ.get("BELFRY_PLUGIN_LOG", "INFO"), 1)

    def having(self, **attributes):
        return Log(**{**self._attributes, **attributes})

    def _write(self, level, message, attributes):
        if self.LEVELS[level] >= self._least:
            line = {"@level": level.lower(), "@message": message, **self._attributes, **attributes}
            sys.stderr.write(json.dumps(line, default=str) + "\n")
            sys.stderr.flush()

    def debug(self, message, **attributes):
        self._write("DEBUG", message, attributes)

    def info(self, message, **attributes):
        self._write("INFO", message, attributes)

    def warn(self, message, **attributes):
        self._write("WARN", message, attributes)

    def error(self, message, **attributes):
        self._write("ERROR", message, attributes)


def paragraph(text):
    """A block of plain text."""
    return item_pb2.Node(kind="paragraph", children=[item_pb2.Node(kind="text", text=text)])


def plain(nodes):
    """A formatted text as plain lines. A kind of node that is not known is shown as its children."""
    out = []
    for node in nodes:
        if node.kind == "break":
            out.append("\n")
        elif node.kind == "rule":
            out.append("—")
        out.append(node.text)
        out.append(plain(node.children))
        if node.kind in ("paragraph", "heading", "quote", "list", "item", "codeblock", "rule"):
            out.append("\n")
    return "".join(out)


def fill(text, values):
    """A text of a message with the person's own values in their places. A name without a value becomes nothing."""
    return re.sub("\ufdd0([^\ufdd1]*)\ufdd1", lambda place: values.get(place[1], ""), text)


def text(words):
    """What a person or a platform wrote, as it can cross: half a character, say, is no reason to hear nobody."""
    return words.encode("utf-8", "replace").decode()


def header(request, name):
    """The value of a header of a request, as bytes; empty when it has none."""
    for one in request.header:
        if one.name.lower() == name.lower().encode():
            return one.values[0] if one.values else b""
    return b""


# Configuration.


def schema(fields):
    """The JSON Schema of a configuration."""
    kinds = {str: "string", int: "integer", bool: "boolean"}
    properties = {}
    for field in fields:
        properties[field.name] = {"type": kinds[field.kind], "description": field.doc}
        if field.default is not None:
            properties[field.name]["default"] = field.default
    return {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": False,
            "properties": properties, "required": [field.name for field in fields if field.required]}


def decode(fields, message):
    """Read a configuration strictly: (values, problems)."""
    try:
        tree = json.loads(message.json or b"{}")
    except ValueError:
        tree = None
    if not isinstance(tree, dict):
        raise Error("invalid", "the configuration is not one JSON object")
    untyped, known = set(message.untyped), {field.name: field for field in fields}
    values, problems = {field.name: field.default for field in fields}, []

    def problem(name, what, fix, on_key=False):
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        problems.append(plugin_pb2.Problem(pointer=pointer, on_key=on_key, what=what, fix=fix))

    for name, value in tree.items():
        field = known.get(name)
        if field is None:
            near = difflib.get_close_matches(name, known, 1)
            problem(name, f'unknown key "{name}"', f'did you mean "{near[0]}"?' if near else "see the settings of the plugin", True)
            continue
        if "/" + name in untyped and isinstance(value, str):
            value = _typed(field.kind, value)
        if type(value) is not field.kind:
            words = {str: "a text", int: "a whole number", bool: "true or false"}
            problem(name, f"{name} is not {words[field.kind]}", f"write {name}: {field.example}" if field.example else "")
            continue
        values[name] = value
        wrong = field.check(value) if field.check else None
        if wrong:
            problem(name, *wrong)
    for field in fields:
        if field.required and field.name not in tree:
            problem(field.name, f'"{field.name}" is missing: {field.doc}', f"write {field.name}: {field.example}" if field.example else "")
    return values, problems


def _typed(kind, text):
    """A text that came without a type, from the environment or a flag, as the type that its setting wants."""
    if kind is bool:
        return {"true": True, "false": False}.get(text, text)
    if kind is int:
        with contextlib.suppress(ValueError):
            return int(text)
    return text


# The process.


def serve(*types):
    """Serve types to the Belfry that started this process, and return when it is done. Nothing is printed before."""
    if os.environ.get("BELFRY_PLUGIN") != "started-by-belfry":
        names = ", ".join(t.name for t in types)
        sys.exit(f"{sys.argv[0]} is a plugin of Belfry ({names}). Belfry starts it by itself: name its path in Belfry's "
                 "configuration, and use its type there.")
    # The host decides when the process ends, and not a signal to the whole group.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.stack_size(1 << 20)  # stacks count as memory of the process
    parent, done = os.getppid(), threading.Event()
    process = _Process(types, done)
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(max_workers=WORKERS),
        interceptors=[_FromBelfry(os.environ.pop("BELFRY_PLUGIN_TOKEN", ""))],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)])
    server.add_generic_rpc_handlers(process.handlers())
    socket = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "socket")
    if server.add_insecure_port("unix:" + socket) == 0:
        sys.exit("the socket cannot be opened")
    server.start()
    os.write(1, f"1|{VERSION}|unix|{socket}|grpc|socket\n".encode())
    os.dup2(2, 1)  # what is printed from here on is a line of the log
    while not done.wait(0.5):
        if os.getppid() != parent:
            os._exit(3)  # the host was killed
    server.stop(grace=0.5).wait()
    process.close()
    sys.stderr.flush()
    os._exit(0)  # at once: no thread has anything left to do


class _FromBelfry(grpc.ServerInterceptor):
    """Answers Belfry, and no other program of the same user that finds the socket."""

    def __init__(self, token):
        self.token = token

    def intercept_service(self, continuation, details):
        said = [value for key, value in details.invocation_metadata if key == "belfry-token"]
        if self.token and len(said) == 1 and hmac.compare_digest(said[0], self.token):
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "this plugin answers Belfry only"))


class _Instance:
    def __init__(self, connector, name, roles, log):
        self.connector, self.name, self.roles, self.log = connector, name, roles, log
        self.calls, self.changed, self.closed = [], threading.Condition(), False

    def settle(self, context, number=None):
        """Wait until a call has ended, or every one."""
        with self.changed:
            while any(number in (None, call) for call in self.calls) and context.is_active():
                self.changed.wait(0.05)


class _Process:
    def __init__(self, types, done):
        self.types, self.done = {t.name: t for t in types}, done
        self.lock, self.instances, self.log = threading.Lock(), {}, Log()

    def handlers(self):
        def service(name, **methods):
            return grpc.method_handlers_generic_handler(name, methods)

        def unary(request, reply, behaviour):
            return grpc.unary_unary_rpc_method_handler(behaviour, request.FromString, reply.SerializeToString)

        def upload(request, reply, behaviour):
            return grpc.stream_unary_rpc_method_handler(behaviour, request.FromString, reply.SerializeToString)

        v1, c = "belfry.plugin.v1.", channel_pb2
        fetch = grpc.unary_stream_rpc_method_handler(
            self.fetch, source_pb2.FetchRequest.FromString, source_pb2.BatchChunk.SerializeToString)
        return (
            service("plugin.GRPCController", Shutdown=unary(empty_pb2.Empty, empty_pb2.Empty, self.shutdown)),
            service(v1 + "Plugin",
                    Describe=unary(plugin_pb2.DescribeRequest, plugin_pb2.DescribeResponse, self.describe),
                    Check=unary(plugin_pb2.CheckRequest, plugin_pb2.CheckResponse, self.check),
                    Open=unary(plugin_pb2.OpenRequest, plugin_pb2.OpenResponse, self.open),
                    Settle=unary(plugin_pb2.SettleRequest, plugin_pb2.SettleResponse, self.settle),
                    Close=unary(plugin_pb2.CloseRequest, plugin_pb2.CloseResponse, self.close_instance)),
            service(v1 + "Source", Fetch=fetch),
            service(v1 + "Checker",
                    CheckItems=unary(source_pb2.CheckItemsRequest, source_pb2.CheckItemsResponse, self.check_items)),
            service(v1 + "Resolver",
                    ResolveChannel=unary(c.ResolveChannelRequest, c.ResolveChannelResponse, self.resolve)),
            service(v1 + "Publisher",
                    Plan=unary(c.PlanRequest, c.PlanResponse, self.plan),
                    Publish=upload(c.PublishRequest, c.PublishResponse, self.publish)),
            service(v1 + "Editor", Edit=upload(c.EditRequest, c.EditResponse, self.edit)),
            service(v1 + "Deleter", Delete=unary(c.DeleteRequest, c.DeleteResponse, self.delete)),
            service(v1 + "Finder", Find=unary(c.FindRequest, c.FindResponse, self.find)),
            service(v1 + "Messenger", Message=upload(people_pb2.MessageRequest, people_pb2.MessageResponse, self.message)),
            service(v1 + "Listener", Listen=unary(inbox_pb2.ListenRequest, inbox_pb2.ListenResponse, self.listen)),
            service(v1 + "Receiver", Receive=unary(inbox_pb2.ReceiveRequest, inbox_pb2.ReceiveResponse, self.receive)),
        )

    # The life of the process and of its instances.

    def shutdown(self, _request, _context):
        self.done.set()
        return empty_pb2.Empty()

    def close(self):
        with self.lock:
            left, self.instances = list(self.instances.values()), {}
        for instance in left:
            instance.connector.close()

    def describe(self, _request, _context):
        kinds = {str: "string", int: "integer", bool: "boolean"}
        reply = plugin_pb2.DescribeResponse()
        for t in self.types.values():
            reply.types.add(name=t.name, summary=t.summary, roles=t.roles, medium=t.medium, schema_json=json.dumps(schema(t.fields)).encode(), settings=[
                plugin_pb2.Setting(path=f.name, type="secret" if f.secret else kinds[f.kind], doc=f.doc, example=f.example,
                                   default="" if f.default is None else str(f.default), required=f.required)
                for f in t.fields])
        return reply

    def check(self, request, context):
        with self.failing("check", False, context):
            return plugin_pb2.CheckResponse(problems=decode(self.type(request.type).fields, request.config)[1])

    def open(self, request, context):
        with self.failing("open", False, context):
            t = self.type(request.type)
            config, problems = decode(t.fields, request.config)
            if problems:
                return plugin_pb2.OpenResponse(problems=problems)
            log = self.log.having(instance=request.instance)
            with self.lock:
                if not request.handle or request.handle in self.instances:
                    raise Error("invalid", "the handle of the instance is taken or empty")
                connector = t.open(Settings(request.instance, request.user_agent, log), config)
                self.instances[request.handle] = _Instance(connector, t.name, t.roles, log)
            return plugin_pb2.OpenResponse(roles=t.roles)

    def settle(self, request, context):
        instance = self.instances.get(request.handle)
        if instance:
            instance.settle(context, request.call)
        return plugin_pb2.SettleResponse()

    def close_instance(self, request, context):
        with self.lock:
            instance = self.instances.pop(request.handle, None)
        if instance:
            with self.failing("close", False, context):
                instance.settle(context)
                instance.connector.close()
        return plugin_pb2.CloseResponse()

    def type(self, name):
        if name not in self.types:
            raise Error("unsupported", f'this plugin has no type "{name}"')
        return self.types[name]

    # The calls of an instance.

    @contextlib.contextmanager
    def failing(self, op, sends, context):
        """Turn what is raised into the status that crosses. The cause is for the log."""
        try:
            yield
        except Error as error:
            _abort(context, op, error)
        except Exception as fault:
            # The message of a stranger's exception may hold anything; where it happened is enough.
            where = traceback.extract_tb(fault.__traceback__)[-1]
            self.log.error("a call failed in a way it did not expect", op=op, kind=type(fault).__name__, file=where.filename,
                           line=where.lineno)
            _abort(context, op, Error("unknown_outcome" if sends else "unavailable",
                                      "the connector failed in a way it did not expect; its log has the place"))

    @contextlib.contextmanager
    def using(self, request, context, op, role, sends=False):
        """Find the instance of a call, and count the call until it has ended."""
        with self.failing(op, sends, context):
            instance = self.instances.get(request.handle)
            if instance is None:
                raise Error("unavailable", "the instance is not open")
            if role not in instance.roles:
                raise Error("unsupported", "this connector cannot do that")
            with instance.changed:
                instance.calls.append(request.call)
            try:
                # Asked after the call was counted: one that Settle did not see never reaches the connector.
                if not context.is_active():
                    raise Error("unavailable", "the call was given up before it began")
                yield instance.connector, Call(context)
            finally:
                with instance.changed:
                    instance.calls.remove(request.call)
                    instance.changed.notify_all()

    def fetch(self, request, context):
        with self.using(request, context, "fetch", "source") as (connector, call):
            batch = connector.fetch(call, request.cursor, request.force)
        yield from _chunks(batch)

    def check_items(self, request, context):
        with self.using(request, context, "check items", "checker") as (connector, call):
            return source_pb2.CheckItemsResponse(presences=connector.check_items(call, request.items))

    def resolve(self, request, context):
        with self.using(request, context, "resolve", "resolver") as (connector, call):
            channel, limits = connector.resolve(call, request.name)
            return channel_pb2.ResolveChannelResponse(channel=channel, limits=limits)

    def plan(self, request, context):
        with self.using(request, context, "plan", "publisher") as (connector, call):
            return channel_pb2.PlanResponse(parts=connector.plan(call, request.to, request.post))

    def publish(self, requests, context):
        head, files = _upload(requests)
        with self.using(head, context, "publish", "publisher", sends=True) as (connector, call):
            return channel_pb2.PublishResponse(ref=connector.publish(call, head.to, head.part, _whole(head, files)))

    def edit(self, requests, context):
        head, files = _upload(requests)
        with self.using(head, context, "edit", "editor", sends=True) as (connector, call):
            return channel_pb2.EditResponse(ref=connector.edit(call, head.ref, head.part, _whole(head, files)))

    def delete(self, request, context):
        with self.using(request, context, "delete", "deleter", sends=True) as (connector, call):
            connector.delete(call, request.ref)
            return channel_pb2.DeleteResponse()

    def find(self, request, context):
        with self.using(request, context, "find", "finder") as (connector, call):
            ref = connector.find(call, request.to, request.key)
            return channel_pb2.FindResponse(ref=ref, found=ref is not None)

    def message(self, requests, context):
        head, files = _upload(requests, people_pb2.MessageRequest())
        with self.using(head, context, "message", "messenger", sends=True) as (connector, call):
            message = head.message
            if not message.address or message.medium != self.instances[head.handle].name:
                raise Error("no_consent", "the message is for nobody on this medium")
            if not message.HasField("not_after") or time.time() > message.not_after.seconds + message.not_after.nanos / 1e9:
                raise Error("no_consent", "the time in which the message may leave is over")
            return connector.message(call, message, _contents(head, files, len(message.common.media)))

    def listen(self, request, context):
        with self.using(request, context, "listen", "listener") as (connector, call):
            wait = request.wait.seconds + request.wait.nanos / 1e9
            heard, behind = connector.listen(call, request.cursor, wait, request.most)
            return inbox_pb2.ListenResponse(heard=[inbox_pb2.Heard(event=event.SerializeToString(), next=after) for event, after in heard], next=behind)

    def receive(self, request, context):
        with self.using(request, context, "receive", "receiver") as (connector, call):
            reply, events = connector.receive(call, request.request)
            return inbox_pb2.ReceiveResponse(reply=reply, events=[event.SerializeToString() for event in events])


def _upload(requests, none=None):
    """The head of an upload, and the content of its files."""
    head, files = None, {}
    for request in requests:
        if head is None and request.handle:
            head = request
        elif request.HasField("piece"):
            files.setdefault(request.piece.file, bytearray()).extend(request.piece.data)
    if head is None:
        head = none if none is not None else channel_pb2.PublishRequest()
    return head, files


def _whole(head, files):
    """The contents in the order of part.files. Nothing has left for a platform yet."""
    return _contents(head, files, len(head.part.files))


def _contents(head, files, count):
    out = [bytes(files.get(i, b"")) for i in range(count)]
    if [len(content) for content in out[:len(head.content)]] != list(head.content):
        raise Error("unavailable", "the content of a file did not arrive whole")
    return out


def _chunks(batch):
    """A batch in messages of about CHUNK bytes, its end with the last."""
    chunk, size = source_pb2.BatchChunk(), 0
    for name in ("items", "removed"):
        for message in getattr(batch, name):
            if size and size + message.ByteSize() > CHUNK:
                yield chunk
                chunk, size = source_pb2.BatchChunk(), 0
            getattr(chunk, name).add().CopyFrom(message)
            size += message.ByteSize()
    chunk.whole.extend(batch.whole)
    chunk.end.CopyFrom(batch.end)
    yield chunk


def _abort(context, op, error):
    """End a call with the status ABORTED and an Error among its details."""
    if not context.is_active():
        context.set_code(grpc.StatusCode.CANCELLED)
        return
    crossing = plugin_pb2.Error(code=error.code, scope=error.scope, op=op, public=error.public[:4000])
    if error.retry_after > 0:
        crossing.retry_after.FromNanoseconds(int(error.retry_after * 1e9))
    details = any_pb2.Any()
    details.Pack(crossing)
    # google.rpc.Status, whose Python code Debian has in no package of grpcio: code = 1, message = 2, details = 3.
    status = b"\x08" + bytes([grpc.StatusCode.ABORTED.value[0]]) + _bytes(2, crossing.public.encode()) + _bytes(3, details.SerializeToString())
    context.set_trailing_metadata((("grpc-status-details-bin", status),))
    context.abort(grpc.StatusCode.ABORTED, crossing.public)


def _bytes(field, data):
    """A field of bytes, as protobuf writes it."""
    length, out = len(data), bytearray([field << 3 | 2])
    while length > 127:
        out.append(length & 127 | 128)
        length >>= 7
    return bytes(out + bytes([length]) + data)
