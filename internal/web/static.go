package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/xml"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/palette"
)

//go:embed templates/*.html static/belfry.css static/people.css static/favicon.svg
var files embed.FS

// templates are part of the program, parsed for the first page: a plugin's process and most commands show none. They escape
// by context; see bodyHTML for the one exception.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").ParseFS(files, "templates/*.html"))
})

func execute(name string, data any) ([]byte, error) {
	var out bytes.Buffer
	err := templates().ExecuteTemplate(&out, name, data)
	return out.Bytes(), err
}

// asset is a file of the program that pages load, compressed when it is first asked for.
type asset struct {
	// path holds the digest of the content, so that a browser may keep it for ever.
	path string
	entry
}

// style is the stylesheet, peopleStyle what the people's own pages add to it, and icon the mark.
var (
	style       = load("static/belfry.css", palette.CSS(), "belfry", ".css", "text/css; charset=utf-8", controlForever)
	peopleStyle = load("static/people.css", "", "people", ".css", "text/css; charset=utf-8", controlForever)
	icon        = load("static/favicon.svg", "", "favicon", ".svg", "image/svg+xml", "public, max-age=86400")
)

const controlForever = "public, max-age=31536000, immutable"

// load makes an asset of a file, with something before it.
func load(file, before, name, ext, kind, control string) func() *asset {
	return sync.OnceValue(func() *asset {
		body, err := files.ReadFile(file)
		if err != nil {
			panic("web: " + err.Error())
		}
		body = append([]byte(before), body...)
		sum := sha256.Sum256(body)
		doc := document{status: http.StatusOK, kind: kind, control: control, body: body}
		return &asset{path: "/static/" + name + "-" + hex.EncodeToString(sum[:6]) + ext, entry: *finish(doc, nil, 0, time.Unix(0, 0))}
	})
}

func (s *Server) serveStatic(w http.ResponseWriter, r *http.Request) {
	for _, sheet := range []*asset{style(), peopleStyle()} {
		if r.URL.Path == sheet.path {
			sheet.serve(w, r)
			return
		}
	}
	s.fail(w, r, http.StatusNotFound, "404")
}

func (s *Server) serveIcon(w http.ResponseWriter, r *http.Request) { icon().serve(w, r) }

// serve answers without a time: the program's files have none.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) { a.answer(w, r, a.modified) }

func (s *Server) serveRobots(w http.ResponseWriter, r *http.Request) {
	st := s.site.Load()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	text := "User-agent: *\nAllow: /\n"
	if st.base != "" {
		text += "\nSitemap: " + st.abs("/sitemap.xml") + "\n"
	}
	_, _ = w.Write([]byte(text))
}

// sitemap lists the front page and the channels on it (sitemaps.org); posts point to their articles.
type sitemap struct {
	XMLName xml.Name `xml:"urlset"`
	NS      string   `xml:"xmlns,attr"`
	URLs    []struct {
		Loc string `xml:"loc"`
	} `xml:"url"`
}

func (s *Server) serveSitemap(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	s.show(w, r, v, "sitemap", func(context.Context) (document, error) {
		st := s.site.Load()
		out := sitemap{NS: "http://www.sitemaps.org/schemas/sitemap/0.9"}
		add := func(path string) {
			out.URLs = append(out.URLs, struct {
				Loc string `xml:"loc"`
			}{st.abs(path)})
		}
		add("/")
		for _, name := range slices.Sorted(maps.Keys(st.config.Channels)) {
			if st.config.Channels[name].Listed {
				add("/c/" + name)
			}
		}
		body, err := xml.MarshalIndent(out, "", " ")
		return document{status: http.StatusOK, kind: "application/xml; charset=utf-8", control: controlFeed, body: append([]byte(xml.Header), body...)}, err
	})
}
