package web

import (
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

// zoneGroup is the zones of one part of the world.
type zoneGroup struct {
	Name  string
	Zones []option
}

// zones are offered by part of the world: one place of every zone that people live in, and a few more that they look for. A
// zone that is not among them stands first for those who have it.
var zones = []struct {
	part   string
	places string
}{
	{"Africa", "Abidjan Accra Addis_Ababa Algiers Cairo Casablanca Dakar Johannesburg Kinshasa Lagos Lubumbashi Nairobi Tripoli Tunis Windhoek"},
	{"America", "Anchorage Argentina/Buenos_Aires Asuncion Bogota Caracas Cayenne Chicago Denver Guadeloupe Guatemala Halifax Havana Lima " +
		"Los_Angeles Martinique Mexico_City Miquelon Montevideo New_York Noronha Nuuk Panama Phoenix Port-au-Prince Santiago Sao_Paulo St_Johns Toronto Vancouver Winnipeg"},
	{"Asia", "Almaty Baghdad Bangkok Beirut Colombo Dhaka Dubai Ho_Chi_Minh Hong_Kong Jakarta Jerusalem Kabul Karachi Kathmandu Kolkata " +
		"Manila Riyadh Seoul Shanghai Singapore Taipei Tashkent Tbilisi Tehran Tokyo Vladivostok Yangon Yekaterinburg Yerevan"},
	{"Atlantic", "Azores Canary Cape_Verde Reykjavik South_Georgia"},
	{"Australia", "Adelaide Brisbane Darwin Hobart Perth Sydney"},
	{"Europe", "Amsterdam Athens Belgrade Berlin Brussels Bucharest Budapest Copenhagen Dublin Helsinki Istanbul Kyiv Lisbon London " +
		"Luxembourg Madrid Moscow Oslo Paris Prague Rome Sofia Stockholm Vienna Warsaw Zurich"},
	{"Indian", "Antananarivo Maldives Mauritius Mayotte Reunion"},
	{"Pacific", "Apia Auckland Chatham Fiji Gambier Guam Honolulu Kiritimati Marquesas Noumea Pago_Pago Tahiti Tongatapu Wallis"},
}

// zoneGroups are the choices of a zone, with one chosen.
func (v *view) zoneGroups(chosen string) []zoneGroup {
	var out []zoneGroup
	found := false
	for _, part := range zones {
		g := zoneGroup{Name: v.words.Text("people.part." + strings.ToLower(part.part))}
		for place := range strings.FieldsSeq(part.places) {
			name := part.part + "/" + place
			g.Zones = append(g.Zones, option{Value: name, Text: placeName(place), Checked: name == chosen})
			found = found || name == chosen
		}
		out = append(out, g)
	}
	if !found && chosen != "" {
		out = slices.Insert(out, 0, zoneGroup{Name: v.words.Text("people.part.own"), Zones: []option{{Value: chosen, Text: placeName(chosen), Checked: true}}})
	}
	return out
}

func placeName(place string) string {
	if i := strings.LastIndexByte(place, '/'); i >= 0 && place != "Etc/UTC" {
		place = place[i+1:]
	}
	return strings.ReplaceAll(place, "_", " ")
}

// loadZone gives a zone by its IANA name; nil when there is none of that name.
func loadZone(name string) *time.Location {
	if name == "" || len(name) > 64 {
		return nil
	}
	zone, err := scheduler.LoadZone(name)
	if err != nil {
		return nil
	}
	return zone
}
