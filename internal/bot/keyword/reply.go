package keyword

import (
	"regexp"
	"strings"
)

// quoted begins what a mail program repeats of the mail that is answered.
var quoted = regexp.MustCompile(`(?i)^(-{2,} ?(original message|message d['’]origine|ursprüngliche nachricht|mensaje original|` +
	`mensagem original|messaggio originale|oorspronkelijk bericht)|_{10,}$|(on|le|am|el|em|il|op) .{4,200}(wrote|a écrit|schrieb|` +
	`escribió|escreveu|ha scritto|schreef).{0,200}[:：]$|(from|de|von|da|van) ?: .*@)`)

// Fresh gives what somebody wrote in a reply by mail, without the mail that it repeats and without a signature: our own
// words, such as the one that ends everything, must not be taken for theirs.
func Fresh(text string) string {
	var out []string
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		next := ""
		if i+1 < len(lines) {
			next = strings.TrimSpace(lines[i+1]) // the line before a quotation is often broken in two
		}
		if strings.TrimRight(line, " \t") == "--" || quoted.MatchString(trimmed) || trimmed != "" && quoted.MatchString(trimmed+" "+next) {
			break
		}
		if !strings.HasPrefix(trimmed, ">") {
			out = append(out, line)
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
