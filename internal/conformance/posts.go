package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// samplePost is a post with one paragraph.
func samplePost(text string) sdk.Post {
	at := time.Date(2026, 3, 29, 5, 0, 0, 0, time.UTC)
	return sdk.Post{ID: "post-1", Revision: 1, Channel: "alertes", ChannelTitle: "Dernière minute", Lang: "fr", Title: "Incendie à la gare",
		Summary: "Le trafic est interrompu.", URL: "https://news.example/a/1", Permalink: "https://belfry.example/c/alertes/1",
		Body: sdk.Body{sdk.Paragraph(sdk.Text(text))}, Content: sdk.Body{sdk.Paragraph(sdk.Text("Le trafic est interrompu."))},
		Tags: []string{"alerte"}, Authors: []sdk.Author{{Name: "A. Bé"}}, Published: at, Updated: at, State: sdk.PostLive,
		Items: []sdk.PostItem{{Key: "1", Title: "Incendie à la gare", URL: "https://news.example/a/1", Published: at}}}
}

// samplePosts are what newsrooms post: short, long, with every kind of node, in several scripts, with pictures.
func samplePosts() map[string]sdk.Post {
	posts := map[string]sdk.Post{
		"short":        samplePost("Le trafic est interrompu."),
		"long":         samplePost(strings.Repeat("Une phrase assez longue, avec des accents. ", 2000)),
		"one word":     samplePost(strings.Repeat("x", 30_000)),
		"emoji":        samplePost(strings.Repeat("👩‍👩‍👧‍👦é🇫🇷 ", 2000)),
		"right left":   samplePost("خبر عاجل: " + strings.Repeat("حريق في المحطة ", 50)),
		"markup":       samplePost(`<b>not bold</b> & *not* _this_ [nor](https://x.example) \ ` + "`either`" + ` {{.Title}} @someone #tag`),
		"no text":      samplePost(""),
		"without body": samplePost("x"),
	}
	p := posts["without body"]
	p.Body, p.Content = nil, nil
	posts["without body"] = p

	p = samplePost("")
	p.Body = sdk.Body{
		{Kind: sdk.NodeHeading, Level: 2, Children: []sdk.Node{sdk.Text("Gare")}},
		sdk.Paragraph(sdk.Strong(sdk.Text("Fort")), sdk.Text(" "), sdk.Node{Kind: sdk.NodeEmphasis, Children: []sdk.Node{sdk.Text("doux")}},
			sdk.Node{Kind: sdk.NodeBreak}, sdk.Link("https://news.example/a/1?x=1&y=2", sdk.Text("lire"))),
		{Kind: sdk.NodeQuote, Children: []sdk.Node{sdk.Paragraph(sdk.Text("« Cité »"))}},
		{Kind: sdk.NodeList, Ordered: true, Level: 3, Children: []sdk.Node{
			{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("un"))}},
			{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("deux"))}}}},
		{Kind: sdk.NodeCodeBlock, Lang: "go", Text: "fmt.Println(\"<&>\")\n```"},
		{Kind: sdk.NodeRule},
		sdk.Paragraph(sdk.Node{Kind: sdk.NodeStrike, Children: []sdk.Node{sdk.Node{Kind: sdk.NodeCode, Text: "a`b"}}}),
	}
	posts["every kind of node"] = p

	p = samplePost("Deux images.")
	p.Media = []sdk.Media{sampleImage("one"), sampleImage("two")}
	posts["pictures"] = p
	p = samplePost(strings.Repeat("Une longue légende. ", 500))
	p.Media = []sdk.Media{sampleImage("one")}
	posts["long caption"] = p

	p = samplePost("Le trafic reprend.")
	p.Revision, p.Correction = 2, "L'heure était fausse."
	posts["corrected"] = p
	p = samplePost("Ce message a été retiré.")
	p.Revision, p.State = 3, sdk.PostWithdrawn
	posts["withdrawn"] = p
	return posts
}

// A PNG of one pixel, with a name behind it so that different pictures have different digests.
const onePixel = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa75\x81\x84\x00\x00\x00\x00IEND\xaeB`\x82"

func sampleContent(name string) []byte { return []byte(onePixel + name) }

func sampleImage(name string) sdk.Media {
	data := sampleContent(name)
	sum := sha256.Sum256(data)
	return sdk.Media{URL: "https://belfry.example/media/" + name + ".png", Type: "image/png", Alt: "Une image", Credit: "A. Bé / CC BY",
		Width: 1, Height: 1, File: sdk.File{SHA256: hex.EncodeToString(sum[:]), Name: name + ".png", Type: "image/png",
			Size: int64(len(data)), Width: 1, Height: 1}}
}

// sampleFile is the content of one of the pictures.
func sampleFile(digest string) []byte {
	for _, name := range []string{"one", "two"} {
		if sampleImage(name).File.SHA256 == digest {
			return sampleContent(name)
		}
	}
	return nil
}
