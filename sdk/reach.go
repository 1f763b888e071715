package sdk

import "context"

// The abilities in this file belong to connectors that speak with people. Each is looked up with As, and a medium that lacks one is
// served without it. All but MessageLimiter are for connectors inside the host only, like Rehearser.

// MessageLimiter says, as data, what a Messenger takes: Text and Unit for the whole message, and in Rules the Rates, of
// which RatePerson counts the messages to one person and RateDestination those of the destination.
type MessageLimiter interface {
	Messenger
	MessageLimits() Limits
}

// Linker makes the address that leads a person to where they can write first, such as https://t.me/gazette_bot?start=alertes.
type Linker interface {
	Connector
	// FollowLink gives the address whose opening brings payload back as the text "/start payload" of an EventMessage.
	// Errors: CodeInvalid for a payload that the platform does not carry; what asking the platform for its own name gives.
	FollowLink(ctx context.Context, payload string) (string, error)
}

// Command is an entry of the menu that a platform shows beside the field where people write. Name is without a slash, in
// lower case letters a to z, digits and underscores; Text says in a few words what it does.
type Command struct{ Name, Text string }

// CommandMenu shows people what they can write. The host gives the menu when it begins to listen.
type CommandMenu interface {
	Connector
	// OfferCommands replaces the menu for people whose device speaks lang; an empty lang is for all others.
	OfferCommands(ctx context.Context, lang string, commands []Command) error
}

// Previewer shows the bytes of a message as they would leave, without a person: nobody is named in them, and nothing is sent.
type Previewer interface {
	Connector
	// PreviewMessage gives what the platform would get. What stands for the recipient is no address that exists.
	PreviewMessage(ctx context.Context, m MessageContent) ([]byte, error)
}
