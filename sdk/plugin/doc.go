// Package plugin runs connectors in a process of their own, under Belfry. Its one promise: a plugin's main is one line.
//
//	func main() { plugin.Serve(linesource.Spec()) }
//
// Serve speaks version 1 of the protocol (proto/belfry/plugin/v1), by gRPC over a private Unix socket with mutual TLS. A
// plugin in another language speaks the same protocol (docs/plugin-protocol.md).
//
// What crosses in version 1: sdk.Source, sdk.WebhookReceiver, sdk.Checker, sdk.Resolver, sdk.Publisher, sdk.Editor,
// sdk.Deleter, sdk.Finder, and, of a type that says what its medium allows (Spec.WithMedium), sdk.Messenger and
// sdk.MessageLimiter; of one that also says of what it tells (sdk.Medium.Hears), sdk.Listener and sdk.Receiver. Streamer, Linker,
// CommandMenu, Previewer, Assistant, SharedPlanner, Rehearser and Prober do not cross: behind the wire sdk.As answers false for them.
//
// Of a person a plugin is told what stands in the sdk.DirectMessage that it is to send, in the moment in which it may leave:
// the address on the medium that bears the name of the plugin's type, and the values of that message. Nothing else of them
// reaches it, before or after, and it cannot ask. What it tells of people is about those of that medium, whatever it says.
//
// What a plugin may rely on:
//   - One process holds many instances. Calls of different instances come at the same time.
//   - The context of a call ends at its deadline or when the host gives the call up. A call that goes on regardless is
//     ended with the whole process after a grace of some seconds.
//   - The configuration comes over the socket, never by the environment or the command line. The environment holds
//     nothing of the daemon's but what stands in Belfry's configuration for this plugin.
//   - What is printed to the standard output or error, and every line of Settings.Log and slog, becomes a line of the
//     daemon's log, cut and counted when there is too much of it.
//   - Memory is limited. A process that exceeds its limit ends.
//   - A panic in a call costs that call: it is recovered and logged with its stack, and the host gets CodeUnknownOutcome
//     where the call sends (Publish, Edit, Delete, Message) and CodeUnavailable elsewhere. The instance stays open. A panic in a
//     goroutine of the plugin's own ends the process, as Go has it; the host then makes the calls that were under way
//     again, one by one, each alone in a fresh process, and holds only the instance that crashes again.
//
// What a plugin must keep to is written at the interfaces of package sdk, and package sdktest checks it.
package plugin
