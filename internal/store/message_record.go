package store

import (
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
)

// MessagesOf implements consent.Tx.
func (p people) MessagesOf(id consent.PersonID, most int) (out []consent.Sent, err error) {
	err = p.tx.rows(func(r scanner) error {
		var s consent.Sent
		var at int64
		var kind, purpose, public, channel string
		if err := r.Scan(&at, &kind, &s.Medium, &purpose, &s.Outcome, &s.Reason, &s.Title, &public, &channel); err != nil {
			return err
		}
		s.At = timeOf(at)
		k, name, _ := strings.Cut(purpose, " ")
		s.Purpose = consent.Purpose{Kind: consent.Kind(k), Name: name}
		s.Kind = consent.StreamKind(kind)
		if public != "" {
			s.URL = fmt.Sprintf("/c/%s/%s", channel, public)
		}
		out = append(out, s)
		return nil
	}, `SELECT CASE WHEN m.settled_at > 0 THEN m.settled_at ELSE s.created_at END, s.kind, s.medium, s.purpose, m.state, m.reason,
			coalesce(json_extract(r.content, '$.Title'), json_extract(r.content, '$.title'), ''), coalesce(p.public_id, ''), coalesce(p.channel, '')
		FROM streams s CROSS JOIN messages m ON m.stream = s.id AND m.person = $1 LEFT JOIN posts p ON p.id = s.post LEFT JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE s.person IS NULL OR s.person = $1 ORDER BY s.id DESC LIMIT $2`, id, most)
	return out, err
}
