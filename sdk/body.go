package sdk

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Body is formatted text as a small tree of blocks: paragraphs, headings, quotations, lists, code and rules, with inline
// text inside. It never holds HTML. Package render turns it into what each platform understands, and HTML into it.
type Body []Node

// Bounds of a Body.
const (
	MaxBodyDepth = 16
	MaxBodyNodes = 5000
)

// Node is one block or one inline part of a Body. Which fields count follows from Kind.
type Node struct {
	Kind NodeKind `json:"kind"`
	// Text of a NodeText, NodeCode or NodeCodeBlock.
	Text string `json:"text,omitempty"`
	// URL of a NodeLink: absolute, http, https or mailto.
	URL string `json:"url,omitempty"`
	// Level of a NodeHeading, 1 to 6; the first number of an ordered NodeList.
	Level int `json:"level,omitempty"`
	// Ordered says that a NodeList is numbered.
	Ordered bool `json:"ordered,omitempty"`
	// Lang of a NodeCodeBlock, such as "go"; letters, digits, "-", "+", "_" and "#" only.
	Lang string `json:"lang,omitempty"`
	// Children of every other kind: blocks in NodeQuote and NodeItem, items in NodeList, inline nodes elsewhere.
	Children []Node `json:"children,omitempty"`
}

// NodeKind is append-only. An unknown kind is shown as its children.
type NodeKind string

// The kinds of blocks.
const (
	NodeParagraph NodeKind = "paragraph"
	NodeHeading   NodeKind = "heading"
	NodeQuote     NodeKind = "quote"
	NodeList      NodeKind = "list"
	NodeItem      NodeKind = "item"
	NodeCodeBlock NodeKind = "codeblock"
	NodeRule      NodeKind = "rule"
)

// The kinds of inline nodes.
const (
	NodeText     NodeKind = "text"
	NodeStrong   NodeKind = "strong"
	NodeEmphasis NodeKind = "emphasis"
	NodeStrike   NodeKind = "strike"
	NodeCode     NodeKind = "code"
	NodeLink     NodeKind = "link"
	NodeBreak    NodeKind = "break"
)

// Block reports whether nodes of this kind stand at the top of a Body, in a quotation or in a list item.
func (k NodeKind) Block() bool {
	switch k {
	case NodeParagraph, NodeHeading, NodeQuote, NodeList, NodeCodeBlock, NodeRule:
		return true
	}
	return false
}

// Text makes an inline text node.
func Text(s string) Node { return Node{Kind: NodeText, Text: s} }

// Link makes an inline link.
func Link(url string, children ...Node) Node {
	return Node{Kind: NodeLink, URL: url, Children: children}
}

// Strong makes inline nodes bold.
func Strong(children ...Node) Node { return Node{Kind: NodeStrong, Children: children} }

// Paragraph makes a block of inline nodes.
func Paragraph(children ...Node) Node { return Node{Kind: NodeParagraph, Children: children} }

// Validate checks depth, number of nodes, nesting, link schemes and UTF-8. Its errors have CodeInvalid or CodeTooLarge.
func (b Body) Validate() error {
	v := bodyCheck{}
	return v.nodes(b, "", true, 1)
}

type bodyCheck struct{ count, text int }

