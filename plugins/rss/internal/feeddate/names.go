package feeddate

import "strings"

const hour = 3600

// zones are the names that mean one offset only, or that RFC 822 defines. IST (India, Ireland, Israel) and its like are
// missing on purpose.
var zones = map[string]int{
	"z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0,
	"est": -5 * hour, "edt": -4 * hour, "cst": -6 * hour, "cdt": -5 * hour,
	"mst": -7 * hour, "mdt": -6 * hour, "pst": -8 * hour, "pdt": -7 * hour,
	"akst": -9 * hour, "akdt": -8 * hour, "hst": -10 * hour, "nst": -(3*hour + hour/2), "ndt": -(2*hour + hour/2),
	"bst": hour, "west": hour, "cet": hour, "mez": hour, "cest": 2 * hour, "mesz": 2 * hour,
	"eet": 2 * hour, "eest": 3 * hour, "msk": 3 * hour, "jst": 9 * hour, "kst": 9 * hour,
	"aest": 10 * hour, "aedt": 11 * hour, "acst": 9*hour + hour/2, "awst": 8 * hour, "nzst": 12 * hour, "nzdt": 13 * hour,
}

// weekdays that may stand behind the date; before it any word may.
var weekdays = map[string]bool{
	"mon": true, "tue": true, "tues": true, "wed": true, "thu": true, "thur": true, "thurs": true, "fri": true, "sat": true, "sun": true,
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "saturday": true, "sunday": true,
	"lundi": true, "mardi": true, "mercredi": true, "jeudi": true, "vendredi": true, "samedi": true, "dimanche": true,
	"montag": true, "dienstag": true, "mittwoch": true, "donnerstag": true, "freitag": true, "samstag": true, "sonnabend": true, "sonntag": true,
}

// months of English, French, German, Spanish, Italian, Portuguese, Dutch, the Nordic languages, Polish and Russian, each
// without accents, full and as far as they are cut short.
var months = func() map[string]int {
	out := map[string]int{}
	for i, names := range []string{
		"january jan janvier janv jaenner janner januar enero ene gennaio gen janeiro januari januar stycznia января янв",
		"february feb februar fevrier fevr fev febrero febbraio fevereiro februari lutego февраля фев",
		"march mar mars marz maerz mrz marzo marco maart mrt marca марта мар",
		"april apr avril avr abril abr aprile kwietnia апреля апр",
		"may mai mayo maggio mag maio mei maj maja мая май",
		"june jun juin juni junio giugno giu junho czerwca июня июн",
		"july jul juillet juil juli julio luglio lug julho lipca июля июл",
		"august aug aout agosto ago augustus augusti sierpnia августа авг",
		"september sep sept septembre septiembre setiembre set settembre setembro wrzesnia сентября сен сент",
		"october oct octobre oktober okt octubre ottobre ott outubro out pazdziernika октября окт",
		"november nov novembre noviembre novembro listopada ноября ноя нояб",
		"december dec decembre dezember dez diciembre dic dicembre dezembro desember des grudnia декабря дек",
	} {
		for n := range strings.FieldsSeq(names) {
			out[n] = i + 1
		}
	}
	return out
}()

func month(w string) int { return months[w] }

var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ë", "e", "û", "u", "ù", "u", "ü", "u", "ú", "u", "ä", "a", "á", "a",
	"à", "a", "â", "a", "ã", "a", "ç", "c", "ö", "o", "ó", "o", "ô", "o", "í", "i", "ì", "i", "ś", "s", "ź", "z",
	"\u0301", "", "\u0302", "", "\u0308", "")

// fold makes lower case without accents.
func fold(s string) string { return accents.Replace(strings.ToLower(s)) }
