package keyword

import "sync"

// The words are what carriers and providers act upon by themselves (Twilio, AWS, Telnyx), what the rules name (47 CFR
// 64.1200(a)(10); ARRET and AIDE in Canada), and the usual ones of the languages that are read here.

var stops = phrases(
	// English
	"stop", "stop all", "stopall", "unsubscribe", "end", "quit", "revoke", "opt out", "optout", "opt-out", "cancel", "remove",
	"td",
	// French
	"arrêt", "arret", "désabonner", "desabonner", "désinscrire", "désinscription", "annuler", "fin",
	"désabonnement", "désabonnez-moi", "désabonnez moi", "désinscrivez-moi", "désinscrivez moi", // what readers write
	// Spanish
	"parar", "pare", "baja", "alto", "cancelar", "salir", "detener",
	// German
	"stopp", "abmelden", "abbestellen", "ende", "beenden",
	// Portuguese
	"sair", "remover",
	// Italian
	"basta", "annulla", "cancella", "disiscrivi",
	// Dutch
	"afmelden", "uitschrijven", "stoppen",
	// Arabic
	"توقف", "قف", "إيقاف", "أوقف", "إلغاء", "إلغاء الاشتراك", "إنهاء",
)

var starts = phrases("start", "unstop", "yes")

var helps = phrases("help", "info", "aide", "ayuda", "hilfe", "ajuda", "aiuto", "مساعدة")

// phrases brings words into the form in which they are compared, once.
func phrases(list ...string) func() [][]string {
	return sync.OnceValue(func() [][]string {
		out := make([][]string, len(list))
		for i, p := range list {
			out[i] = Normalize(p)
		}
		return out
	})
}
