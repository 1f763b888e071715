package telegramtest

import "time"

// State is what can be seen, for tests and for a page that draws phones.
type State struct {
	Bot   string      `json:"bot"`
	Chats []ChatState `json:"chats"`
}

// ChatState is one chat with its messages in the order they came.
type ChatState struct {
	ID       int64     `json:"id"`
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Username string    `json:"username,omitempty"`
	Messages []Message `json:"messages"`
}

// Message is one message. A deleted one stays in the list with its last content.
type Message struct {
	ID      int64 `json:"id"`
	ReplyTo int64 `json:"reply_to,omitempty"`
	// Album is the same for the messages of one media group; empty otherwise.
	Album   string    `json:"album,omitempty"`
	Date    time.Time `json:"date"`
	Edited  time.Time `json:"edited,omitzero"`
	Deleted time.Time `json:"deleted,omitzero"`
	// Text is the visible text or caption; HTML is the same as safe HTML; Raw is what was sent, in the form of Mode.
	Text string `json:"text,omitempty"`
	HTML string `json:"html,omitempty"`
	Raw  string `json:"raw,omitempty"`
	Mode string `json:"mode,omitempty"`
	// Photo is nil for a text.
	Photo *Photo `json:"photo,omitempty"`
	// Above says that the caption stands above the picture.
	Above     bool `json:"above,omitempty"`
	Silent    bool `json:"silent,omitempty"`
	Protected bool `json:"protected,omitempty"`
	// Preview is how the first link is previewed.
	Preview LinkPreview `json:"preview,omitzero"`
	// Buttons stand under the message, row by row.
	Buttons [][]Button `json:"buttons,omitempty"`
}

// Photo is a picture of a message. Path is where the Server gives its bytes.
type Photo struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// LinkPreview are the link_preview_options of a message.
type LinkPreview struct {
	Disabled bool   `json:"is_disabled,omitempty"`
	URL      string `json:"url,omitempty"`
	Small    bool   `json:"prefer_small_media,omitempty"`
	Large    bool   `json:"prefer_large_media,omitempty"`
	Above    bool   `json:"show_above_text,omitempty"`
}

// State gives a copy of everything.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := State{Bot: s.options.Bot}
	for _, id := range s.order {
		c := s.chats[id]
		cs := ChatState{ID: c.ID, Type: c.Type, Title: c.Title, Username: c.Username, Messages: []Message{}}
		for _, m := range c.messages {
			cs.Messages = append(cs.Messages, m.shown())
		}
		out.Chats = append(out.Chats, cs)
	}
	return out
}

// Messages gives the messages of one chat that are not deleted.
func (s *Server) Messages(chatID int64) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	if c := s.chats[chatID]; c != nil {
		for _, m := range c.messages {
			if m.Deleted.IsZero() {
				out = append(out, m.shown())
			}
		}
	}
	return out
}

type chat struct {
	Chat
	last     int64
	messages []*stored
}

// stored is a message with its file.
type stored struct {
	Message
	file *file
}

func (m *stored) shown() Message {
	out := m.Message
	if m.file != nil {
		out.Photo = &Photo{Path: m.file.path(), SHA256: m.file.sum, Width: m.file.width, Height: m.file.height}
	}
	return out
}

// find gives a message that is still there, or nil.
func (c *chat) find(id int64) *stored {
	for _, m := range c.messages {
		if m.ID == id && m.Deleted.IsZero() {
			return m
		}
	}
	return nil
}
