package telegram_test

import (
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

func TestConformance(t *testing.T) {
	server := telegramtest.New(telegramtest.Options{Token: token, BotID: 123456, Bot: "gazette_bot", Chats: chats()})
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	failing := func(f fault.Fault) func(testing.TB) func() {
		return func(testing.TB) func() {
			f.Every = 1
			server.Faults.Add(f)
			return server.Faults.Clear
		}
	}
	spec := telegram.Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			common := sdktest.Options{
				Open:    open,
				Config:  map[string]any{"token": token, "api": web.URL, "allow_private": []any{"127.0.0.1/32"}},
				Secrets: []string{token, token[7:]},
				Break:   failing(telegramtest.Refusal(502, "Bad Gateway", 0, 0)),
				Stall:   failing(fault.Fault{Before: time.Minute}),
			}
			t.Run("Resolver", func(t *testing.T) {
				sdktest.Resolver(t, sdktest.ResolverOptions{Options: common, Channels: []string{"@gazette", "-1002",
					"@lecteurs", "-9"},
					NotChannels: []string{"777"}, Missing: []string{"@nobody", "-1009", "@outside"}})
			})
			o := sdktest.PublisherOptions{
				Options: common, Channel: "@gazette",
				Forged: []sdk.ChannelRef{{ID: "777"}, {ID: "@annab"}, {ID: "https://t.me/annab"}},
				Shows: func(tb testing.TB, ref sdk.PartRef) (string, bool) {
					id, err := strconv.ParseInt(ref.IDs[0], 10, 64)
					if err != nil {
						tb.Fatal(err)
					}
					for _, m := range server.Messages(gazette) {
						if m.ID == id {
							return m.Text, true
						}
					}
					return "", false
				},
				Posts: func(testing.TB) int { return len(server.State().Chats[0].Messages) },
			}
			t.Run("Publisher", func(t *testing.T) { sdktest.Publisher(t, o) })
			t.Run("Editor", func(t *testing.T) { sdktest.Editor(t, o) })
			t.Run("Deleter", func(t *testing.T) { sdktest.Deleter(t, o) })
		})
	}
}

// anna is somebody who pressed Start. Her number is one that Telegram gives nobody.
const anna = sdktest.FirstNobody + 7

func person(id int64, status string) telegramtest.Chat {
	return telegramtest.Chat{ID: id, Type: "private", Title: "Anna", Username: "annab", Lang: "fr",
		Bot: telegramtest.Member{Status: status}}
}

// Who writes to people and hears them does so over the wire, too.
func TestConformanceWithPeople(t *testing.T) {
	server := telegramtest.New(telegramtest.Options{Token: token, BotID: 123456, Bot: "gazette_bot",
		Chats: []telegramtest.Chat{person(anna, "member"), person(anna+1, "kicked")}})
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	failing := func(f fault.Fault) func(testing.TB) func() {
		return func(testing.TB) func() {
			f.Every = 1
			server.Faults.Add(f)
			return server.Faults.Clear
		}
	}
	common := sdktest.Options{
		Open:    telegram.Spec().Open,
		Config:  map[string]any{"token": token, "api": web.URL, "allow_private": []any{"127.0.0.1/32"}},
		Secrets: []string{token, token[7:]},
		Break:   failing(telegramtest.Refusal(502, "Bad Gateway", 0, 0)),
		Stall:   failing(fault.Fault{Before: time.Minute}),
	}
	for name, open := range map[string]sdktest.Opener{"Messenger": telegram.Spec().Open, "Messenger over the wire": sdktest.Loopback(t, telegram.Spec())} {
		options := common
		options.Open = open
		t.Run(name, func(t *testing.T) {
			sdktest.Messenger(t, sdktest.MessengerOptions{Options: options, Medium: telegram.Medium,
				Address: strconv.FormatInt(anna, 10), Lost: strconv.FormatInt(anna+1, 10),
				Got: func(testing.TB) (texts []string) {
					for _, m := range server.Messages(anna) {
						texts = append(texts, m.Text)
					}
					return texts
				}})
		})
	}
	for name, open := range map[string]sdktest.Opener{"Listener": telegram.Spec().Open, "Listener over the wire": sdktest.Loopback(t, telegram.Spec())} {
		options := common
		options.Open = open
		t.Run(name, func(t *testing.T) {
			sdktest.Listener(t, sdktest.ListenerOptions{Options: options, Medium: telegram.Medium, From: strconv.FormatInt(anna, 10),
				Say: func(tb testing.TB, text string) {
					if err := server.Say(anna, text); err != nil {
						tb.Fatal(err)
					}
				}})
		})
	}
}
