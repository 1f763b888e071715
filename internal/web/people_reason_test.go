package web

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/policy"
)

// TestEveryReasonHasWords: whatever the code stores as the reason of a message is told in words on the page of its reader.
func TestEveryReasonHasWords(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{}
	for _, r := range policy.Reasons() {
		reasons[string(r.Reason)] = "policy"
	}
	for _, o := range []string{consent.OutcomeHard, consent.OutcomeSoft, consent.OutcomeOther, consent.OutcomeComplaint} {
		reasons[o] = "bounces"
	}
	for pattern, where := range map[string][]string{
		`Code = "([a-z_]+)"`: {"../../sdk/error.go"},
		`(?:Reason: |r\.Reason = (?:[\w.]+, )?|State, r\.Reason = [\w.]+, |again\([^"\n]*)"([a-z_]+)"`: {"../direct/*.go", "../consent/message.go"},
		`return "([a-z_]+)"`: {"../consent/message.go"},
		`UPDATE (?:messages|streams) [^` + "`" + `]*reason = '([a-z_]+)'`: {"../store/*.go", "../store/sqlite/*.go"},
	} {
		found := 0
		for _, glob := range where {
			files, err := filepath.Glob(glob)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
					reasons[m[1]] = file
					found++
				}
			}
		}
		if found == 0 {
			t.Errorf("nothing is found by %s", pattern)
		}
	}
	for reason, where := range reasons {
		for _, lang := range i18n.Languages() {
			if key := "people.reason." + reason; i18n.For(lang).Text(key) == "["+key+"]" {
				t.Errorf("%s has no word for the reason %q (%s)", lang, reason, where)
			}
		}
	}
}
