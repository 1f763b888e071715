package keyword_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/belfry-news/belfry/internal/bot/keyword"
)

// words are those of the platforms and languages, as people meet them.
var words = map[keyword.Meaning]string{
	keyword.Stop: `STOP|UNSUBSCRIBE|END|QUIT|STOPALL|REVOKE|OPTOUT|CANCEL|ARRET|OPT-OUT|REMOVE|TD|STOP ALL|opt out|
		ARRÊT|DESABONNER|DÉSABONNER|DESINSCRIRE|DÉSINSCRIPTION|ANNULER|FIN|DÉSABONNEMENT|DESABONNEMENT|DÉSABONNEZ-MOI|Désabonnez moi|Désinscrivez-moi|PARAR|PARE|BAJA|ALTO|CANCELAR|SALIR|DETENER|
		STOPP|ABMELDEN|ABBESTELLEN|ENDE|BEENDEN|SAIR|REMOVER|BASTA|ANNULLA|CANCELLA|DISISCRIVI|AFMELDEN|UITSCHRIJVEN|STOPPEN|
		توقف|قف|إيقاف|أوقف|إلغاء|إلغاء الاشتراك|إنهاء`,
	keyword.Start: `START|UNSTOP|YES`,
	keyword.Help:  `HELP|INFO|AIDE|AYUDA|HILFE|AJUDA|AIUTO|مساعدة`,
}

func TestEveryWord(t *testing.T) {
	t.Parallel()
	for want, list := range words {
		for word := range strings.SplitSeq(list, "|") {
			word = strings.TrimSpace(word)
			for _, text := range []string{word, strings.ToLower(word), "  " + word + " \n", word + ".", "« " + word + " »", "“" + word + "”",
				word + " please, and thank you", "\u200b" + word + "\ufeff", word + "🛑", "🙏🏽 " + word + " ‼️", "*" + word + "*"} {
				if got := keyword.Classify(text); got != want {
					t.Errorf("%q is %s, want %s", text, got, want)
				}
			}
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]keyword.Meaning{
		"":                                   keyword.None,
		"🙂":                                  keyword.None,
		"...":                                keyword.None,
		"Merci pour l’article":               keyword.None,
		"/stop":                              keyword.Stop,
		"Stop.":                              keyword.Stop,
		"s.t.o.p":                            keyword.Stop,
		"Ｓｔｏｐ":                               keyword.Stop,
		"𝐒𝐓𝐎𝐏":                               keyword.Stop,
		"STO\u00adP":                         keyword.Stop,
		"Arre\u0302t":                        keyword.Stop,
		"ARRET SVP":                          keyword.Stop,
		"désabonner, merci":                  keyword.Stop,
		strings.Repeat("STOP ", 3):           keyword.Stop,
		"stop\nsent from my phone":           keyword.Stop,
		"ايقاف":                              keyword.Stop,
		"إيقــاف":                            keyword.Stop,
		"أَوْقِف":                            keyword.Stop,
		"الغاء الاشتراك":                     keyword.Stop,
		"don't stop":                         keyword.Maybe,
		"Don’t stop!":                        keyword.Maybe,
		"please stop":                        keyword.Maybe,
		"ne pas désabonner":                  keyword.Maybe,
		"Je veux me désabonner":              keyword.Maybe,
		"I want to opt out now":              keyword.Maybe,
		"Please,stop":                        keyword.Maybe,
		"من فضلك توقف":                       keyword.Maybe,
		"non-stop news":                      keyword.None,
		"stop-motion":                        keyword.None,
		"the stopper is unstoppable":         keyword.None,
		"finir":                              keyword.None,
		"l’arrêté du maire":                  keyword.None,
		"yes":                                keyword.Start,
		"Start!":                             keyword.Start,
		"yes, stop":                          keyword.Maybe,
		"yesterday":                          keyword.None,
		"Aide-moi":                           keyword.None,
		"aide ?":                             keyword.Help,
		"info about stop":                    keyword.Help,
		strings.Repeat("x ", 40<<10) + "end": keyword.None, // nobody writes so much to be left alone
		"\xff\xfe stop":                      keyword.Stop,
	} {
		if got := keyword.Classify(text); got != want {
			t.Errorf("%.40q is %s, want %s", text, got, want)
		}
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing quoted": {"Stop, please.\nAnna", "Stop, please.\nAnna"},
		"lines":          {"> to leave, answer STOP\nThank you\n> more", "Thank you"},
		"English":        {"Thank you\n\nOn Fri, 20 Nov 2026 at 07:00, La Gazette <brief@news.example> wrote:\n> STOP", "Thank you"},
		"broken in two":  {"Thank you\n\nOn Fri, 20 Nov 2026 at 07:00, La Gazette\n<brief@news.example> wrote:\nSTOP", "Thank you"},
		"French":         {"Merci\r\n\r\nLe ven. 20 nov. 2026 à 07:00, La Gazette <brief@news.example> a écrit :\r\nSTOP", "Merci"},
		"German":         {"Danke\n\nAm 20.11.2026 um 07:00 schrieb La Gazette:\nSTOP", "Danke"},
		"a block":        {"Thank you\n-----Original Message-----\nSTOP", "Thank you"},
		"headers":        {"Merci\nDe : La Gazette <brief@news.example>\nSTOP", "Merci"},
		"a signature":    {"Thank you\n-- \nStop & Go Ltd", "Thank you"},
		"dashes":         {"a -- b\nOn we go", "a -- b\nOn we go"},
	} {
		if got := keyword.Fresh(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Classify never fails, is the same for a text in another spelling of the same letters, and acts upon nothing without a
// letter.
func FuzzClassify(f *testing.F) {
	for _, list := range words {
		for word := range strings.SplitSeq(list, "|") {
			f.Add(strings.TrimSpace(word))
		}
	}
	for _, s := range []string{"don't stop", "\xff", "🛑", "ARRE\u0302T", "أَوْقِف", "İstop", "ẞ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := keyword.Classify(text)
		if spaced := keyword.Classify("\u200b " + text + " \u200d."); len(text) < 1000 && spaced != got {
			t.Errorf("%q is %s, and %s with invisible characters around it", text, got, spaced)
		}
		if !strings.ContainsFunc(text, unicode.IsLetter) && got != keyword.None && !strings.ContainsFunc(text, unicode.IsSymbol) {
			t.Errorf("%q is %s without a letter", text, got)
		}
		for _, w := range keyword.Normalize(text) {
			if strings.ContainsFunc(w, func(r rune) bool { return unicode.Is(unicode.Cherokee, r) }) {
				continue // whose case the library folds back and forth, and of which no word is known here
			}
			if again := keyword.Normalize(w); len(again) != 1 || again[0] != w {
				t.Errorf("%q becomes %q and then %q", text, w, again)
			}
		}
		_ = keyword.Fresh(text)
	})
}
