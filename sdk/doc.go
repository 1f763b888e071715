// Package sdk is the vocabulary that Belfry and its connectors share: values, small interfaces, one error type, and the
// declaration of a connector. It imports the standard library only.
//
// A connector is any value with a Close method; what else it can do is found with As, never with a type assertion,
// because a connector that runs in another process has every method. Each ability is an interface of one or two verbs:
//
//	sources    Source, WebhookReceiver, Checker
//	channels   Resolver, Publisher, Editor, Deleter, Finder, Assistant
//	people     Messenger, Streamer
//	inbound    Receiver, Listener
//
// These interfaces are open: others implement them, so they never grow; a new ability is a new interface. The structs
// they take and give may gain fields. What goes wrong crosses as *Error, whose Code alone decides what Belfry does next.
//
// Two more interfaces help people before anything is sent: the settings of a Resolver may be a ChannelChecker, which finds
// a misspelt channel when the configuration is read, and a connector inside the host may be a Rehearser, which plays its
// platform's part in a rehearsal. A connector inside the host that speaks with people may tell its limits, make links and
// show a menu of commands: MessageLimiter, Linker, CommandMenu, Previewer.
//
// A connector is declared once, with Define, which yields its strict decoding, its JSON Schema and its reference page.
package sdk
