package api

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// TestAnswers asks every operation, well and badly, and holds each answer against the document.
func TestAnswers(t *testing.T) {
	t.Parallel()
	o := readDocument(t)
	asked := map[string]bool{}
	for name, c := range map[string]struct {
		method, route string
		// path is the route with its parts filled in; %[1]s is the post, %[2]d a delivery that prepare made.
		path, body string
		prepare    func(t *testing.T, f *fixture) int64
		status     int
		// says is in the answer.
		says string
	}{
		"status":                     {method: "GET", route: "/status", path: "/status", status: 200, says: `"site":"La Gazette"`},
		"plan":                       {method: "GET", route: "/plan", path: "/plan?for=48h", status: 200, says: `"kind":"digest"`},
		"plan from a local time":     {method: "GET", route: "/plan", path: "/plan?at=2027-01-01+06:00&for=2h", status: 200, says: `"at":"2027-01-01T06:00:00Z"`},
		"plan of nonsense":           {method: "GET", route: "/plan", path: "/plan?for=-3h&at=soon", status: 400, says: "is no time"},
		"sources":                    {method: "GET", route: "/sources", path: "/sources", status: 200, says: `"state":"holds"`},
		"a source":                   {method: "GET", route: "/sources/{name}", path: "/sources/articles", status: 200, says: `"kind":"flood"`},
		"a misspelt source":          {method: "GET", route: "/sources/{name}", path: "/sources/article", status: 404, says: `did you mean \"articles\"?`},
		"fetch":                      {method: "POST", route: "/sources/{name}/fetch", path: "/sources/articles/fetch", body: `{"force":true}`, status: 200, says: `"fetched":false`},
		"fetch without a body":       {method: "POST", route: "/sources/{name}/fetch", path: "/sources/articles/fetch", status: 200, says: `"daemon":true`},
		"fetch for too long":         {method: "POST", route: "/sources/{name}/fetch", path: "/sources/articles/fetch", body: `{"wait":31}`, status: 400, says: `"/wait"`},
		"release":                    {method: "POST", route: "/sources/{name}/release", path: "/sources/articles/release", body: `{}`, status: 200, says: `"released":2`},
		"drop":                       {method: "POST", route: "/sources/{name}/release", path: "/sources/articles/release", body: `{"drop":true}`, status: 200, says: `"dropped":2`},
		"replay of what is fetched":  {method: "POST", route: "/sources/{name}/replay", path: "/sources/articles/replay", body: `{"all":true}`, status: 409, says: "is fetched and not called"},
		"release of nothing":         {method: "POST", route: "/sources/{name}/release", path: "/sources/agenda/release", status: 409, says: "holds nothing"},
		"channels":                   {method: "GET", route: "/channels", path: "/channels", status: 200, says: `"kind":"each"`},
		"a channel":                  {method: "GET", route: "/channels/{name}", path: "/channels/brief", status: 200, says: `"kind":"digest"`},
		"no channel":                 {method: "GET", route: "/channels/{name}", path: "/channels/briefs", status: 404, says: "did you mean"},
		"release of a channel":       {method: "POST", route: "/channels/{name}/release", path: "/channels/alertes/release", status: 409, says: "holds nothing"},
		"posts":                      {method: "GET", route: "/posts", path: "/posts?channel=alertes&held=false", status: 200, says: `"title":"La gare est évacuée"`},
		"posts of no channel":        {method: "GET", route: "/posts", path: "/posts?channel=nope", status: 422, says: "no channel is called"},
		"posts after nothing":        {method: "GET", route: "/posts", path: "/posts?after=zzz", status: 422, says: "there is no post"},
		"a post":                     {method: "GET", route: "/posts/{id}", path: "/posts/%[1]s", status: 200, says: `"destination":"wire"`},
		"no post":                    {method: "GET", route: "/posts/{id}", path: "/posts/00000000", status: 404, says: "there is no post"},
		"create":                     {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","text":"Bonjour."}`, status: 201, says: `"title":"Bonjour."`},
		"create later":               {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","title":"2099","at":"2099-01-01 00:00"}`, status: 201, says: `"visible":"2098-12-31T23:00:00Z"`},
		"create in the past":         {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","title":"1999","at":"1999-01-01"}`, status: 422, says: "is in the past"},
		"create in no channel":       {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desks","text":"a"}`, status: 422, says: `did you mean \"desk\"?`},
		"create nothing":             {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk"}`, status: 422, says: "neither a title nor a text"},
		"create with unknown fields": {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","txt":"a","titel":"b"}`, status: 400, says: `did you mean \"title\"?`},
		"create from a file":         {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","text":"a","image":"/etc/passwd"}`, status: 422, says: "cannot be fetched"},
		"create from inside":         {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","text":"a","image":"http://10.0.0.1/a.png"}`, status: 422, says: "10.0.0.1 is a private address"},
		"alt without a picture":      {method: "POST", route: "/posts", path: "/posts", body: `{"channel":"desk","text":"a","alt":"b"}`, status: 422, says: "belong to a picture"},
		"edit":                       {method: "PATCH", route: "/posts/{id}", path: "/posts/%[1]s", body: `{"title":"La gare a rouvert","note":"Elle n’était que fermée."}`, status: 200, says: `"revision":2`},
		"edit to the same":           {method: "PATCH", route: "/posts/{id}", path: "/posts/%[1]s", body: `{"title":"La gare est évacuée"}`, status: 409, says: "it says that already"},
		"edit nothing":               {method: "PATCH", route: "/posts/{id}", path: "/posts/%[1]s", body: `{}`, status: 409, says: "nothing would change"},
		"retract":                    {method: "POST", route: "/posts/{id}/retract", path: "/posts/%[1]s/retract", body: `{"reason":"trop tôt"}`, status: 200, says: `"legal":false`},
		"retract for good":           {method: "POST", route: "/posts/{id}/retract", path: "/posts/%[1]s/retract", body: `{"reason":"jugement 12/2026","legal":true}`, status: 200, says: `"legal":true`},
		"retract an item":            {method: "POST", route: "/items/retract", path: "/items/retract", body: `{"item":"gare","source":"articles","reason":"jugement"}`, status: 200, says: `"key":"gare"`},
		"retract no item":            {method: "POST", route: "/items/retract", path: "/items/retract", body: `{"item":"nope","reason":"jugement"}`, status: 404, says: "no item"},
		"retract nothing":            {method: "POST", route: "/items/retract", path: "/items/retract", body: `{"item":"","reason":""}`, status: 400, says: "give its key"},
		"retract without a reason":   {method: "POST", route: "/posts/{id}/retract", path: "/posts/%[1]s/retract", body: `{"reason":""}`, status: 400, says: "say why"},
		"deliveries":                 {method: "GET", route: "/deliveries", path: "/deliveries?state=pending&destination=ops&channel=alertes&post=%[1]s", status: 200, says: `"state":"pending"`},
		"deliveries in no state":     {method: "GET", route: "/deliveries", path: "/deliveries?state=lost", status: 400, says: "awaiting_person"},
		"deliveries after nonsense":  {method: "GET", route: "/deliveries", path: "/deliveries?after=x", status: 400, says: "is no number"},
		"deliveries to nowhere":      {method: "GET", route: "/deliveries", path: "/deliveries?destination=op", status: 422, says: `did you mean \"ops\"?`},
		"resolve": {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/%[2]d/resolve", body: `{"say":"arrived","url":"https://t.me/gazette/1"}`, status: 200,
			says: `"resolved":"arrived"`, prepare: func(t *testing.T, f *fixture) int64 { return f.Lose(t, "ops") }},
		"resolve as missing": {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/%[2]d/resolve", body: `{"say":"missing"}`, status: 200,
			says: `"resolved":"missing"`, prepare: func(t *testing.T, f *fixture) int64 { return f.Lose(t, "ops") }},
		"resolve the wrong way": {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/%[2]d/resolve", body: `{"say":"done"}`, status: 409,
			says: "is unknown; --done is for one that is awaiting_person", prepare: func(t *testing.T, f *fixture) int64 { return f.Lose(t, "ops") }},
		"resolve with an address": {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/%[2]d/resolve", body: `{"say":"missing","url":"https://t.me/1"}`, status: 422,
			says: "belongs to", prepare: func(t *testing.T, f *fixture) int64 { return f.Lose(t, "ops") }},
		"resolve what is not there":  {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/999/resolve", body: `{"say":"missing"}`, status: 404, says: "there is no delivery 999"},
		"resolve a word":             {method: "POST", route: "/deliveries/{id}/resolve", path: "/deliveries/x/resolve", body: `{"say":"missing"}`, status: 400, says: "is no number"},
		"held messages":              {method: "GET", route: "/messages/held", path: "/messages/held", status: 200, says: `"items":[`},
		"release no messages":        {method: "POST", route: "/messages/{number}/release", path: "/messages/999/release", status: 404, says: "no messages are held under the number 999"},
		"release messages by a word": {method: "POST", route: "/messages/{number}/release", path: "/messages/x/release", status: 400, says: "is no number"},
		"nobody is held":             {method: "GET", route: "/messages/{number}/people", path: "/messages/999/people", status: 404, says: "no messages wait under the number 999"},
		"settle to nobody":           {method: "POST", route: "/messages/{number}/settle", path: "/messages/999/settle", body: `{"say":"missing","person":"nobody"}`, status: 404, says: "nobody is called"},
		"settle no messages":         {method: "POST", route: "/messages/{number}/settle", path: "/messages/999/settle", body: `{"say":"missing"}`, status: 404, says: "no messages under the number 999"},
		"settle messages otherwise":  {method: "POST", route: "/messages/{number}/settle", path: "/messages/999/settle", body: `{"say":"done"}`, status: 400, says: "arrived"},
		"resend": {method: "POST", route: "/deliveries/{id}/resend", path: "/deliveries/%[2]d/resend", status: 200, says: `"resent":true`,
			prepare: func(t *testing.T, f *fixture) int64 { return f.Refuse(t, "ops") }},
		"resend what is under way": {method: "POST", route: "/deliveries/{id}/resend", path: "/deliveries/%[2]d/resend", status: 409, says: "only one that is failed, expired or dropped",
			prepare: func(t *testing.T, f *fixture) int64 { return f.Lose(t, "ops") }},
		"why an item":          {method: "GET", route: "/why/item", path: "/why/item?key=gare&channel=alertes", status: 200, says: `"state":"waiting"`},
		"why nothing":          {method: "GET", route: "/why/item", path: "/why/item", status: 400, says: "is missing"},
		"why no item":          {method: "GET", route: "/why/item", path: "/why/item?key=nope&source=articles", status: 404, says: "no item"},
		"why in no channel":    {method: "GET", route: "/why/item", path: "/why/item?key=gare&channel=alerte", status: 422, says: "did you mean"},
		"why a post":           {method: "GET", route: "/why/post/{id}", path: "/why/post/%[1]s?destination=wire", status: 200, says: `"chat":"@gazette"`},
		"why a post elsewhere": {method: "GET", route: "/why/post/{id}", path: "/why/post/%[1]s?destination=nope", status: 404, says: "was never meant for"},
		"destinations":         {method: "GET", route: "/destinations", path: "/destinations", status: 200, says: `"waiting":1`},
		"a destination":        {method: "GET", route: "/destinations/{name}", path: "/destinations/wire", status: 200, says: `"chat":"@gazette"`},
		"no destination":       {method: "GET", route: "/destinations/{name}", path: "/destinations/wires", status: 404, says: "did you mean"},
		"check":                {method: "POST", route: "/destinations/{name}/check", path: "/destinations/wire/check", status: 200, says: `"resumed":false`},
		"check of a stopped one": {method: "POST", route: "/destinations/{name}/check", path: "/destinations/wire/check", status: 200, says: `"resumed":true`,
			prepare: func(t *testing.T, f *fixture) int64 { f.Stop(t, "wire"); return 0 }},
		"check of a broken one": {method: "POST", route: "/destinations/{name}/check", path: "/destinations/wire/check", status: 200, says: `"code":"forbidden"`,
			prepare: func(_ *testing.T, f *fixture) int64 { f.Platform.Broken.Store(true); return 0 }},
		"check of none":      {method: "POST", route: "/destinations/{name}/check", path: "/destinations/wires/check", status: 404, says: "did you mean"},
		"pauses":             {method: "GET", route: "/pauses", path: "/pauses", status: 200, says: `"items":[]`},
		"pause":              {method: "PUT", route: "/pauses/{scope}/{name}", path: "/pauses/channel/brief", status: 200, says: `"changed":true`},
		"pause of nothing":   {method: "PUT", route: "/pauses/{scope}/{name}", path: "/pauses/chanel/brief", status: 422, says: "there are all, source, channel and destination"},
		"pause of no such":   {method: "PUT", route: "/pauses/{scope}/{name}", path: "/pauses/channel/breif", status: 404, says: `did you mean \"brief\"?`},
		"resume":             {method: "DELETE", route: "/pauses/{scope}/{name}", path: "/pauses/channel/brief", status: 200, says: `"changed":false`},
		"pause everything":   {method: "PUT", route: "/pauses/all", path: "/pauses/all", body: `{}`, status: 200, says: `"scope":"all"`},
		"resume everything":  {method: "DELETE", route: "/pauses/all", path: "/pauses/all", status: 200, says: `"paused":false`},
		"alerts":             {method: "GET", route: "/alerts", path: "/alerts", status: 200, says: `"code":"source_failing"`},
		"version":            {method: "GET", route: "/version", path: "/version", status: 200, says: `"version":"test"`},
		"doctor":             {method: "GET", route: "/doctor", path: "/doctor", status: 200, says: `"about":"source_failing","sentence":"source agenda cannot be read`},
		"doctor, asking":     {method: "POST", route: "/doctor", path: "/doctor", body: `{"online":true}`, status: 200, says: `"sentence":"ops can be posted to"`},
		"doctor, not asking": {method: "POST", route: "/doctor", path: "/doctor", body: `{}`, status: 200, says: `"sentence":"feed can be started"`},
		"doctor with a problem": {method: "GET", route: "/doctor", path: "/doctor", status: 200, says: `"sentence":"belfry.yaml:3:1: unknown key","mend":"take it out"`,
			prepare: broken},
		"test alert": {method: "POST", route: "/alerts/test", path: "/alerts/test", status: 200, says: `"destination":"ops","chat":"","outcome":"arrived"`},
		"test alert that is refused": {method: "POST", route: "/alerts/test", path: "/alerts/test", status: 200, says: `"outcome":"refused","code":"forbidden"`,
			prepare: func(_ *testing.T, f *fixture) int64 { f.Platform.Broken.Store(true); return 0 }},
		"test alert for nobody": {method: "POST", route: "/alerts/test", path: "/alerts/test", status: 409, says: "nobody is told of trouble",
			prepare: func(_ *testing.T, f *fixture) int64 { f.Config.Alerts.To = nil; return 0 }},
		"size":                 {method: "GET", route: "/store/size", path: "/store/size", status: 200, says: `{"name":"posts","rows":1,`},
		"backup":               {method: "POST", route: "/store/backup", path: "/store/backup", body: `{"images":"all"}`, status: 200, says: "SQLite format 3"},
		"backup of other":      {method: "POST", route: "/store/backup", path: "/store/backup", body: `{"images":"some"}`, status: 400, says: `"/images"`},
		"config":               {method: "GET", route: "/config", path: "/config", status: 200, says: `"title":"La Gazette"`},
		"origins":              {method: "GET", route: "/config/origins", path: "/config/origins", status: 200, says: `{"path":"timezone","value":"Europe/Paris","origin":"`},
		"no problems":          {method: "GET", route: "/config/problems", path: "/config/problems", status: 200, says: `"items":[]`},
		"problems":             {method: "GET", route: "/config/problems", path: "/config/problems", status: 200, says: `{"file":"belfry.yaml","line":3,"column":1,"what":"unknown key","fix":"take it out"}`, prepare: broken},
		"plugins":              {method: "GET", route: "/plugins", path: "/plugins?limit=1", status: 200, says: `"items":[{"type":"feed","summary":"a source"`},
		"schedule":             {method: "GET", route: "/schedule", path: "/schedule?cron=30+2+*+*+*&zone=Europe/Paris&from=2026-03-28&count=2", status: 200, says: `{"at":"2026-03-29T01:00:00Z","local":"2026-03-29T03:00:00+02:00","shift":"gap"}`},
		"no schedule":          {method: "GET", route: "/schedule", path: "/schedule", status: 400, says: `\"cron\" is missing`},
		"a bad schedule":       {method: "GET", route: "/schedule", path: "/schedule?cron=1+2", status: 422, says: "cron"},
		"no such zone":         {method: "GET", route: "/schedule", path: "/schedule?cron=@daily&zone=Mars/Base", status: 422, says: "Mars/Base"},
		"too many times":       {method: "GET", route: "/schedule", path: "/schedule?cron=@daily&count=501", status: 400, says: "from 1 to 500"},
		"release of a post":    {method: "POST", route: "/posts/{id}/release", path: "/posts/%[1]s/release", status: 200, says: `"released":1`, prepare: held},
		"drop of a post":       {method: "POST", route: "/posts/{id}/release", path: "/posts/%[1]s/release", body: `{"drop":true}`, status: 200, says: `"dropped":1`, prepare: held},
		"release of what goes": {method: "POST", route: "/posts/{id}/release", path: "/posts/%[1]s/release", status: 409, says: "is held"},
		"release of no post":   {method: "POST", route: "/posts/{id}/release", path: "/posts/00000000/release", status: 404, says: "there is no post"},
		"sign-up":              {method: "POST", route: "/signups", path: "/signups", body: `{"medium":"email","address":"r@example.org","channels":["alertes"],"wording":"I want it"}`, status: 202, says: `{"accepted":true}`},
		"sign-up of nobody":    {method: "POST", route: "/signups", path: "/signups", body: `{"medium":"email","address":"r@","channels":["alertes"],"wording":"I want it"}`, status: 422, says: "this is no e-mail address"},
		"sign-up unworded":     {method: "POST", route: "/signups", path: "/signups", body: `{"medium":"email","address":"r@example.org","channels":["alertes"]}`, status: 400, says: "wording"},
		"withdrawal":           {method: "POST", route: "/withdrawals", path: "/withdrawals", body: `{"medium":"email","address":"r@example.org"}`, status: 200, says: `"settled":true`},
		"notice":               {method: "POST", route: "/notices", path: "/notices", body: `{"notice":"parcels","reference":"c-17","key":"order-1","text":"{{name}}, it is here.","slots":{"name":"Ana"}}`, status: 202, says: `{"outcome":"queued"}`},
		"notice of no kind":    {method: "POST", route: "/notices", path: "/notices", body: `{"notice":"parcel","reference":"c-17","key":"order-1","text":"here"}`, status: 422, says: "no notice is called"},
		"notice to a script":   {method: "POST", route: "/notices", path: "/notices", body: `{"notice":"parcels","reference":"c-17","key":"order-1","text":"here","url":"javascript:alert(1)"}`, status: 422, says: "neither http"},
		"notice until never":   {method: "POST", route: "/notices", path: "/notices", body: `{"notice":"parcels","reference":"c-17","key":"order-1","text":"here","expires":"tomorrow"}`, status: 422, says: "RFC 3339"},
		"unknown parameter":    {method: "GET", route: "/alerts", path: "/alerts?limt=1", status: 400, says: `did you mean \"limit\"?`},
		"twice a parameter":    {method: "GET", route: "/alerts", path: "/alerts?limit=1&limit=2", status: 400, says: "it stands twice"},
		"too many":             {method: "GET", route: "/alerts", path: "/alerts?limit=501", status: 400, says: "from 1 to 500"},
	} {
		asked[c.method+" "+c.route] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			delivery := int64(0)
			if c.prepare != nil {
				delivery = c.prepare(t, f)
			}
			path := strings.NewReplacer("%[1]s", f.Post, "%[2]d", fmt.Sprint(delivery)).Replace(c.path)
			w := f.do(t, "all", c.method, path, c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("status %d, want %d with %s:\n%s\n%s", w.Code, c.status, c.says, w.Body, f.log)
			}
			if strings.HasPrefix(w.Body.String(), "SQLite format 3") {
				if w.Header().Get("Content-Type") != backupMedia {
					t.Errorf("a backup is %s", w.Header().Get("Content-Type"))
				}
				return
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", w.Header())
			}
			o.validate(t, c.method, c.route, w)
			if w.Code >= 400 {
				if p := problemOf(t, w); p.Detail == "" || p.Code == "" || p.Type != "about:blank" || p.Title != http.StatusText(w.Code) {
					t.Errorf("the problem is not whole: %+v", p)
				}
			}
		})
	}
	for _, rt := range (&handler{}).routes() {
		if !asked[rt.method+" "+rt.path] {
			t.Errorf("%s %s was not asked", rt.method, rt.path)
		}
	}
}

// broken gives the configuration's file a problem.
func broken(_ *testing.T, f *fixture) int64 {
	f.problems = []configs.Located{{Position: configs.Position{File: "belfry.yaml", Line: 3, Column: 1}, What: "unknown key", Fix: "take it out"}}
	return 0
}

// held lets a blackout hold the copy of the post at ops, as its lane does.
func held(t *testing.T, f *fixture) int64 {
	t.Helper()
	b, err := f.Store.Claim(t.Context(), "ops", f.Now, time.Minute, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.Store.Work(t.Context(), b[0].Deliveries[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Store.Settle(t.Context(), outbox.Settlement{Delivery: w.Delivery, Publication: w.Publication, Version: w.Version, Batch: b[0].ID, Fence: b[0].Fence,
		State: outbox.Held, Error: "blackout election"}, f.Now); err != nil {
		t.Fatal(err)
	}
	return w.Delivery
}

// TestBackupTakenAlong holds that what is sent is a whole backup, that it leaves nothing behind, and that one is made at a
// time.
func TestBackupTakenAlong(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := os.Mkdir(filepath.Join(f.Dir, madeFor+"old"), 0o700); err != nil { // a fall left it
		t.Fatal(err)
	}
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+Base+"/store/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer operator-token")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(body)) || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), `attachment; filename="belfry-20`) {
		t.Fatalf("%s, %d bytes, %v, %v", resp.Status, len(body), resp.Header, err)
	}
	file := filepath.Join(t.TempDir(), "taken.db")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := sqlite.Restore{From: file, To: filepath.Join(t.TempDir(), sqlite.FileName), Now: f.Now}.Run(t.Context())
	if err != nil || out.Held.Copies == 0 {
		t.Errorf("%+v, %v", out, err)
	}
	if left, err := filepath.Glob(filepath.Join(f.Dir, ".*")); len(left) > 0 || err != nil {
		t.Errorf("it leaves %v, %v", left, err)
	}
	h := &handler{Settings: f.settings}
	if !h.backup.TryLock() {
		t.Fatal("it is locked")
	}
	if _, err := h.backUp(t.Context(), &call{}, &backupBody{}); err == nil || !strings.Contains(err.Error(), "another backup is being taken") {
		t.Errorf("a second one at the same time: %v", err)
	}
	h.backup.Unlock()
	h.Dir = filepath.Join(f.Dir, "nowhere")
	if _, err := h.backUp(t.Context(), &call{d: &desk.Desk{Config: f.Config, Now: f.Now}}, &backupBody{}); err == nil || !h.backup.TryLock() {
		t.Errorf("a backup of nothing: %v", err)
	}
}

func TestNothingStandsThere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if w := f.do(t, "all", "GET", "/nope", ""); w.Code != 404 || !strings.Contains(problemOf(t, w).Detail, documentPath) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := f.do(t, "all", "DELETE", "/posts", "")
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, POST" || !strings.Contains(problemOf(t, w).Detail, "GET, HEAD, POST") {
		t.Errorf("%d %q %s", w.Code, w.Header().Get("Allow"), w.Body)
	}
	if w := f.do(t, "reader", "HEAD", "/alerts", ""); w.Code != 200 {
		t.Errorf("HEAD answers %d", w.Code)
	}
}

// TestBodies holds what is refused before anything is done.
func TestBodies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	large := `{"channel":"desk","text":"` + strings.Repeat("a", maxBody) + `"}`
	for name, c := range map[string]struct {
		body, media string
		chunked     bool
		status      int
		says        string
	}{
		"another type":        {`channel=desk`, "application/x-www-form-urlencoded", false, 415, "send JSON"},
		"no type at all":      {`{"channel":"desk"}`, "%", false, 415, "send JSON"},
		"no JSON":             {`{channel: desk}`, "", false, 400, "is no JSON"},
		"half a document":     {`{"channel":"desk"`, "", false, 400, "it ends too early"},
		"two documents":       {`{"channel":"desk"}{}`, "", false, 400, "something follows"},
		"a list":              {`[]`, "", false, 400, "no JSON object"},
		"a key that is twice": {`{"channel":"desk","channel":"brief"}`, "", false, 400, `the key "channel" stands twice`},
		"too deep":            {`{"channel":` + strings.Repeat("[", 100000), "", false, 400, "nested deeper"},
		"no UTF-8":            {"{\"channel\":\"\xff\"}", "", false, 400, "not UTF-8"},
		"another kind":        {`{"channel":7,"urgent":"yes"}`, "", false, 400, "and 1 more"},
		"a missing field":     {`{}`, "", false, 400, `"channel" is missing`},
		"too large":           {large, "", false, 413, "send less"},
		"too large, unsaid":   {large, "", true, 413, "send less"},
		"with a charset":      {`{"channel":"nope"}`, "application/json; charset=utf-8", false, 422, "no channel"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, Base+"/posts", strings.NewReader(c.body))
			if c.chunked {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), -1
			}
			r.Header.Set("Authorization", "Bearer all-token")
			r.Header.Set("Content-Type", "application/json")
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			w := httptest.NewRecorder()
			f.handler.ServeHTTP(w, r)
			if p := problemOf(t, w); w.Code != c.status || !strings.Contains(p.Detail, c.says) {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
}

// TestPages walks lists with small steps: nothing is left out and nothing comes twice.
func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 5 {
		f.Write(t, "desk", fmt.Sprint("post ", i))
	}
	for _, name := range []string{"articles", "agenda"} {
		if _, err := f.Store.Pause(t.Context(), "source", name, "test", f.Now); err != nil {
			t.Fatal(err)
		}
	}
	for path, c := range map[string]struct {
		want  []string
		names []string // of the properties that make the name
	}{
		"/posts?channel=desk":    {[]string{"post 4", "post 3", "post 2", "post 1", "post 0"}, []string{"title"}},
		"/deliveries?channel=":   {[]string{"wire", "ops"}, []string{"destination"}},
		"/sources?":              {[]string{"agenda", "articles"}, []string{"name"}},
		"/channels?":             {[]string{"alertes", "brief", "desk"}, []string{"name"}},
		"/destinations?":         {[]string{"ops", "wire"}, []string{"name"}},
		"/pauses?":               {[]string{"source agenda", "source articles"}, []string{"scope", "name"}},
		"/alerts?":               {[]string{"source_held", "source_failing"}, []string{"code"}},
		"/posts?channel=alertes": {[]string{"La gare est évacuée"}, []string{"title"}},
	} {
		for _, limit := range []int{1, 2, 500} {
			t.Run(fmt.Sprint(path, limit), func(t *testing.T) {
				t.Parallel()
				got, after := []string{}, ""
				for range 20 {
					var l List[map[string]any]
					f.get(t, fmt.Sprintf("%s&limit=%d&after=%s", path, limit, url.QueryEscape(after)), &l)
					if len(l.Items) > limit {
						t.Fatalf("%d entries", len(l.Items))
					}
					for _, x := range l.Items {
						var name []string
						for _, p := range c.names {
							name = append(name, fmt.Sprint(x[p]))
						}
						got = append(got, strings.Join(name, " "))
					}
					if l.Next == nil {
						break
					}
					after = *l.Next
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestIdempotency holds that a request that comes again makes no second post, after a restart too.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	create := func(who, body, key string) *httptest.ResponseRecorder {
		return f.do(t, who, "POST", "/posts", body, "Idempotency-Key", key)
	}
	const body = `{"channel":"desk","text":"Une fois."}`
	first := create("poster", body, "a key")
	if first.Code != 201 || first.Header().Get("Idempotency-Replayed") != "" || !strings.HasPrefix(first.Header().Get("Location"), Base+"/posts/") {
		t.Fatalf("%d %v %s", first.Code, first.Header(), first.Body)
	}
	f.handler = New(f.settings) // a restart
	again := create("poster", body, "a key")
	if again.Code != 201 || again.Header().Get("Idempotency-Replayed") != "true" || again.Header().Get("Location") != first.Header().Get("Location") {
		t.Errorf("%d %v %s", again.Code, again.Header(), again.Body)
	}
	if w := create("poster", `{"channel":"desk","text":"Autre chose."}`, "a key"); w.Code != 422 || !strings.Contains(problemOf(t, w).Detail, "a key of its own") {
		t.Errorf("another body with the same key: %d %s", w.Code, w.Body)
	}
	if w := create("all", body, "a key"); w.Code != 201 || w.Header().Get("Idempotency-Replayed") != "" {
		t.Errorf("another token's key is its own: %d %s", w.Code, w.Body)
	}
	if w := create("poster", body, strings.Repeat("k", 256)); w.Code != 400 {
		t.Errorf("a long key: %d %s", w.Code, w.Body)
	}
	for range 2 {
		if w := create("poster", body, ""); w.Code != 201 {
			t.Errorf("without a key: %d %s", w.Code, w.Body)
		}
	}
	var l List[desk.Post]
	f.get(t, "/posts?channel=desk", &l)
	if len(l.Items) != 4 {
		t.Errorf("%d posts, want 4", len(l.Items))
	}
}

// TestSameKeyAtTheSameTime holds that of requests with one key at the same moment one makes the post.
func TestSameKeyAtTheSameTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	codes := make(chan int, 8)
	for range cap(codes) {
		go func() {
			codes <- f.do(t, "poster", "POST", "/posts", `{"channel":"desk","text":"Une fois."}`, "Idempotency-Key", "k").Code
		}()
	}
	made := 0
	for range cap(codes) {
		switch code := <-codes; code {
		case 201:
			made++
		case 409:
		default:
			t.Errorf("status %d", code)
		}
	}
	var l List[desk.Post]
	f.get(t, "/posts?channel=desk", &l)
	if made == 0 || len(l.Items) != 1 {
		t.Errorf("%d answers of success, %d posts", made, len(l.Items))
	}
}

// TestPictures holds that a picture is fetched, kept and processed like every other.
func TestPictures(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.png" {
			_, _ = w.Write(picture.Bytes())
			return
		}
		_, _ = w.Write([]byte("<html>no picture</html>"))
	}))
	defer site.Close()
	var p desk.Post
	f.ask(t, "POST", "/posts", fmt.Sprintf(`{"channel":"desk","title":"Une image","image":"%s/a.png","alt":"Du gris","credit":"La Gazette"}`, site.URL), &p)
	if len(p.Images) != 1 || !strings.HasPrefix(p.Images[0], "belfry:") {
		t.Fatalf("images %q", p.Images)
	}
	f.ask(t, "PATCH", "/posts/"+p.ID, `{"image":""}`, &p)
	if len(p.Images) != 0 {
		t.Errorf("the picture is still there: %q", p.Images)
	}
	if w := f.do(t, "all", "POST", "/posts", fmt.Sprintf(`{"channel":"desk","text":"a","image":"%s/page"}`, site.URL)); w.Code != 422 || !strings.Contains(w.Body.String(), "cannot be used") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestLegalNeedsMore holds that whoever may only post cannot purge.
func TestLegalNeedsMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.do(t, "poster", "POST", "/posts/"+f.Post+"/retract", `{"reason":"a","legal":true}`)
	if p := problemOf(t, w); w.Code != 403 || !strings.Contains(p.Detail, "a legal retraction needs operate; add it to admin.tokens.poster.scopes") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var p desk.Post
	if f.get(t, "/posts/"+f.Post, &p); p.Status != "live" {
		t.Errorf("the post is %s", p.Status)
	}
	if w := f.do(t, "poster", "POST", "/posts/"+f.Post+"/retract", `{"reason":"a"}`); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestTheRecordNamesTheToken holds that acts are known by the name of the token, and by nothing secret.
func TestTheRecordNamesTheToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if w := f.do(t, "poster", "POST", "/posts", `{"channel":"desk","text":"a"}`); w.Code != 201 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	actor, _, err := f.Store.CreatedBy(t.Context(), "api: ", f.Now.Add(-1e12))
	if err != nil || actor != "api: poster" {
		t.Errorf("%q, %v", actor, err)
	}
}

// TestBrokenStore holds that Belfry's own trouble is logged and not told.
func TestBrokenStore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.Store.Close(); err != nil {
		t.Fatal(err)
	}
	w := f.do(t, "all", "GET", "/status", "")
	if p := problemOf(t, w); w.Code != 500 || p.Code != "internal" || strings.Contains(p.Detail, "sql") || !strings.Contains(f.log.String(), "sql") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, f.log)
	}
}

