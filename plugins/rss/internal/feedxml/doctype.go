package feedxml

import "bytes"

// doctype reads over a document type declaration. Nothing in it is ever expanded or fetched: the names that an internal
// subset declares are only remembered, so that a reference to one can be refused, and what cannot be anything but a bomb
// or a probe is refused at once.
func (s *scanner) doctype() error {
	rest := s.data[s.pos:]
	i := len("<!DOCTYPE")
	for i < len(rest) {
		if i > maxDoctype {
			return tooLarge("the feed's DOCTYPE is longer than %d KiB", maxDoctype>>10)
		}
		switch rest[i] {
		case '"', '\'':
			end := bytes.IndexByte(rest[i+1:], rest[i])
			if end < 0 {
				return invalid("the feed ends inside its DOCTYPE")
			}
			i += end + 2
		case '[':
			n, err := s.subset(rest[i+1 : min(len(rest), maxDoctype)])
			if err != nil {
				return err
			}
			i += n + 1
		case '>':
			s.pos += i + 1
			return nil
		default:
			i++
		}
	}
	return invalid("the feed ends inside its DOCTYPE")
}

// subset reads the declarations up to the closing bracket and gives the length it took.
func (s *scanner) subset(b []byte) (int, error) {
	for i := 0; i < len(b); {
		switch {
		case b[i] == ']':
			return i + 1, nil
		case bytes.HasPrefix(b[i:], []byte("<!--")):
			end := bytes.Index(b[i:], []byte("-->"))
			if end < 0 {
				return 0, invalid("the feed's DOCTYPE has a comment without an end")
			}
			i += end + 3
		case bytes.HasPrefix(b[i:], []byte("<!ENTITY")):
			n, err := s.entityDeclaration(b[i+len("<!ENTITY"):])
			if err != nil {
				return 0, err
			}
			i += len("<!ENTITY") + n
		case b[i] == '"' || b[i] == '\'':
			end := bytes.IndexByte(b[i+1:], b[i])
			if end < 0 {
				return 0, invalid("the feed's DOCTYPE has a quotation without an end")
			}
			i += end + 2
		default:
			i++
		}
	}
	return 0, invalid("the feed's DOCTYPE is longer than %d KiB or has no end", maxDoctype>>10)
}

// entityDeclaration reads one declaration behind its keyword.
func (s *scanner) entityDeclaration(b []byte) (int, error) {
	end, quote := 0, byte(0)
	for ; end < len(b) && (quote != 0 || b[end] != '>'); end++ {
		switch {
		case quote != 0 && b[end] == quote:
			quote = 0
		case quote == 0 && (b[end] == '"' || b[end] == '\''):
			quote = b[end]
		}
	}
	if end == len(b) {
		return 0, invalid("the feed's DOCTYPE declares an entity without an end")
	}
	fields := bytes.Fields(b[:end])
	parameter := len(fields) > 0 && string(fields[0]) == "%"
	if parameter {
		// Lists of HTML's entity names come in this way; they are not fetched.
		return end + 1, nil
	}
	if len(fields) < 2 {
		return 0, invalid("the feed's DOCTYPE declares an entity without a value")
	}
	name, value := string(fields[0]), bytes.TrimSpace(b[bytes.Index(b, fields[0])+len(fields[0]):end])
	switch {
	case len(name) > maxName:
		return 0, tooLarge("the feed's DOCTYPE declares an entity with a name of more than %d bytes", maxName)
	case value[0] != '"' && value[0] != '\'':
		return 0, invalid("the feed declares an external entity (%s); feeds may not make readers fetch anything", name)
	case bytes.Contains(bytes.ReplaceAll(value, []byte("&#"), nil), []byte("&")):
		return 0, invalid("the feed declares an entity that is made of other entities (%s), which is how XML bombs are built", name)
	}
	if s.declared == nil {
		s.declared = map[string]bool{}
	}
	if s.declared[name] = true; len(s.declared) > maxEntities {
		return 0, tooLarge("the feed's DOCTYPE declares more than %d entities", maxEntities)
	}
	return end + 1, nil
}
