package web

import "testing"

func TestLink(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]string{
		"https://gazette.example/a?b=c#d":        {"https://gazette.example/a?b=c#d", "gazette.example"},
		"https://WWW.Gazette.example/É":          {"https://www.gazette.example/%C3%89", "gazette.example"},
		"https://www.München.example:8443/x":     {"https://www.xn--mnchen-3ya.example:8443/x", "xn--mnchen-3ya.example"},
		"http://[2001:db8::1]:8080/":             {"http://[2001:db8::1]:8080/", "2001:db8::1"},
		"http://127.0.0.1:9911/1":                {"http://127.0.0.1:9911/1", "127.0.0.1"},
		"https://gazette.example/?q=a \u202e\"<": {"https://gazette.example/?q=a%20%E2%80%AE%22%3C", "gazette.example"},
		"javascript:alert(1)":                    {"", ""},
		"mailto:a@gazette.example":               {"", ""},
		"https://user:word@gazette.example/":     {"", ""},
		"//gazette.example/":                     {"", ""},
		"/c/alertes":                             {"", ""},
		"data:text/html,x":                       {"", ""},
		"https://\u202egazette.example/":         {"", ""},
		"":                                       {"", ""},
	} {
		got := link(raw)
		if host := hostOf(got); got != want[0] || host != want[1] {
			t.Errorf("%q leads to %q on %q, want %q on %q", raw, got, host, want[0], want[1])
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"fr": "fr", "pt-BR": "pt-BR", "zh-Hant-TW": "zh-Hant-TW", "": "", "x y": "", `"><script>`: "", "f": "",
		"en-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd": ""} {
		if got := language(tag); got != want {
			t.Errorf("language(%q) = %q, want %q", tag, got, want)
		}
	}
}