// A store that takes no write is Belfry's trouble, and one that a person can end: the answer says how, and nothing of where.
func TestStoresThatTakeNoWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		code string
		want string
	}{
		"a full disk":   {fmt.Errorf("/secret/belfry.db: %w (13)", store.ErrNoRoom), "store_full", "make room there, and try again"},
		"a failed disk": {fmt.Errorf("%w: /secret/belfry.db", store.ErrFailed), "store_failed", "restart Belfry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			h := &handler{Settings: Settings{Log: slog.New(slog.NewTextHandler(f.log, nil))}}
			p := h.refusal(httptest.NewRequest(http.MethodPost, "/api/v1/pauses", nil), c.err)
			if p.Status != 503 || p.Code != c.code || !strings.Contains(p.Detail, c.want) || strings.Contains(p.Detail, "secret") || p.header.Get("Retry-After") == "" {
				t.Errorf("%+v", p)
			}
			if !strings.Contains(f.log.String(), "/secret/belfry.db") {
				t.Errorf("the log says %s", f.log)
			}
		})
	}
}

// What the command line prints as JSON is what the API answers: both are the desk's own values.
func TestTheSameAsTheDesk(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	d := &desk.Desk{Config: f.Config, Store: f.Store, Dir: f.Dir, Now: f.Now, Daemon: thisProcess}
	status, err := d.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := httptest.NewRecorder()
	writeJSON(want, 200, "application/json", status)
	if diff := cmp.Diff(want.Body.String(), f.do(t, "reader", "GET", "/status", "").Body.String()); diff != "" {
		t.Errorf("(-desk +api):\n%s", diff)
	}
}

func FuzzReadTree(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,2,{"b":null}]}`, `{"a":1,"a":2}`, `[`, `{"a":1e400}`, "\xff", `{"a":"\ud800"}`, strings.Repeat("[", 100)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tree, err := readTree(raw)
		if err == nil && tree == nil && !bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
			t.Errorf("%q gives nothing", raw)
		}
		if errors.Is(err, io.EOF) || err != nil && err.Error() == "" {
			t.Errorf("%q: %v says nothing", raw, err)
		}
		if err == nil && slices.Contains(raw, 0xff) {
			t.Errorf("%q is not UTF-8", raw)
		}
	})
}