func (v *bodyCheck) nodes(nodes []Node, parent NodeKind, blocks bool, depth int) error {
	if depth > MaxBodyDepth && len(nodes) > 0 {
		return Errorf(CodeTooLarge, "body", "the text is nested more than %d levels deep", MaxBodyDepth)
	}
	for i := range nodes {
		n := &nodes[i]
		if v.count++; v.count > MaxBodyNodes {
			return Errorf(CodeTooLarge, "body", "the text has more than %d nodes", MaxBodyNodes)
		}
		if v.text += len(n.Text); v.text > MaxBodyText {
			return Errorf(CodeTooLarge, "body", "the text has more than %d bytes", MaxBodyText)
		}
		if !utf8.ValidString(n.Text) || !utf8.ValidString(n.URL) {
			return Errorf(CodeInvalid, "body", "the text is not UTF-8")
		}
		if err := n.fits(parent, blocks); err != nil {
			return err
		}
		inside := n.Kind == NodeQuote || n.Kind == NodeItem || n.Kind == NodeList
		if err := v.nodes(n.Children, n.Kind, inside, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fits checks one node against where it stands.
func (n *Node) fits(parent NodeKind, blocks bool) error {
	misplaced := func(what string) error {
		return Errorf(CodeInvalid, "body", "a %s stands %s", n.Kind, what)
	}
	switch {
	case (n.Kind == NodeItem) != (parent == NodeList):
		return misplaced("outside a list, or a list holds something that is no item")
	case n.Kind == NodeItem:
	case n.Kind.Block() && !blocks:
		return misplaced("inside running text")
	case !n.Kind.Block() && blocks:
		return misplaced("where a paragraph is expected")
	case n.Kind == NodeLink && parent == NodeLink:
		return misplaced("inside another link")
	}
	switch n.Kind {
	case NodeText, NodeCode, NodeCodeBlock, NodeRule, NodeBreak:
		if len(n.Children) > 0 {
			return misplaced("with children, which it cannot have")
		}
	case NodeHeading:
		if n.Level < 1 || n.Level > 6 {
			return Errorf(CodeInvalid, "body", "a heading has level %d; 1 to 6 exist", n.Level)
		}
	case NodeLink:
		if _, err := CheckLink(n.URL); err != nil {
			return err
		}
	}
	for _, r := range n.Lang {
		if !strings.ContainsRune("-+_#", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return Errorf(CodeInvalid, "body", "%q is no name of a programming language", n.Lang)
		}
	}
	return nil
}

// CheckLink accepts what a reader may be sent to: an absolute http or https URL with a host and without user and
// password, or a mailto address; free of control characters and at most MaxURL bytes. It gives the URL in its normal
// spelling. The error has CodeInvalid.
func CheckLink(link string) (string, error) {
	if len(link) > MaxURL {
		return "", Errorf(CodeTooLarge, "link", "an address is longer than %d bytes", MaxURL)
	}
	for _, r := range link {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError {
			return "", Errorf(CodeInvalid, "link", "an address holds a control character")
		}
	}
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return "", Errorf(CodeInvalid, "link", "%q is no address", link)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return "", Errorf(CodeInvalid, "link", "%q names no host", link)
		}
		if u.User != nil {
			return "", Errorf(CodeInvalid, "link", "an address holds a user name or a password")
		}
		u.Host = strings.ToLower(u.Host)
	case "mailto":
		if u.Opaque == "" {
			return "", Errorf(CodeInvalid, "link", "%q names no mail address", link)
		}
	default:
		return "", Errorf(CodeInvalid, "link", "%q is neither http, https nor mailto", link)
	}
	return spell(u), nil
}

// spell writes a URL as String does, but keeps a host outside ASCII as people read it: String would escape it by
// percentages, which browsers do not take for a name.
func spell(u *url.URL) string {
	host := u.Host
	if strings.IndexFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return u.String()
	}
	named := *u
	named.Host = "host.invalid"
	return strings.Replace(named.String(), "//host.invalid", "//"+host, 1)
}

// PlainText gives the text of inline nodes without their formatting; a break becomes a line feed. For a whole Body use
// package render.
func PlainText(nodes []Node) string {
	var b strings.Builder
	plainText(&b, nodes)
	return b.String()
}

func plainText(b *strings.Builder, nodes []Node) {
	for i := range nodes {
		if nodes[i].Kind == NodeBreak {
			b.WriteByte('\n')
		}
		b.WriteString(nodes[i].Text)
		plainText(b, nodes[i].Children)
	}
}

// String describes the node for tests and logs of developers, without its text.
func (n Node) String() string { return fmt.Sprintf("%s(%d)", n.Kind, len(n.Children)) }
